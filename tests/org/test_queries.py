"""The directory is open to whoever is signed in; records, employers and figures to their scope."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import pytest

from domain.access.roles import Role
from domain.kernel.actor import NOBODY, SYSTEM, Actor, Hierarchy
from domain.kernel.errors import Forbidden, NotFound, Unauthenticated
from domain.kernel.ids import new_id
from domain.kernel.pages import PageRequest, Selection
from domain.kernel.work import Works
from domain.org import bulk, service
from domain.org.models import Level, Ownership
from domain.org.service import UnionFilter
from tests.support.org import Town, a_town, somebody

PLAIN = Actor(account_id=new_id())


async def names(actor: Actor, selection: Selection) -> list[str]:
    page = await selection.page(actor, PageRequest(first=100))
    assert len(page.rows) == await selection.count(actor)
    return [row["name"] for row in page.rows]


async def with_employers(works: Works, town: Town) -> dict[str, UUID]:
    """A German employer in the east, whose union is d in the west; a private one in the west."""
    german, private = (
        bulk.NewEmployer(
            name=name,
            uscc=uscc,
            ownership=ownership,
            investor_country=country,
            zone_id=zone,
            head_count=10,
            contracts_signed=9,
            counted_on=date(2026, 11, 1),
        )
        for name, uscc, ownership, country, zone in (
            ("德厂", "91110000600037341L", Ownership.FOREIGN, "de", town.east),
            ("私厂", "81320585MC0000012D", Ownership.PRIVATE, None, town.west),
        )
    )
    async with works.open(SYSTEM) as w:
        await bulk.enter_employers(w, [german, private])
        await bulk.enter_departments(
            w, [bulk.NewDepartment(name="组织部", functions="建会", rank=1)]
        )
        await w.execute("UPDATE org_union SET employer_id = $1 WHERE id = $2", german.id, town.a)
    return {"german": german.id, "private": private.id}


async def test_everybody_signed_in_reads_the_directory_in_the_order_of_the_tree(
    works: Works,
) -> None:
    town = await a_town(works)
    page = await service.list_unions(PLAIN, UnionFilter(), PageRequest(first=100))

    assert len(page.rows) == 10
    assert [row["territory_path"] for row in page.rows] == sorted(
        row["territory_path"] for row in page.rows
    )
    assert set(page.rows[0].keys()) == set(service.UNION_COLUMNS)
    assert (await service.get_union(PLAIN, town.d))["name"] == "丁厂工会"
    with pytest.raises(NotFound):
        await service.get_union(PLAIN, new_id())


async def test_nobody_reads_nothing(works: Works) -> None:
    town = await a_town(works)

    with pytest.raises(Unauthenticated):
        service.select_unions(NOBODY)
    with pytest.raises(Unauthenticated):
        service.select_children(NOBODY, town.city)
    with pytest.raises(Unauthenticated):
        service.select_employers(NOBODY)
    with pytest.raises(Unauthenticated):
        await service.get_union(NOBODY, town.a)
    with pytest.raises(Unauthenticated):
        await service.list_departments(NOBODY)
    assert await service.unions_by_id(NOBODY, [town.a]) == {}
    assert await service.departments_by_id(NOBODY, [town.a]) == {}


async def test_filters_follow_either_hierarchy(works: Works) -> None:
    town = await a_town(works)

    async def under(filter: UnionFilter) -> list[str]:
        return await names(PLAIN, service.select_unions(PLAIN, filter))

    assert await under(UnionFilter(within_line=town.metal)) == ["甲厂工会", "丁厂工会", "机械工会"]
    assert await under(UnionFilter(within_territory=town.west)) == ["西镇总工会", "丁厂工会"]
    assert await under(UnionFilter(level=Level.LINE)) == ["机械工会", "纺织工会"]
    assert await under(UnionFilter(within_line=new_id())) == []
    assert await names(PLAIN, service.select_children(PLAIN, town.metal)) == [
        "甲厂工会",
        "丁厂工会",
    ]


async def test_a_page_continues_where_the_last_one_ended(works: Works) -> None:
    await a_town(works)
    selection = service.select_unions(PLAIN)
    seen: list[str] = []
    after = None
    for _ in range(4):
        page = await selection.page(PLAIN, PageRequest(first=3, after=after))
        seen += [row["name"] for row in page.rows]
        after = selection.listing.cursor(page.rows[-1])

    assert seen == await names(PLAIN, selection)
    assert not page.has_next


async def test_the_record_is_read_inside_the_scope_only(works: Works) -> None:
    town = await a_town(works)
    inside = [
        await somebody(Role.CHAIR, town.a),
        await somebody(Role.ZONE_CADRE, town.east),
        await somebody(Role.LINE_CADRE, town.metal, Hierarchy.LINE),
        await somebody(Role.LEADER, town.city),
    ]
    outside = [
        NOBODY,
        PLAIN,
        await somebody(Role.CHAIR, town.b),
        await somebody(Role.ZONE_CADRE, town.west),
        await somebody(Role.LINE_CADRE, town.textile, Hierarchy.LINE),
        await somebody(Role.COUNSELLOR, town.city),
    ]

    for actor in inside:
        row = await service.get_union_record(actor, town.a)
        assert set(row.keys()) == set(service.UNION_RECORD_COLUMNS)
    for actor in outside:
        with pytest.raises(NotFound):
            await service.get_union_record(actor, town.a)


async def test_employers_are_seen_by_their_zone_or_by_their_union(works: Works) -> None:
    town = await a_town(works)
    ids = await with_employers(works, town)

    async def seen(role: Role, of: UUID, hierarchy: Hierarchy = Hierarchy.TERRITORY) -> set[str]:
        actor = await somebody(role, of, hierarchy)
        listed = await names(actor, service.select_employers(actor))
        found = await service.employers_by_id(actor, list(ids.values()))
        assert {row["name"] for row in found.values()} == set(listed)
        return set(listed)

    assert await seen(Role.LEADER, town.city) == {"德厂", "私厂"}
    assert await seen(Role.ZONE_CADRE, town.east) == {"德厂"}
    assert await seen(Role.ZONE_CADRE, town.west) == {"私厂"}
    assert await seen(Role.CHAIR, town.a) == {"德厂"}
    assert await seen(Role.LINE_CADRE, town.metal, Hierarchy.LINE) == {"德厂"}
    assert await seen(Role.CHAIR, town.b) == set()
    with pytest.raises(Forbidden):
        service.select_employers(PLAIN)
    assert await service.employers_by_id(PLAIN, list(ids.values())) == {}


async def test_unions_are_found_by_their_employers_country_inside_the_scope_only(
    works: Works,
) -> None:
    town = await a_town(works)
    await with_employers(works, town)
    german = UnionFilter(ownership=Ownership.FOREIGN, investor_country="DE")

    for role, of, expected in (
        (Role.LEADER, town.city, ["甲厂工会"]),
        (Role.ZONE_CADRE, town.west, []),
    ):
        actor = await somebody(role, of)
        assert await names(actor, service.select_unions(actor, german)) == expected
    with pytest.raises(Forbidden):
        service.select_unions(PLAIN, german)


async def test_departments_are_listed_by_rank(works: Works) -> None:
    await with_employers(works, await a_town(works))

    (row,) = await service.list_departments(PLAIN)

    assert row["name"] == "组织部"
    assert row["id"] in await service.departments_by_id(PLAIN, [row["id"]])


async def test_seats_are_listed_inside_the_scope_only(works: Works) -> None:
    town = await a_town(works)
    place = await service.get_place(town.a)
    chair = await somebody(Role.CHAIR, town.a)

    assert await service.select_seats(chair, place, town.a).count(chair) == 0
    with pytest.raises(NotFound):
        service.select_seats(PLAIN, place, town.a)
