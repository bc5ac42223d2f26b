"""The board (回执汇总): counts told at most twice a second a notice.

A file of its own because nobody's request runs it: nudges do, and a sweep for nudges that were
lost. Dying anywhere loses nothing: what is counted was committed with the receipts, and the guard
is in the database, where two processes meet; any of them may count.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain.kernel.actor import SYSTEM
from domain.kernel.database import fetch
from domain.kernel.ids import parse_id
from domain.kernel.work import Work, Works
from domain.notices.facts import BoardChanged
from domain.notices.models import Step

FLUSH_GAP_MS = 500
"""Between two countings of one notice: at most two summary facts a second."""
TICK_S = 0.25
"""How often waiting notices are looked at: with the gap, counts lag at most 0.75 s."""
SWEEP_S = 10.0
"""How often boards are sought that no nudge announced (a process died, a set was full)."""
RECEIPT_WORK_S_MAX = 60
"""A receipt is committed within this of its ``at``: four times the statement timeout."""
PENDING_MAX = 10_000
"""Notices waiting in this process; more are left to the sweep."""
SWEEP_RECEIPTS_MAX = 5_000
"""Receipts of one page of a sweep, read from their index alone: some milliseconds."""

_RECEIPT_WORK_MAX = timedelta(seconds=RECEIPT_WORK_S_MAX)
_FLUSH_GAP = timedelta(milliseconds=FLUSH_GAP_MS)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_ID = UUID(int=0)
_COUNTS = ("delivered", "read", "confirmed", "confirmed_late")
_log = logging.getLogger(__name__)


async def flush_board(w: Work, notice_id: UUID) -> bool:
    """The board equals the receipts, and a change is told; False when it is too soon for that.

    For the program itself only. Locks the notice's board, not the notice and no receipt; costs what
    the number of unions costs, not that of receipts.
    """
    assert w.actor.is_system, "nobody asks for a flush"
    rows = await w.fetch("SELECT * FROM notice_board WHERE notice_id = $1 FOR UPDATE", notice_id)
    if not rows:
        return True
    # Of two processes the second waited for the lock, and ``flushed_at`` may lie after its ``now``.
    if w.now - rows[0]["flushed_at"] < _FLUSH_GAP:
        return False
    counts = await _count(w, notice_id)
    await w.execute(
        "UPDATE notice_board SET delivered = $2, read = $3, confirmed = $4, confirmed_late = $5,"
        " flushed_at = $6 WHERE notice_id = $1",
        notice_id,
        *(counts[name] for name in _COUNTS),
        w.now,
    )
    if any(rows[0][name] != counts[name] for name in _COUNTS):
        w.record(BoardChanged(notice_id, rows[0]["recipients"], **counts))
    return True


async def _count(w: Work, notice_id: UUID) -> dict[str, int]:
    rows = await w.fetch(
        "SELECT step, count(*) AS n FROM notice_reached WHERE notice_id = $1 GROUP BY step",
        notice_id,
    )
    reached = dict.fromkeys(Step, 0) | {Step(row["step"]): int(row["n"]) for row in rows}
    return {
        "delivered": reached[Step.DELIVERED],
        "read": reached[Step.READ],
        "confirmed": reached[Step.CONFIRMED],
        "confirmed_late": reached[Step.CONFIRMED] - reached[Step.IN_TIME],
    }


@dataclass(frozen=True, slots=True)
class Place:
    """Where among the receipts, in the order of their index, a sweep stands."""

    at: datetime
    notice_id: UUID = _FIRST_ID


async def find_stale_boards(after: Place) -> tuple[list[UUID], Place | None]:
    """Notices with a receipt that may have come after the last counting, of one page of receipts.

    A receipt that was being written during the counting shows only after it, under an earlier
    ``at``: so each board is counted once more when its last receipt is RECEIPT_WORK_S_MAX old. Also
    answers where the next page begins, None after the last one. Reads the index of receipts from
    there on, and the boards that it names.
    """
    rows = await fetch(_PAGE_SQL, after.at, after.notice_id, _RECEIPT_WORK_MAX, SWEEP_RECEIPTS_MAX)
    stale = [row["notice_id"] for row in rows if row["is_stale"]]
    if not rows or rows[-1]["n"] < SWEEP_RECEIPTS_MAX:
        return stale, None
    return stale, Place(rows[-1]["at"], rows[-1]["notice_id"])


_PAGE_SQL = """
WITH page AS (
    SELECT c.at, c.notice_id, row_number() OVER (ORDER BY c.at, c.notice_id) AS n
      FROM notice_receipt c WHERE (c.at, c.notice_id) > ($1::timestamptz, $2::uuid)
     ORDER BY c.at, c.notice_id LIMIT $4
), latest AS (
    SELECT notice_id, max(at) AS at, max(n) AS n FROM page GROUP BY notice_id
)
SELECT l.notice_id, l.at, l.n, coalesce(l.at > b.flushed_at - $3::interval, false) AS is_stale
  FROM latest l LEFT JOIN LATERAL (
      SELECT flushed_at FROM notice_board WHERE notice_id = l.notice_id OFFSET 0
  ) b ON true ORDER BY l.n
