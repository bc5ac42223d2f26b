"""The database itself keeps members apart, whatever a service forgets."""

from __future__ import annotations

import asyncpg
import pytest

from domain.access.roles import Role
from domain.kernel.actor import NOBODY, SYSTEM, Actor
from domain.kernel.capabilities import Capability
from domain.kernel.database import connection, fetch, fetch_as
from domain.kernel.ids import new_id
from domain.kernel.work import Works
from tests.support.members import a_person, register
from tests.support.org import Town, a_town, somebody

ALL = "SELECT id FROM member"


async def filled(works: Works) -> Town:
    town = await a_town(works)
    admin = await somebody(Role.FEDERATION_ADMIN, town.city)
    for union in (town.a, town.b, town.c, town.d):
        await register(works, admin, a_person(union))
    return town


async def test_without_a_context_no_row_is_seen(works: Works, test_keyring: object) -> None:
    await filled(works)

    assert not await fetch(ALL)
    assert not await fetch("SELECT id FROM member_membership")
    assert not await fetch_as(NOBODY, ALL)
    assert not await fetch_as(Actor(account_id=new_id()), ALL)
    assert len(await fetch_as(SYSTEM, ALL)) == 4
    assert not await fetch(ALL), "the context outlived its transaction"


@pytest.mark.parametrize("setting", ["app.territory", "app.line"])
@pytest.mark.parametrize("value", ["", ",", ",,", "-", "/zzzz/", "%", "/%/"])
async def test_an_empty_or_odd_list_of_paths_matches_nothing(
    works: Works, test_keyring: object, setting: str, value: str
) -> None:
    await filled(works)

    async with connection() as conn, conn.transaction():
        await conn.execute("SELECT set_config($1, $2, true)", setting, value)
        seen = await conn.fetch(ALL)

    assert not seen


async def test_a_scope_that_does_not_read_members_opens_no_row(
    works: Works, test_keyring: object
) -> None:
    town = await filled(works)
    collector = await somebody(Role.COLLECTOR, town.city)

    assert Capability.MEMBER_READ not in collector.reaches[0].capabilities
    assert not await fetch_as(collector, ALL)


async def test_a_query_without_any_condition_shows_the_scope_only(
    works: Works, test_keyring: object
) -> None:
    town = await filled(works)

    assert len(await fetch_as(await somebody(Role.ZONE_CADRE, town.east), ALL)) == 3
    assert len(await fetch_as(await somebody(Role.ZONE_CADRE, town.west), ALL)) == 1
    memberships = "SELECT id FROM member_membership"
    assert len(await fetch_as(await somebody(Role.ZONE_CADRE, town.east), memberships)) == 3


async def test_a_row_cannot_be_moved_out_of_the_scope_nor_entered_without_leave(
    works: Works, test_keyring: object
) -> None:
    town = await filled(works)
    east = await somebody(Role.ZONE_CADRE, town.east)
    (west,) = await fetch("SELECT territory_path FROM org_union WHERE id = $1", town.west)

    async def run(sql: str, *args: object) -> int:
        async with works.open(east) as w:
            return await w.execute(sql, *args)

    for sql in (
        "UPDATE member SET territory_path = $1",
        "INSERT INTO member (id, union_id, territory_path, state, name_mask, name, id_type,"
        " id_number, is_migrant, collected_by, collected_at) SELECT gen_random_uuid(), union_id,"
        " $1, state, name_mask, name, id_type, id_number, is_migrant, collected_by, collected_at"
        " FROM member LIMIT 1",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await run(sql, west["territory_path"])
    assert await run("DELETE FROM member") == 0
    assert await run("UPDATE member SET is_migrant = true") == 3


async def test_the_running_program_neither_owns_the_tables_nor_bypasses_policies(
    works: Works,
) -> None:
    (row,) = await fetch(
        "SELECT r.rolsuper OR r.rolbypassrls AS is_mighty,"
        " bool_and(c.relrowsecurity AND c.relforcerowsecurity) AS is_forced"
        " FROM pg_roles r, pg_class c WHERE r.rolname = current_user"
        " AND c.relname IN ('member', 'member_membership') GROUP BY 1"
    )
    assert (row["is_mighty"], row["is_forced"]) == (False, True)
