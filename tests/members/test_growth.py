"""Some thousand members: the first page walks an index, whatever the scope; bulk is all or none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from domain.access.roles import Role
from domain.kernel.actor import SYSTEM, Actor, Hierarchy
from domain.kernel.context import context_of, reading
from domain.kernel.database import connection, fetch_as
from domain.kernel.errors import NotFound
from domain.kernel.ids import new_id
from domain.kernel.pages import PageRequest
from domain.kernel.work import Works
from domain.members import service
from domain.members.bulk import enter_members
from domain.members.service import AlreadyMember, MemberFilter
from tests.support.clock import THEN
from tests.support.members import a_person
from tests.support.org import Town, a_town, somebody

EACH = 1_500
ROWS_READ_MAX = 500
"""Rows that a page of fifty may touch: a walk along an index, not a search."""


async def fill(works: Works, owner_url: str, town: Town) -> None:
    for union in (town.a, town.b, town.c, town.d):
        async with works.open(SYSTEM) as w:
            people = [a_person(union) for _ in range(EACH)]
            await enter_members(w, people, collected_by=new_id())
    owner = await asyncpg.connect(owner_url)
    try:
        await owner.execute("ANALYZE member")
    finally:
        await owner.close()


async def plan_of_first_page(actor: Actor, filter: MemberFilter) -> list[dict[str, Any]]:
    """The nodes of the executed plan."""
    selection = service.select_members(actor, filter)
    order = ", ".join(key.expression for key in selection.listing.key)
    columns = ", ".join(selection.listing.columns.values())
    async with connection() as conn, conn.transaction():
        # A statement that is used again and again gets a generic plan: that one must hold too.
        await conn.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        read = (
            f"SELECT {columns} FROM member m WHERE {selection.where.sql} ORDER BY {order} LIMIT 51"
        )
        explained = await conn.fetchval(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {reading(read, len(selection.where.args))}",
            *selection.where.args,
            *context_of(actor),
        )
    nodes, left = [], [orjson.loads(explained)[0]["Plan"]]
    while left:
        nodes.append(left.pop())
        left += nodes[-1].get("Plans", [])
    return nodes


async def test_the_first_page_is_a_walk_along_an_index(
    works: Works, database: str, test_keyring: object
) -> None:
    town = await a_town(works)
    await fill(works, database, town)

    for role, of, hierarchy, filter in (
        (Role.DEPARTMENT_CADRE, town.city, Hierarchy.TERRITORY, MemberFilter()),
        (Role.ZONE_CADRE, town.east, Hierarchy.TERRITORY, MemberFilter()),
        (Role.ZONE_CADRE, town.east, Hierarchy.TERRITORY, MemberFilter(union_id=town.c)),
        (
            Role.DEPARTMENT_CADRE,
            town.city,
            Hierarchy.TERRITORY,
            MemberFilter(within_territory=town.association),
        ),
        (Role.CHAIR, town.b, Hierarchy.TERRITORY, MemberFilter()),
        (Role.LINE_CADRE, town.metal, Hierarchy.LINE, MemberFilter()),
    ):
        nodes = await plan_of_first_page(await somebody(role, of, hierarchy), filter)
        scans = {node["Node Type"] for node in nodes if node.get("Relation Name") == "member"}
        touched = sum(
            node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            for node in nodes
            if node.get("Relation Name") == "member"
        )
        assert scans <= {"Index Scan", "Index Only Scan"}, (role, scans)
        assert "Sort" not in {node["Node Type"] for node in nodes}, role
        assert touched <= ROWS_READ_MAX, (role, touched)


async def test_pages_of_a_large_scope_meet_without_gap_or_repeat(
    works: Works, database: str, test_keyring: object
) -> None:
    town = await a_town(works)
    async with works.open(SYSTEM) as w:
        people = [a_person(union) for union in (town.a, town.b) for _ in range(120)]
        await enter_members(w, people, collected_by=new_id())
    cadre = await somebody(Role.ZONE_CADRE, town.east)
    seen: list[UUID] = []
    request = PageRequest(first=100)
    while True:
        page = await service.list_members(cadre, request)
        seen += [row["id"] for row in page.rows]
        if not page.has_next:
            break
        request = PageRequest(first=100, after=page.listing.cursor(page.rows[-1]))

    assert len(seen) == 240
    assert set(seen) == {person.id for person in people}


async def test_bulk_entry_seals_as_single_entry_does_and_is_all_or_none(
    works: Works, test_keyring: object
) -> None:
    town = await a_town(works)
    people = [a_person(town.a, number=n) for n in range(3)]

    async def enter(actor: Actor, *new: service.NewMember) -> None:
        async with works.open(actor) as w:
            await enter_members(w, list(new), collected_by=new_id())

    await enter(SYSTEM, *people)
    with pytest.raises(AlreadyMember):
        await enter(SYSTEM, a_person(town.b), a_person(town.b, number=1))
    with pytest.raises(NotFound):
        await enter(SYSTEM, a_person(town.b), a_person(new_id()))
    with pytest.raises(NotFound):
        await enter(await somebody(Role.FEDERATION_ADMIN, town.city), a_person(town.b))

    chair = await somebody(Role.CHAIR, town.a)
    identities = await service.identities_by_id(chair, [person.id for person in people])
    assert len(identities) == 3
    assert identities[people[0].id]["id_number"].endswith(people[0].id_number[-4:])
    rows = await fetch_as(SYSTEM, "SELECT from_on FROM member_membership")
    assert [row["from_on"] for row in rows] == [(THEN + timedelta(hours=8)).date()] * 3
