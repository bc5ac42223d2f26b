"""The board follows the receipts exactly, tells it rarely, and survives whatever is lost."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from domain.kernel.actor import SYSTEM
from domain.kernel.database import fetch
from domain.kernel.ids import new_id
from domain.kernel.work import Works
from domain.notices import board as boards
from domain.notices.board import BoardFlusher, Place, find_stale_boards, flush_board
from domain.notices.receipts import confirm, receive
from domain.notices.rules import Audience
from tests.support.announcing import RememberedAnnouncements
from tests.support.clock import FrozenClock
from tests.support.matrix import Matrix, a_cadre, a_matrix, an_officer
from tests.support.notices import publish, rows_of_notices


async def to_the_east(works: Works, m: Matrix) -> UUID:
    return await publish(works, a_cadre(m.east), m.east, Audience(zone_id=m.east.id))


async def confirm_for_a(works: Works, m: Matrix, notice_id: UUID) -> None:
    async with works.open(an_officer(m.a)) as w:
        await confirm(w, notice_id, m.a.id, version_no=1)


async def flush(works: Works, notice_id: UUID) -> bool:
    async with works.open(SYSTEM) as w:
        return await flush_board(w, notice_id)


async def stale_boards() -> list[UUID]:
    found, place = [], Place(datetime(1970, 1, 1, tzinfo=UTC))
    while place is not None:
        page, place = await find_stale_boards(place)
        found += page
    return found


def board_facts(announcements: RememberedAnnouncements) -> list[dict[str, object]]:
    return [
        dict(event.body) for event in announcements.events if event.kind == "notices.board_changed"
    ]


async def test_a_flush_writes_the_counts_and_tells_them_once(
    works: Works, clock: FrozenClock, announcements: RememberedAnnouncements
) -> None:
    m = await a_matrix()
    notice_id = await to_the_east(works, m)
    await confirm_for_a(works, m, notice_id)
    for _ in range(3):
        clock.advance(seconds=1)
        assert await flush(works, notice_id)

    assert board_facts(announcements) == [
        {
            "notice_id": str(notice_id),
            "recipients": 3,
            "delivered": 1,
            "read": 1,
            "confirmed": 1,
            "confirmed_late": 0,
        }
    ]
    assert announcements.events[-1].stream == f"nt:{notice_id}"
    row = (await fetch("SELECT * FROM notice_board WHERE notice_id = $1", notice_id))[0]
    assert (row["delivered"], row["read"], row["confirmed"]) == (1, 1, 1)
    assert row["flushed_at"] == clock.now()


async def test_at_most_two_facts_a_second_whoever_flushes(
    works: Works, clock: FrozenClock, announcements: RememberedAnnouncements
) -> None:
    m = await a_matrix()
    notice_id = await to_the_east(works, m)
    clock.advance(seconds=1)
    done = 0
    for _ in range(20):
        for union in (m.a, m.b, m.c):
            async with works.open(an_officer(union)) as w:
                await receive(w, [notice_id])
                await confirm(w, notice_id, union.id, version_no=1)
        done += sum(await asyncio.gather(*(flush(works, notice_id) for _ in range(4))))
        clock.advance(milliseconds=100)
    # Two seconds: at 0.0, 0.5, 1.0 and 1.5, once each whatever the number of processes.
    assert done == 4
    assert len(board_facts(announcements)) == 1


async def test_exactly_the_gap_later_is_late_enough_and_one_below_is_too_soon(
    works: Works, clock: FrozenClock
) -> None:
    m = await a_matrix()
    notice_id = await to_the_east(works, m)
    clock.advance(milliseconds=boards.FLUSH_GAP_MS - 1)
    assert not await flush(works, notice_id)
    clock.advance(milliseconds=1)
    assert await flush(works, notice_id)


async def test_an_unknown_notice_has_no_board_to_flush(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    assert await flush(works, new_id())
    assert announcements.events == []


async def test_nobody_but_the_program_flushes(works: Works) -> None:
    m = await a_matrix()
    notice_id = await to_the_east(works, m)
    with pytest.raises(AssertionError):
        async with works.open(a_cadre(m.city)) as w:
            await flush_board(w, notice_id)


async def test_a_board_is_stale_until_it_was_counted_well_after_its_last_receipt(
    works: Works, clock: FrozenClock
) -> None:
    m = await a_matrix()
    notice_id = await to_the_east(works, m)
    assert await stale_boards() == []
    clock.advance(hours=5)
    await confirm_for_a(works, m, notice_id)
    clock.advance(hours=5)
    assert await stale_boards() == [notice_id]
    await flush(works, notice_id)
    assert await stale_boards() == []

    # A receipt of this very moment may have commit neighbours that the counting didn't see.
    async with works.open(an_officer(m.b)) as w:
        await receive(w, [notice_id])
    clock.advance(seconds=boards.RECEIPT_WORK_S_MAX - 1)
    await flush(works, notice_id)
    assert await stale_boards() == [notice_id]
    clock.advance(seconds=1)
    await flush(works, notice_id)
    assert await stale_boards() == []


async def test_a_sweep_reads_page_after_page_and_later_ones_only_what_came_since(
    works: Works, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boards, "SWEEP_RECEIPTS_MAX", 2)
    m = await a_matrix()
    notices = [await to_the_east(works, m) for _ in range(3)]
    for notice_id in notices:
        for union in (m.a, m.b):
            clock.advance(seconds=1)
            async with works.open(an_officer(union)) as w:
                await receive(w, [notice_id])
    assert await stale_boards() == notices
    assert await find_stale_boards(Place(clock.now() - timedelta(seconds=1))) == (
        [notices[2]],
        Place(clock.now(), notices[2]),
    )

    clock.advance(hours=1)
    await BoardFlusher(works).tick()
    assert [row["delivered"] for row in await fetch("SELECT delivered FROM notice_board")] == [
        2
    ] * 3

    # Another process, later: what was swept is not looked at again, whatever its board says.
    clock.advance(hours=1)
    await confirm_for_a(works, m, notices[0])
    async with works.open(SYSTEM) as w:
        await w.execute(
            "UPDATE notice_board SET delivered = 0, flushed_at = published_at"
            "  FROM notice WHERE id = notice_id AND id = $1",
            notices[1],
        )
    await BoardFlusher(works).tick()
    rows = await fetch("SELECT delivered, confirmed FROM notice_board ORDER BY notice_id")
    assert [tuple(row) for row in rows] == [(2, 1), (0, 0), (2, 0)]


async def test_a_sweep_that_fails_is_done_again_from_the_same_place(
    works: Works, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    m = await a_matrix()
    notice_id = await to_the_east(works, m)
    await confirm_for_a(works, m, notice_id)
    clock.advance(hours=1)
    flusher = BoardFlusher(works)
    with monkeypatch.context() as broken:
        broken.setattr(boards, "_count", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await flusher.tick()
    assert await fetch("SELECT * FROM notice_sweep") == []
    clock.advance(seconds=boards.SWEEP_S)
    await flusher.tick()
    assert await stale_boards() == []


class Ticks:
    """Sleeps that return at once, until ``left`` of them are used up."""

    def __init__(self, clock: FrozenClock, left: int) -> None:
        self.clock, self.left = clock, left

    async def sleep(self, seconds: float) -> None:
        if self.left == 0:
            raise asyncio.CancelledError
        self.left -= 1
        self.clock.advance(seconds=seconds)


async def run(works: Works, clock: FrozenClock, flusher: BoardFlusher, ticks: Ticks) -> None:
    with pytest.raises(asyncio.CancelledError):
        await flusher.run()


async def test_nudges_are_flushed_within_a_second_and_a_lost_one_is_found_by_the_sweep(
    database: str, clock: FrozenClock, announcements: RememberedAnnouncements
) -> None:
    lost: list[str] = []
    works = Works(clock, announcements, lambda what, key: lost.append(key))
    m = await a_matrix()
    notice_id = await to_the_east(works, m)
    ticks = Ticks(clock, 4)
    flusher = BoardFlusher(works, ticks.sleep)
    await confirm_for_a(works, m, notice_id)
    flusher.nudge(lost[0])
    await run(works, clock, flusher, ticks)
    assert [fact["confirmed"] for fact in board_facts(announcements)] == [1]

    # This nudge died with its process; nothing but the sweep of another one is left.
    async with works.open(an_officer(m.b)) as w:
        await confirm(w, notice_id, m.b.id, version_no=1)
    ticks = Ticks(clock, int(boards.SWEEP_S / boards.TICK_S) + 1)
    await run(works, clock, BoardFlusher(works, ticks.sleep), ticks)
    assert [fact["confirmed"] for fact in board_facts(announcements)] == [1, 2]


async def test_a_flush_that_was_too_soon_is_tried_again(
    works: Works, clock: FrozenClock, announcements: RememberedAnnouncements
) -> None:
    m = await a_matrix()
    notice_id = await to_the_east(works, m)
    ticks = Ticks(clock, 3)
    flusher = BoardFlusher(works, ticks.sleep)
    await confirm_for_a(works, m, notice_id)
    flusher.nudge(str(notice_id))
    await flusher.tick()
    assert board_facts(announcements) == []
    await run(works, clock, flusher, ticks)
    assert len(board_facts(announcements)) == 1


async def test_the_waiting_set_is_bounded_and_takes_no_rubbish(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boards, "PENDING_MAX", 2)
    flusher = BoardFlusher(works)
    for key in ("rubbish", str(new_id()), str(new_id()), str(new_id())):
        flusher.nudge(key)
    assert len(flusher._pending) == 2
    await flusher.tick()
    assert len(flusher._pending) == 0
    assert (await rows_of_notices())["event"] == 0
