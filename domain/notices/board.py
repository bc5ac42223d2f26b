"""The board (回执汇总): counts told at most twice a second a notice.

A file of its own because nobody's request runs it: nudges do, and a sweep for nudges that were
lost. Dying anywhere loses nothing: what is counted was committed with the receipts, and the guard
is in the database, where two processes meet; any of them may count.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
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
STALE_BOARDS_MAX = 500
"""Boards of one sweep; the next sweep finds the rest."""

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
    if w.now - rows[0]["flushed_at"] < timedelta(milliseconds=FLUSH_GAP_MS):
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


async def find_stale_boards() -> list[UUID]:
    """Notices with a receipt that may have come after the last counting.

    A receipt that was being written during the counting shows only after it, under an earlier
    ``at``: so each board is counted once more when its last receipt is RECEIPT_WORK_S_MAX old.
    """
    rows = await fetch(
        "SELECT b.notice_id FROM notice_board b WHERE EXISTS (SELECT 1 FROM notice_receipt c"
        " WHERE c.notice_id = b.notice_id AND c.at > b.flushed_at - $1::interval) LIMIT $2",
        timedelta(seconds=RECEIPT_WORK_S_MAX),
        STALE_BOARDS_MAX,
    )
    return [row["notice_id"] for row in rows]


class BoardFlusher:
    """Flushes the boards that were nudged, and those that a sweep finds. One a process."""

    def __init__(
        self, works: Works, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._works = works
        self._sleep = sleep
        self._pending: dict[UUID, None] = {}
        self._sweep_at: datetime = works.clock.now()

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
            for notice_id in await find_stale_boards():
                self.nudge(str(notice_id))
        for notice_id in list(self._pending):
            # Forgotten first: a nudge that arrives during the flush must not be.
            del self._pending[notice_id]
            async with self._works.open(SYSTEM) as w:
                is_done = await flush_board(w, notice_id)
            if not is_done:
                self.nudge(str(notice_id))
