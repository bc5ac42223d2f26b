"""Thousands of receipts in ten seconds: told rarely, soon and exactly, whoever tells them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

import asyncpg
import pytest

from domain.kernel.actor import SYSTEM
from domain.kernel.database import fetch
from domain.kernel.ids import new_id
from domain.kernel.ports import Delivery
from domain.kernel.streams import LoggedEvent
from domain.kernel.work import Works
from domain.migrations import sql_text
from domain.notices import board as boards
from domain.notices import queries
from domain.notices.board import BoardFlusher, flush_board
from domain.notices.deliveries import NoticeDeliveries
from domain.notices.receipts import confirm, mark_read
from domain.notices.rules import Audience
from domain.org.models import Post
from domain.org.rules import federation_day
from tests.support.announcing import RememberedAnnouncements
from tests.support.clock import FrozenClock
from tests.support.matrix import Matrix, Spot, a_cadre, a_matrix, an_officer
from tests.support.notices import publish

RECEIPTS_MIN = 20_000
"""In ten seconds of a clock that the test moves."""
OFFICERS = 7_200
"""Of each of the four unions, of which some come later than others."""


async def _seat(clock: FrozenClock, union: Spot) -> list[UUID]:
    accounts = [new_id() for _ in range(OFFICERS)]
    await fetch(
        "INSERT INTO org_seat (id, union_id, account_id, post, from_on)"
        " SELECT gen_random_uuid(), $1, account, $2, $3 FROM unnest($4::uuid[]) AS a(account)",
        union.id,
        Post.COMMITTEE_MEMBER.value,
        federation_day(clock.now()),
        accounts,
    )
    return accounts


async def _analyzed(owner_url: str) -> None:
    """What the database does by itself within a minute of so much that is new."""
    owner = await asyncpg.connect(owner_url)
    try:
        await owner.execute("ANALYZE org_seat")
    finally:
        await owner.close()


async def _published(works: Works, m: Matrix) -> tuple[UUID, LoggedEvent]:
    notice_id = await publish(works, a_cadre(m.city), m.city, Audience(zone_id=m.city.id))
    body = {"notice_id": str(notice_id), "version_no": 1}
    at = works.clock.now()
    return notice_id, LoggedEvent("ou:1", "e", 1, "notices.published", False, at, body)


def _summaries(announcements: RememberedAnnouncements) -> Sequence[LoggedEvent]:
    return [event for event in announcements.events if event.kind == "notices.board_changed"]


async def _counted_anew(owner_url: str) -> None:
    owner = await asyncpg.connect(owner_url)
    try:
        await owner.execute("DELETE FROM notice_reached")
        await owner.execute(sql_text("notices"))
    finally:
        await owner.close()


async def test_a_storm_is_told_twice_a_second_within_a_second_and_exactly(
    database: str, clock: FrozenClock, announcements: RememberedAnnouncements
) -> None:
    flushers: list[BoardFlusher] = []
    works = Works(clock, announcements, lambda _what, key: flushers[0].nudge(key))
    flushers.extend([BoardFlusher(works), BoardFlusher(works)])
    m = await a_matrix()
    notice_id, event = await _published(works, m)
    unions = (m.a, m.b, m.c, m.d)
    officers = [await _seat(clock, union) for union in unions]
    await _analyzed(database)
    began, first_at = clock.now(), {}
    ticks = round(10 / boards.TICK_S)
    for tick in range(ticks):
        clock.advance(seconds=boards.TICK_S)
        # Each tick some officers of each union; the unions come one after the other.
        batch = [
            Delivery(account, event, clock.now())
            for number, accounts in enumerate(officers)
            if tick >= 8 * number
            for account in accounts[tick :: ticks - 1]
        ]
        await NoticeDeliveries(works).record(batch)
        if tick % 8 == 0 and tick // 8 < len(unions):
            first_at[tick // 8 + 1] = clock.now()
        # Of two processes the one that was nudged, and the other one's sweep.
        await asyncio.gather(*(flusher.tick() for flusher in flushers))
    clock.advance(seconds=1)
    await asyncio.gather(*(flusher.tick() for flusher in flushers))

    told = _summaries(announcements)
    assert [each.body["delivered"] for each in told] == [1, 2, 3, 4]
    assert all(later.at - one.at >= timedelta(milliseconds=500) for one, later in pairwise(told))
    for each in told:
        reached_at: datetime = first_at[each.body["delivered"]]
        assert each.at - reached_at <= timedelta(seconds=1)
    assert clock.now() - began == timedelta(seconds=11)
    before = dict((await queries.board(a_cadre(m.city), notice_id)).total)
    assert before["delivered"] == 4
    (rows,) = await fetch("SELECT count(*) AS n FROM notice_receipt")
    assert rows["n"] >= RECEIPTS_MIN
    await _counted_anew(database)
    assert dict((await queries.board(a_cadre(m.city), notice_id)).total) == before


async def test_another_process_goes_on_when_the_one_that_counts_is_killed(
    database: str, clock: FrozenClock, announcements: RememberedAnnouncements
) -> None:
    quiet = Works(clock, announcements)
    m = await a_matrix()
    notice_id, _ = await _published(quiet, m)
    killed = asyncio.Event()

    async def die(_seconds: float) -> None:
        if killed.is_set():
            raise asyncio.CancelledError

    doomed, heir = BoardFlusher(quiet, die), BoardFlusher(quiet)
    for union in (m.a, m.b):
        async with quiet.open(an_officer(union)) as w:
            await confirm(w, notice_id, union.id, version_no=1)
        doomed.nudge(str(notice_id))
    killed.set()
    with pytest.raises(asyncio.CancelledError):
        await doomed.run()
    assert _summaries(announcements) == []

    clock.advance(seconds=boards.SWEEP_S)
    await heir.tick()
    assert [each.body["confirmed"] for each in _summaries(announcements)] == [2]
    async with quiet.open(an_officer(m.c)) as w:
        await confirm(w, notice_id, m.c.id, version_no=1)
    heir.nudge(str(notice_id))
    clock.advance(milliseconds=boards.FLUSH_GAP_MS)
    await heir.tick()
    assert [each.body["confirmed"] for each in _summaries(announcements)] == [2, 3]


async def test_a_flush_that_dies_before_its_commit_leaves_it_to_the_next(
    works: Works, clock: FrozenClock, announcements: RememberedAnnouncements
) -> None:
    m = await a_matrix()
    notice_id, _ = await _published(works, m)
    async with works.open(an_officer(m.a)) as w:
        await confirm(w, notice_id, m.a.id, version_no=1)
    clock.advance(seconds=1)

    async def die_before_the_commit() -> None:
        async with works.open(SYSTEM) as w:
            assert await flush_board(w, notice_id)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await die_before_the_commit()
    assert _summaries(announcements) == []
    async with works.open(SYSTEM) as w:
        assert await flush_board(w, notice_id)
    assert [each.body["confirmed"] for each in _summaries(announcements)] == [1]


async def test_two_officers_with_the_same_unions_never_wait_in_a_circle(works: Works) -> None:
    m = await a_matrix()
    notice_id, _ = await _published(works, m)
    unions = [m.a, m.b, m.c, m.d]

    async def read(turn: int) -> None:
        officer = an_officer(*(unions[turn % 4 :] + unions[: turn % 4]))
        async with works.open(officer) as w:
            await mark_read(w, notice_id, version_no=1)

    await asyncio.gather(*(read(turn) for turn in range(24)))
    figures = (await queries.board(a_cadre(m.city), notice_id)).total
    assert (figures["delivered"], figures["read"]) == (4, 4)