"""


async def find_swept_to() -> datetime:
    """How far an earlier sweep of any process came; the beginning of time before the first one."""
    rows = await fetch("SELECT swept_to FROM notice_sweep WHERE id = 1")
    return rows[0]["swept_to"] if rows else _BEGINNING


async def _remember_swept(w: Work, swept_to: datetime) -> None:
    await w.execute(
        "INSERT INTO notice_sweep AS s (id, swept_to) VALUES (1, $1)"
        " ON CONFLICT (id) DO UPDATE SET swept_to = greatest(s.swept_to, excluded.swept_to)",
        swept_to,
    )


class BoardFlusher:
    """Flushes the boards that were nudged, and those that a sweep finds. One a process."""

    def __init__(
        self, works: Works, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._works = works
        self._sleep = sleep
        self._pending: dict[UUID, None] = {}
        self._sweep_at: datetime = works.clock.now()
        self._swept_to: datetime | None = None

    def nudge(self, notice_id: str) -> None:
        """Remember to flush this notice's board: bounded, never blocks, never raises."""
        parsed = parse_id(notice_id)
        if parsed is not None and len(self._pending) < PENDING_MAX:
            self._pending[parsed] = None

    async def run(self) -> None:
        """Flush and sweep until cancelled. A failure of the database is outlived."""
        while True:
            await self._sleep(TICK_S)
            try:
                await self.tick()
            except Exception:
                # Nothing is lost: the sweep finds it again. Only a dead loop would be harm.
                _log.exception("flushing boards failed")

    async def tick(self) -> None:
        """Flush what waits; sweep if it is time."""
        if self._works.clock.now() >= self._sweep_at:
            self._sweep_at = self._works.clock.now() + timedelta(seconds=SWEEP_S)
            await self._sweep()
        for notice_id in list(self._pending):
            # Forgotten first: a nudge that arrives during the flush must not be.
            del self._pending[notice_id]
            if not await self._flush(notice_id):
                self.nudge(str(notice_id))

    async def _sweep(self) -> None:
        """Flush every stale board; what fails is found by the next sweep, from the same place.

        A board that was counted within the gap is passed over: what that counting did not see is
        younger than where the next sweep begins.
        """
        swept_to = self._works.clock.now() - _FLUSH_GAP
        begins = self._swept_to or await find_swept_to()
        place: Place | None = Place(begins - _RECEIPT_WORK_MAX)
        has_flushed = False
        while place is not None:
            found, place = await find_stale_boards(place)
            for notice_id in found:
                has_flushed |= await self._flush(notice_id)
        if has_flushed:  # else nobody has to know: it is as quick to find again
            async with self._works.open(SYSTEM) as w:
                await _remember_swept(w, swept_to)
        self._swept_to = swept_to

    async def _flush(self, notice_id: UUID) -> bool:
        async with self._works.open(SYSTEM) as w:
            return await flush_board(w, notice_id)
