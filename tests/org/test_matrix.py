"""Founding and moving keep both paths right, whoever else moves at the same time."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from domain.access.roles import Role
from domain.kernel.actor import NOBODY, SYSTEM, Actor, Hierarchy
from domain.kernel.database import fetch
from domain.kernel.errors import DomainError, NotFound
from domain.kernel.ids import new_id
from domain.kernel.work import Works
from domain.org import bulk, service
from domain.org.matrix import LineBelow, NewUnion
from domain.org.models import Level
from domain.org.rules import BadParent, MatrixCycle
from domain.org.service import found_union, move_union
from tests.support.announcing import RememberedAnnouncements
from tests.support.org import Town, a_town, somebody


async def admin(town: Town) -> Actor:
    return await somebody(Role.FEDERATION_ADMIN, town.city)


async def move(works: Works, actor: Actor, union: UUID, to: UUID, line: UUID | None = None) -> None:
    async with works.open(actor) as w:
        await move_union(w, union, territory_parent_id=to, line_parent_id=line)


async def assert_paths_follow_parents() -> None:
    """Each path is its parent's and an own segment, the same in both hierarchies."""
    rows = {row["id"]: row for row in await fetch("SELECT * FROM org_union")}
    for row in rows.values():
        own = row["territory_path"].rsplit("/", 2)[1]
        for kind in ("territory", "line"):
            parent = rows.get(row[f"{kind}_parent_id"])
            if parent is not None:
                assert row[f"{kind}_path"] == f"{parent[f'{kind}_path']}{own}/"


