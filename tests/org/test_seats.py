"""Seats: dated, one chair a union, lost at once."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import pytest

from domain.access.roles import Role
from domain.kernel.actor import NOBODY, Actor
from domain.kernel.database import fetch
from domain.kernel.errors import NotFound
from domain.kernel.ids import new_id
from domain.kernel.work import Works
from domain.org.models import Post
from domain.org.rules import federation_day, is_in_force
from domain.org.service import SeatHeld, SeatOver, appoint, end_seat
from tests.support.announcing import RememberedAnnouncements
from tests.support.clock import FrozenClock
from tests.support.org import a_town, somebody

TODAY = date(2026, 11, 23)


async def seat(
    works: Works,
    actor: Actor,
    union: UUID,
    account: UUID,
    *,
    post: Post = Post.CHAIR,
    from_on: date = TODAY,
) -> UUID:
    async with works.open(actor) as w:
        return await appoint(w, union, account, post=post, from_on=from_on)


async def end(works: Works, actor: Actor, seat_id: UUID, to_on: date | None = None) -> None:
    async with works.open(actor) as w:
        await end_seat(w, seat_id, to_on=to_on)


async def test_a_chair_hands_over_and_both_are_told_in_their_streams(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    town = await a_town(works)
    cadre = await somebody(Role.ZONE_CADRE, town.east)
    old, new = new_id(), new_id()
    old_seat = await seat(works, cadre, town.a, old, from_on=date(2023, 1, 1))
    announcements.events.clear()

    async with works.open(cadre) as w:
        await end_seat(w, old_seat)
        await appoint(w, town.a, new, post=Post.CHAIR, from_on=TODAY)

    assert {(e.stream, e.kind, e.is_authority) for e in announcements.events} == {
        (f"me:{old}", "org.seat_ended", True),
        (f"ou:{town.a}", "org.seat_ended", True),
        (f"me:{new}", "org.seat_taken", True),
        (f"ou:{town.a}", "org.seat_taken", True),
    }
    rows = await fetch("SELECT account_id, from_on, to_on FROM org_seat")
    in_force = [r["account_id"] for r in rows if is_in_force(r["from_on"], r["to_on"], TODAY)]
    assert in_force == [new]


async def test_a_union_has_one_chair_and_nobody_holds_a_post_twice(works: Works) -> None:
    town = await a_town(works)
    cadre = await somebody(Role.ZONE_CADRE, town.east)
    account = new_id()
    await seat(works, cadre, town.a, account)
    await seat(works, cadre, town.a, account, post=Post.CADRE)
    await seat(works, cadre, town.b, account)

    for whom, post in ((new_id(), Post.CHAIR), (account, Post.CADRE)):
        with pytest.raises(SeatHeld):
            await seat(works, cadre, town.a, whom, post=post)

    assert len(await fetch("SELECT 1 FROM org_seat")) == 3


async def test_an_ended_seat_does_not_end_again_and_a_later_end_may_be_brought_forward(
    works: Works, clock: FrozenClock
) -> None:
    town = await a_town(works)
    cadre = await somebody(Role.ZONE_CADRE, town.east)
    seat_id = await seat(works, cadre, town.a, new_id())

    await end(works, cadre, seat_id, TODAY + timedelta(days=30))
    await end(works, cadre, seat_id)
    with pytest.raises(SeatOver):
        await end(works, cadre, seat_id)

    assert federation_day(clock.now()) == TODAY


async def test_a_seat_that_was_to_begin_later_never_begins(works: Works) -> None:
    town = await a_town(works)
    cadre = await somebody(Role.ZONE_CADRE, town.east)
    first = TODAY + timedelta(days=7)
    seat_id = await seat(works, cadre, town.a, new_id(), from_on=first)

    await end(works, cadre, seat_id)

    (row,) = await fetch("SELECT from_on, to_on FROM org_seat")
    assert not is_in_force(row["from_on"], row["to_on"], first)


async def test_who_may_not_write_at_the_union_gives_and_takes_no_seat(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    town = await a_town(works)
    seat_id = await seat(works, await somebody(Role.ZONE_CADRE, town.east), town.a, new_id())
    announcements.events.clear()
    strangers = [
        NOBODY,
        Actor(account_id=new_id()),
        await somebody(Role.CHAIR, town.a),
        await somebody(Role.ZONE_CADRE, town.west),
        await somebody(Role.LEADER, town.city),
    ]

    for actor in strangers:
        with pytest.raises(NotFound):
            await seat(works, actor, town.b, new_id())
        with pytest.raises(NotFound):
            await end(works, actor, seat_id)
        with pytest.raises(NotFound):
            await end(works, actor, new_id())

    (row,) = await fetch("SELECT to_on FROM org_seat")
    assert row["to_on"] is None
    assert announcements.events == []
