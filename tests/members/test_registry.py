"""Registering and reading members: sealed, masked, in scope, one membership a person."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from domain.access.roles import Role
from domain.kernel.actor import NOBODY, SYSTEM, Actor, Hierarchy
from domain.kernel.database import fetch_as
from domain.kernel.errors import Forbidden, NotFound, Unauthenticated
from domain.kernel.ids import new_id
from domain.kernel.pages import PageRequest
from domain.kernel.work import Works
from domain.members import service
from domain.members.service import AlreadyMember, MemberFilter
from domain.org.service import move_union
from tests.support.announcing import RememberedAnnouncements
from tests.support.members import a_person, register
from tests.support.org import Town, a_town, somebody

PAGE = PageRequest(first=100)
COUNTED = ("member", "member_membership", "vault_dek", "audit_entry", "event")


async def rows() -> dict[str, int]:
    counts = ", ".join(f"(SELECT count(*) FROM {table}) AS {table}" for table in COUNTED)
    return dict((await fetch_as(SYSTEM, f"SELECT {counts}"))[0])


async def listed(actor: Actor, filter: MemberFilter = service.ANY_MEMBER) -> set[UUID]:
    page = await service.list_members(actor, PAGE, filter)
    assert await service.count_members(actor, filter) == len(page.rows)
    return {row["id"] for row in page.rows}


async def one_in_each(works: Works, town: Town) -> dict[str, UUID]:
    admin = await somebody(Role.FEDERATION_ADMIN, town.city)
    return {name: await register(works, admin, a_person(getattr(town, name))) for name in "abcd"}


async def test_a_registered_member_is_listed_masked_and_stored_sealed(
    works: Works, test_keyring: object, announcements: RememberedAnnouncements
) -> None:
    town = await a_town(works)
    chair = await somebody(Role.CHAIR, town.a)
    new = a_person(town.a, name="欧阳小明", phone="１３８-1234-8000")
    announcements.events.clear()

    member_id = await register(works, chair, new)

    row = await service.get_member(chair, member_id)
    assert (row["name_mask"], row["state"], row["union_id"]) == ("欧**", "active", town.a)
    identity = (await service.identities_by_id(chair, [member_id]))[member_id]
    assert identity["id_number"] == f"{new.id_number[:6]}********{new.id_number[14:]}"
    assert identity["phone"] == "138****8000"
    (stored,) = await fetch_as(SYSTEM, "SELECT m::text AS m FROM member m")
    for secret in ("小明", new.id_number, "13812348000"):
        assert secret not in stored["m"]
        assert secret.encode().hex() not in stored["m"]
    assert [(e.stream, e.body) for e in announcements.events] == [
        (f"ou:{town.a}", {"member_id": str(member_id), "union_id": str(town.a)})
    ]


async def test_a_collector_enters_without_being_able_to_read(
    works: Works, test_keyring: object
) -> None:
    town = await a_town(works)
    collector = await somebody(Role.COLLECTOR, town.east)

    member_id = await register(works, collector, a_person(town.a))

    with pytest.raises(NotFound):
        await service.get_member(collector, member_id)
    with pytest.raises(Forbidden):
        await service.list_members(collector, PAGE)
    assert await listed(await somebody(Role.CHAIR, town.a)) == {member_id}


async def test_each_sees_the_members_of_the_own_scope_only(
    works: Works, test_keyring: object
) -> None:
    town = await a_town(works)
    ids = await one_in_each(works, town)

    for role, of, hierarchy, expected in (
        (Role.DEPARTMENT_CADRE, town.city, Hierarchy.TERRITORY, "abcd"),
        (Role.DEPARTMENT_CADRE, town.city, Hierarchy.LINE, "ad"),
        (Role.ZONE_CADRE, town.east, Hierarchy.TERRITORY, "abc"),
        (Role.ZONE_CADRE, town.west, Hierarchy.TERRITORY, "d"),
        (Role.LINE_CADRE, town.metal, Hierarchy.LINE, "ad"),
        (Role.LINE_CADRE, town.textile, Hierarchy.LINE, ""),
        (Role.CHAIR, town.b, Hierarchy.TERRITORY, "b"),
    ):
        actor = await somebody(role, of, hierarchy)
        expected_ids = {ids[name] for name in expected}
        assert await listed(actor) == expected_ids, (role, of)
        assert set(await service.members_by_id(actor, list(ids.values()))) == expected_ids
        assert set(await service.identities_by_id(actor, list(ids.values()))) == expected_ids


async def test_strangers_learn_nothing_of_a_member(works: Works, test_keyring: object) -> None:
    town = await a_town(works)
    ids = await one_in_each(works, town)
    strangers = [
        Actor(account_id=new_id()),
        await somebody(Role.CHAIR, town.b),
        await somebody(Role.COUNSELLOR, town.city),
        await somebody(Role.LEADER, town.city),
    ]

    for actor in strangers:
        for member_id in (ids["a"], new_id()):
            with pytest.raises(NotFound) as refusal:
                await service.get_member(actor, member_id)
            assert refusal.value.code == "not_found"
        assert await service.identities_by_id(actor, [ids["a"]]) == {}
        assert await service.select_memberships(actor, ids["a"]).count(actor) == 0
    with pytest.raises(Unauthenticated):
        await service.get_member(NOBODY, ids["a"])
    with pytest.raises(Unauthenticated):
        await service.list_members(NOBODY, PAGE)
    with pytest.raises(Unauthenticated):
        service.select_memberships(NOBODY, ids["a"])


async def test_a_member_sees_the_own_record_and_memberships(
    works: Works, test_keyring: object
) -> None:
    ids = await one_in_each(works, await a_town(works))
    member = Actor(account_id=new_id(), member_id=ids["a"])

    assert (await service.get_member(member, ids["a"]))["id"] == ids["a"]
    assert ids["a"] in await service.identities_by_id(member, [ids["a"]])
    page = await service.select_memberships(member, ids["a"]).page(member, PAGE)
    assert [row["state"] for row in page.rows] == ["active"]
    with pytest.raises(NotFound):
        await service.get_member(member, ids["b"])
    with pytest.raises(Forbidden):
        await service.list_members(member, PAGE)


async def test_filters_narrow_the_scope_and_never_widen_it(
    works: Works, test_keyring: object
) -> None:
    town = await a_town(works)
    ids = await one_in_each(works, town)
    cadre = await somebody(Role.ZONE_CADRE, town.east)

    assert await listed(cadre, MemberFilter(union_id=town.a)) == {ids["a"]}
    assert await listed(cadre, MemberFilter(within_territory=town.association)) == {
        ids["a"],
        ids["b"],
    }
    assert await listed(cadre, MemberFilter(within_line=town.metal)) == {ids["a"]}
    assert await listed(cadre, MemberFilter(union_id=town.d)) == set()
    assert await listed(cadre, MemberFilter(union_id=new_id())) == set()
    liner = await somebody(Role.LINE_CADRE, town.metal, Hierarchy.LINE)
    assert await listed(liner, MemberFilter(union_id=town.d)) == {ids["d"]}


async def test_who_may_not_collect_here_registers_nobody_and_learns_nothing(
    works: Works, test_keyring: object
) -> None:
    town = await a_town(works)
    known = a_person(town.a, number=1)
    await register(works, await somebody(Role.CHAIR, town.a), known)
    before = await rows()
    strangers = [
        NOBODY,
        Actor(account_id=new_id()),
        await somebody(Role.CHAIR, town.b),
        await somebody(Role.COLLECTOR, town.west),
        await somebody(Role.UNION_ASSISTANT, town.a),
        await somebody(Role.LINE_CADRE, town.metal, Hierarchy.LINE),
    ]

    for actor in strangers:
        for new in (a_person(town.a, number=1), a_person(town.a), a_person(new_id())):
            with pytest.raises(NotFound) as refusal:
                await register(works, actor, new)
            assert refusal.value.code == "not_found"

    assert await rows() == before


async def test_a_person_has_one_active_membership_in_the_city(
    works: Works, test_keyring: object
) -> None:
    town = await a_town(works)
    await register(works, await somebody(Role.CHAIR, town.a), a_person(town.a, number=1))
    before = await rows()
    west = await somebody(Role.COLLECTOR, town.west)

    for union in (town.d, town.west):
        with pytest.raises(AlreadyMember) as refusal:
            await register(works, west, a_person(union, number=1))
        assert refusal.value.params == {}

    assert await rows() == before


async def test_of_twenty_who_enter_one_person_at_once_one_succeeds(
    works: Works, test_keyring: object
) -> None:
    town = await a_town(works)
    admin = await somebody(Role.FEDERATION_ADMIN, town.city)

    results = await asyncio.gather(
        *(
            register(works, admin, a_person(getattr(town, "abcd"[n % 4]), number=1))
            for n in range(20)
        ),
        return_exceptions=True,
    )

    refused = [result for result in results if isinstance(result, AlreadyMember)]
    assert len(refused) == 19
    assert (await rows())["member"] == 1


async def test_members_follow_their_union_within_its_move(
    works: Works, test_keyring: object
) -> None:
    town = await a_town(works)
    ids = await one_in_each(works, town)
    east, west = [await somebody(Role.ZONE_CADRE, zone) for zone in (town.east, town.west)]

    async with works.open(await somebody(Role.FEDERATION_ADMIN, town.city)) as w:
        await move_union(w, town.association, territory_parent_id=town.west, line_parent_id=None)

    assert await listed(east) == {ids["c"]}
    assert await listed(west) == {ids["a"], ids["b"], ids["d"]}


async def test_a_member_registered_during_a_move_is_where_its_union_is(
    works: Works, test_keyring: object
) -> None:
    town = await a_town(works)
    admin = await somebody(Role.FEDERATION_ADMIN, town.city)

    async def move() -> None:
        async with works.open(admin) as w:
            await move_union(w, town.a, territory_parent_id=town.west, line_parent_id=town.metal)

    await asyncio.gather(
        *(register(works, admin, a_person(town.a)) for _ in range(4)),
        move(),
        *(register(works, admin, a_person(town.a)) for _ in range(4)),
    )

    strays = await fetch_as(
        SYSTEM,
        "SELECT 1 FROM member m JOIN org_union u ON u.id = m.union_id"
        " WHERE (m.territory_path, m.line_path) IS DISTINCT FROM (u.territory_path, u.line_path)",
    )
    assert not strays
    assert len(await listed(await somebody(Role.ZONE_CADRE, town.west))) == 8