async def test_a_founded_union_stands_under_both_its_parents(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    town = await a_town(works)

    async with works.open(await admin(town)) as w:
        made = await found_union(
            w, NewUnion(name=" 戊厂工会 ", territory_parent_id=town.west, line_parent_id=town.metal)
        )

    row = await service.get_union(await somebody(Role.CHAIR, made), made)
    assert row["name"] == "戊厂工会"
    await assert_paths_follow_parents()
    assert announcements.kinds == ["org.union_founded"] * 2


async def test_moving_carries_the_whole_subtree_and_tells_each_union_in_it(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    town = await a_town(works)
    before = await service.places_of([town.a])

    await move(works, await admin(town), town.association, town.west)

    after = await service.places_of([town.a, town.b, town.west])
    assert after[town.a].territory_path.startswith(after[town.west].territory_path)
    assert after[town.a].line_path == before[town.a].line_path
    await assert_paths_follow_parents()
    assert {(e.stream, e.is_authority) for e in announcements.events} == {
        (f"ou:{union}", True) for union in (town.association, town.a, town.b)
    }


async def test_a_union_joins_and_leaves_a_line(works: Works) -> None:
    town = await a_town(works)
    actor = await admin(town)

    await move(works, actor, town.c, town.east, town.textile)
    await assert_paths_follow_parents()
    await move(works, actor, town.a, town.association, town.textile)
    await assert_paths_follow_parents()
    await move(works, actor, town.c, town.east, None)

    places = await service.places_of([town.a, town.c, town.textile])
    assert places[town.c].line_path is None
    assert (places[town.a].line_path or "").startswith(places[town.textile].line_path or "-")


async def test_a_union_with_others_below_it_in_its_line_does_not_leave_it(works: Works) -> None:
    town = await a_town(works)
    actor = await admin(town)
    await move(works, actor, town.association, town.east, town.metal)
    await move(works, actor, town.b, town.association, town.association)

    with pytest.raises(LineBelow):
        await move(works, actor, town.association, town.east, None)

    await assert_paths_follow_parents()


@pytest.mark.parametrize("below", ["association", "a"])
async def test_a_union_cannot_stand_below_itself(works: Works, below: str) -> None:
    town = await a_town(works)

    with pytest.raises(MatrixCycle):
        await move(works, await admin(town), town.association, getattr(town, below))

    await assert_paths_follow_parents()


async def test_two_moves_at_once_cannot_make_a_cycle(works: Works) -> None:
    town = await a_town(works)
    actor = await admin(town)
    async with works.open(SYSTEM) as w:
        other = NewUnion(name="西园工会联合会", territory_parent_id=town.west)
        await bulk.found_unions(w, [other])

    results = await asyncio.gather(
        move(works, actor, town.association, other.id),
        move(works, actor, other.id, town.association),
        return_exceptions=True,
    )

    assert sorted(type(result).__name__ for result in results) == ["MatrixCycle", "NoneType"]
    await assert_paths_follow_parents()


async def test_a_union_founded_during_a_move_gets_the_paths_of_after(works: Works) -> None:
    town = await a_town(works)
    actor = await admin(town)

    async def found(number: int) -> None:
        async with works.open(actor) as w:
            await found_union(w, NewUnion(name=f"新{number}", territory_parent_id=town.association))

    await asyncio.gather(
        *(found(number) for number in range(4)),
        move(works, actor, town.association, town.west),
        *(found(number) for number in range(4, 8)),
    )

    await assert_paths_follow_parents()


async def test_who_may_not_write_at_every_place_concerned_moves_nothing(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    town = await a_town(works)
    before = await fetch("SELECT * FROM org_union ORDER BY id")
    refused = [
        (NOBODY, town.c, town.west, None),
        (await somebody(Role.CHAIR, town.c), town.c, town.west, None),
        (await somebody(Role.ZONE_CADRE, town.west), town.c, town.west, None),
        (await somebody(Role.ZONE_CADRE, town.east), town.c, town.west, None),
        (await somebody(Role.ZONE_CADRE, town.east), town.c, town.east, town.textile),
        (await somebody(Role.LINE_CADRE, town.metal, Hierarchy.LINE), town.a, town.east, None),
        (await admin(town), new_id(), town.west, None),
        (await admin(town), town.c, new_id(), None),
        (await admin(town), town.c, town.east, new_id()),
    ]

    for actor, union, to, line in refused:
        with pytest.raises(NotFound):
            await move(works, actor, union, to, line)

    assert await fetch("SELECT * FROM org_union ORDER BY id") == before
    assert announcements.events == []


async def test_a_zone_cadre_founds_in_the_own_zone_only(works: Works) -> None:
    town = await a_town(works)
    cadre = await somebody(Role.ZONE_CADRE, town.east)

    async def found(**place: UUID) -> None:
        async with works.open(cadre) as w:
            await found_union(w, NewUnion(name="己厂工会", **place))  # type: ignore[arg-type]  # ids only

    await found(territory_parent_id=town.association)
    with pytest.raises(NotFound):
        await found(territory_parent_id=town.west)
    with pytest.raises(NotFound):
        await found(territory_parent_id=town.east, line_parent_id=town.metal)
    assert len(await fetch("SELECT 1 FROM org_union WHERE name = '己厂工会'")) == 1


async def test_a_line_stands_under_no_zone_and_a_grassroots_union_under_no_line_alone(
    works: Works,
) -> None:
    town = await a_town(works)
    actor = await admin(town)
    refused = [
        NewUnion(name="x", level=Level.LINE, territory_parent_id=town.east),
        NewUnion(name="x", territory_parent_id=town.metal),
        NewUnion(name="x", territory_parent_id=town.east, line_parent_id=town.b),
    ]

    for new in refused:
        with pytest.raises(BadParent):
            async with works.open(actor) as w:
                await found_union(w, new)


async def test_credit_codes_are_unique_and_employers_must_be_known(works: Works) -> None:
    town = await a_town(works)
    actor = await admin(town)
    codes = []
    for further in (
        {"uscc": "81320585MC0000012D"},
        {"uscc": "８１320585mc0000012d"},
        {"employer_id": new_id()},
    ):
        try:
            async with works.open(actor) as w:
                new = NewUnion(name="庚厂工会", territory_parent_id=town.east, **further)  # type: ignore[arg-type]  # a value each
                await found_union(w, new)
        except DomainError as refusal:
            codes.append(refusal.code)

    assert codes == ["org.credit_code_taken", "not_found"]


async def test_only_the_program_itself_enters_whole_registers(works: Works) -> None:
    town = await a_town(works)
    actor = await admin(town)
    new = NewUnion(name="x", territory_parent_id=town.east)

    for enter in (
        bulk.found_unions,
        bulk.enter_employers,
        bulk.enter_departments,
        bulk.enter_seats,
    ):
        with pytest.raises(NotFound):
            async with works.open(actor) as w:
                await enter(w, [new])  # type: ignore[arg-type,operator]  # refused before it looks
