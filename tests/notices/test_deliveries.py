"""Automatic receipts of many officers at once: whose, of what, and nobody else's."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import asyncpg
import pytest

from domain.kernel.actor import SYSTEM, Actor
from domain.kernel.database import fetch
from domain.kernel.ids import new_id
from domain.kernel.ports import Delivery
from domain.kernel.streams import LoggedEvent, read_events, stream_states
from domain.kernel.work import Works
from domain.notices import service
from domain.notices.deliveries import NoticeDeliveries, receive_pushed
from domain.notices.receipts import receive
from domain.notices.rules import Audience, Words
from domain.org.models import Post, Seat
from domain.org.rules import federation_day
from tests.support.announcing import RememberedAnnouncements
from tests.support.clock import FrozenClock
from tests.support.matrix import Matrix, Spot, a_cadre, a_matrix, an_officer
from tests.support.notices import publish
from tests.support.statements import counted_statements


async def seated(clock: FrozenClock, *unions: Spot, until: date | None = None) -> UUID:
    """An account with a seat in each of these unions since last month."""
    account = new_id()
    since = federation_day(clock.now()) - timedelta(days=30)
    for union in unions:
        await Seat.create(
            union_id=union.id,
            account_id=account,
            post=Post.COMMITTEE_MEMBER,
            from_on=since,
            to_on=until,
        )
    return account


async def pushed(of: Spot, nth: int = 0) -> LoggedEvent:
    """What lies in the union's stream."""
    stream = f"ou:{of.id}"
    return (await read_events((await stream_states([stream]))[stream], 0))[nth]


async def evidence() -> set[tuple[UUID, UUID, str, int]]:
    rows = await fetch("SELECT union_id, account_id, kind, version_no FROM notice_receipt")
    return {tuple(row) for row in rows}


async def to_the_east(works: Works, m: Matrix) -> UUID:
    return await publish(works, a_cadre(m.east), m.east, Audience(zone_id=m.east.id))


async def test_one_statement_takes_down_many_officers_unions_and_notices(
    works: Works, clock: FrozenClock
) -> None:
    m = await a_matrix()
    for _ in range(2):
        await to_the_east(works, m)
    of_a, of_both, of_b = [await seated(clock, *at) for at in ([m.a], [m.a, m.b, m.d], [m.b])]
    at = clock.now()
    batch = [
        *[Delivery(of_a, await pushed(m.a, nth), at) for nth in (0, 1)],
        Delivery(of_both, await pushed(m.a), at),
        Delivery(of_b, await pushed(m.b, 1), at + timedelta(seconds=1)),
    ]
    clock.advance(seconds=5)

    async with works.open(SYSTEM) as w, counted_statements() as sent:
        assert len(await receive_pushed(w, batch)) == 2

    # The driver may look up a type of argument, once a connection.
    assert len([sql for sql in sent if "notice_receipt" in sql]) == 1
    rows = await fetch("SELECT union_id, account_id, at FROM notice_receipt")
    late = at + timedelta(seconds=1)
    assert sorted(map(tuple, rows)) == sorted(
        [
            *[(m.a.id, of_a, at)] * 2,
            (m.a.id, of_both, at),
            (m.b.id, of_both, at),
            (m.b.id, of_b, late),
        ]
    )


async def test_the_first_delivery_stays_and_repeating_leaves_nothing(
    works: Works, clock: FrozenClock
) -> None:
    m = await a_matrix()
    await to_the_east(works, m)
    officer, event = await seated(clock, m.a), await pushed(m.a)
    deliveries = NoticeDeliveries(works)
    for seconds in (0, 7):
        at = clock.now() + timedelta(seconds=seconds)
        again = Delivery(officer, event, at + timedelta(seconds=1))
        await deliveries.record([Delivery(officer, event, at), again])

    (row,) = await fetch("SELECT at FROM notice_receipt")
    assert row["at"] == clock.now()
    async with works.open(an_officer(m.a, account_id=officer)) as w:
        assert await receive(w, [UUID(event.body["notice_id"])]) == frozenset()


async def test_who_held_no_seat_at_delivery_has_received_nothing(
    works: Works, clock: FrozenClock, announcements: RememberedAnnouncements
) -> None:
    m = await a_matrix()
    await to_the_east(works, m)
    today = federation_day(clock.now())
    former = await seated(clock, m.a, until=today)
    elsewhere, nobody = await seated(clock, m.d), new_id()
    leaving = await seated(clock, m.a, until=today + timedelta(days=1))
    event = await pushed(m.a)
    announcements.events.clear()

    await NoticeDeliveries(works).record(
        [Delivery(who, event, clock.now()) for who in (former, elsewhere, nobody, leaving)]
    )

    assert await evidence() == {(m.a.id, leaving, "delivered", 1)}
    assert announcements.events == []
    # The day of delivery counts, whatever day it is when the receipt is written.
    clock.advance(days=2)
    await NoticeDeliveries(works).record([Delivery(leaving, event, clock.now())])
    assert len(await evidence()) == 1


async def test_a_receipt_names_the_version_that_was_pushed(
    works: Works, clock: FrozenClock
) -> None:
    m = await a_matrix()
    cadre = a_cadre(m.east)
    notice_id = await publish(works, cadre, m.east, Audience(zone_id=m.east.id))
    async with works.open(cadre) as w:
        await service.correct(w, notice_id, Words("更正", "新文"), reason="笔误", based_on_no=1)
    async with works.open(cadre) as w:
        await service.withdraw(w, notice_id, reason="发错了")
    people = [await seated(clock, m.a) for _ in range(3)]
    await NoticeDeliveries(works).record(
        [Delivery(who, await pushed(m.a, nth), clock.now()) for nth, who in enumerate(people)]
    )

    versions = {account: version for _, account, _, version in await evidence()}
    assert [versions[who] for who in people] == [1, 2, 2]


async def test_what_is_no_notice_costs_no_unit_of_work(works: Works, clock: FrozenClock) -> None:
    event = LoggedEvent("ou:1", "e", 1, "org.seat_taken", True, clock.now(), {})
    opened: list[object] = []
    works.open = opened.append  # type: ignore[assignment,method-assign]  # a trap
    await NoticeDeliveries(works).record([Delivery(new_id(), event, clock.now())])
    assert opened == []


@pytest.mark.parametrize("kind", ["read", "confirmed"])
async def test_the_program_itself_can_neither_read_nor_confirm(works: Works, kind: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with works.open(SYSTEM) as w:
            await _insert(w.fetch, new_id(), kind)
    assert await evidence() == set()


async def test_nobody_gives_a_receipt_for_somebody_else(works: Works, clock: FrozenClock) -> None:
    m = await a_matrix()
    other = new_id()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with works.open(an_officer(m.a)) as w:
            await _insert(w.fetch, other, "delivered")
    with pytest.raises(AssertionError):
        async with works.open(Actor(account_id=other)) as w:
            await receive_pushed(w, [])
    assert await evidence() == set()


async def _insert(fetch: object, account_id: UUID, kind: str) -> None:
    assert callable(fetch)
    await fetch(
        "INSERT INTO notice_receipt (notice_id, version_no, union_id, account_id, kind, at,"
        " is_late) VALUES ($1, 1, $2, $3, $4, now(), false)",
        new_id(),
        new_id(),
        account_id,
        kind,
    )
