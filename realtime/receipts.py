"""Tells subscriptions what was written to their sockets, in small batches (自动回执).

Receipts come after delivery and never break it: what fails is logged by ids and left to the next
delivery or to the client's own mark.
"""

from __future__ import annotations

import asyncio
import logging
from itertools import islice

from domain.kernel.ports import Live
from domain.kernel.streams import LoggedEvent
from realtime.bounds import UNREPORTED_MAX
from realtime.timing import TimerHandle, Timers

logger = logging.getLogger(__name__)

WRITERS_MAX = 2
"""Receipt batches written at the same time."""


class Receipts:
    """Collects delivered events of all subscriptions and reports them shortly after."""

    def __init__(self, timers: Timers, delay_s: float) -> None:
        self._timers = timers
        self._delay_s = delay_s
        self._waiting: dict[int, tuple[Live, list[LoggedEvent]]] = {}
        self._timer: TimerHandle | None = None
        self._writer: asyncio.Task[None] | None = None

    def note(self, live: Live, event: LoggedEvent) -> None:
        """This event was written for this subscription."""
        _, events = self._waiting.setdefault(id(live), (live, []))
        if len(events) < UNREPORTED_MAX:
            events.append(event)
        if self._timer is None and self._writer is None:
            self._timer = self._timers.call_later(self._delay_s, self._start)

    async def flush(self) -> None:
        """Report all that was noted until now."""
        if self._timer is not None:
            self._timer.cancel()
            self._start()
        if self._writer is not None:
            await asyncio.wait([self._writer])

    def _start(self) -> None:
        self._timer = None
        self._writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._waiting:
                keys = list(islice(self._waiting, WRITERS_MAX))
                batch = [self._waiting.pop(key) for key in keys]
                await asyncio.gather(*(_report(live, events) for live, events in batch))
        finally:
            self._writer = None


async def _report(live: Live, events: list[LoggedEvent]) -> None:
    try:
        await live.delivered(events)
    except Exception as error:
        logger.warning(
            "receipts lost: %d events of %s: %s",
            len(events),
            ",".join(live.streams),
            type(error).__name__,
        )
