"""Collects what was written to sockets and has it taken down, many accounts at once (自动回执).

One a process. Receipts come after delivery and never break it: what the queue has no room for, or
what fails, is left to the client's own mark or to the next delivery.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from domain.kernel.ports import Clock, Deliveries, Delivery, Live
from domain.kernel.streams import LoggedEvent
from realtime.bounds import RECEIPTS_BATCH_MAX, RECEIPTS_WAITING_MAX
from realtime.metrics import LiveMetrics
from realtime.timing import TimerHandle, Timers

logger = logging.getLogger(__name__)

FLUSH_S_MAX = 2.0
"""For what waits when a process ends: a full queue takes about as long. A database that does not
answer must not use up the time that others have for an orderly end."""


class Receipts:
    """The queue of deliveries, written batch by batch by one task."""

    def __init__(
        self,
        deliveries: Deliveries,
        clock: Clock,
        timers: Timers,
        metrics: LiveMetrics,
        *,
        delay_s: float,
    ) -> None:
        self._deliveries = deliveries
        self._clock = clock
        self._timers = timers
        self._metrics = metrics
        self._delay_s = delay_s
        self._waiting: deque[Delivery] = deque()
        self._timer: TimerHandle | None = None
        self._writer: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def note(self, live: Live, event: LoggedEvent) -> None:
        """The event was written to the socket of whoever owes receipts for this subscription."""
        account_id = live.receipts_of
        if account_id is None:
            return
        if len(self._waiting) >= RECEIPTS_WAITING_MAX:
            self._metrics.receipts_lost += 1
            return
        self._waiting.append(Delivery(account_id, event, self._clock.now()))
        if self._timer is None and self._writer is None:
            self._timer = self._timers.call_later(self._delay_s, self._start)

    async def flush(self) -> None:
        """Have all taken down that was noted until now, as far as that ends within a bound."""
        if self._timer is not None:
            self._timer.cancel()
            self._start()
        if self._writer is not None:
            await asyncio.wait([self._writer], timeout=FLUSH_S_MAX)
        if self._writer is not None:
            logger.warning("receipts are left: the database does not answer")

    def _start(self) -> None:
        self._timer = None
        self._writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._waiting:
                size = min(len(self._waiting), RECEIPTS_BATCH_MAX)
                await self._write_batch([self._waiting.popleft() for _ in range(size)])
        finally:
            self._writer = None

    async def _write_batch(self, batch: list[Delivery]) -> None:
        try:
            await self._deliveries.record(batch)
        except Exception as error:
            self._metrics.receipts_lost += len(batch)
            logger.warning("%d receipts lost: %s", len(batch), type(error).__name__)
        else:
            self._metrics.receipts += len(batch)
