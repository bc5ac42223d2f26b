"""Every tail of this node: opened in batches, hinted at by the bus, swept so no hint is needed.

A sweep looks at the counters of all due tails: every few seconds while the bus is well, more often
for ``me:`` streams (a revocation must not wait) and for all when the bus is ill.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from datetime import datetime

from domain.kernel.ports import Clock
from domain.kernel.streams import LoggedEvent, StreamState
from realtime.bounds import STATES_PAGE_MAX, LiveSettings
from realtime.bus import BusMessage, Hint, Whisper
from realtime.metrics import LiveMetrics
from realtime.tail import Follower, Log, Tail
from realtime.timing import TimerHandle, Timers

logger = logging.getLogger(__name__)

SWEEP_TICK_S = 0.5
"""Between two looks at which tails are due."""
URGENT_PREFIX = "me:"
"""Streams that carry the ends of sessions and grants."""
JITTER = 0.2
"""Share of the interval by which sweeps are spread, always to the early side."""


class Tails:
    """The streams that this node follows."""

    def __init__(
        self,
        log: Log,
        clock: Clock,
        timers: Timers,
        settings: LiveSettings,
        metrics: LiveMetrics,
    ) -> None:
        self.log = log
        self.metrics = metrics
        self._clock = clock
        self._timers = timers
        self._settings = settings
        self._tails: dict[str, Tail] = {}
        self._opening: dict[str, asyncio.Future[StreamState]] = {}
        self._opener: asyncio.Task[None] | None = None
        self._sweeping: asyncio.Task[None] | None = None
        self._tick: TimerHandle | None = None
        self._is_bus_healthy = True

    def __len__(self) -> int:
        return len(self._tails)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is under way (for tests and for stopping)."""
        busy = self._opener is not None or self._sweeping is not None
        return not busy and all(tail.is_quiet for tail in self._tails.values())

    def start(self) -> None:
        """Begin to sweep."""
        self._tick = self._timers.call_later(SWEEP_TICK_S, self._on_tick)

    async def stop(self) -> None:
        """Stop sweeping and every task under way."""
        if self._tick is not None:
            self._tick.cancel()
        tasks = [task for task in (self._opener, self._sweeping) if task is not None]
        for task in tasks:
            task.cancel()
        for tail in self._tails.values():
            tail.close()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Following

    async def follow(self, streams: Sequence[str], follower: Follower) -> list[Tail]:
        """Let ``follower`` hear these streams, opening their tails first where needed.

        From here on ``follower`` misses nothing. Raises what the log raises.
        """
        tails = [self._tail(stream) for stream in streams]
        for tail in tails:
            tail.followers[follower] = None
            tail.idle_since = None
        try:
            await asyncio.gather(*(self._ensure_open(tail) for tail in tails))
        except BaseException:
            self.unfollow(tails, follower)
            raise
        return tails

    def unfollow(self, tails: Sequence[Tail], follower: Follower) -> None:
        """Let it hear no more. The tail stays for a while, for those who come back."""
        for tail in tails:
            tail.followers.pop(follower, None)
            if not tail.followers:
                tail.idle_since = self._timers.time()

    async def look(self, streams: Sequence[str]) -> dict[str, StreamState]:
        """Where the log stands now, told to the tails as well."""
        states = await self.log.stream_states(streams)
        for state in states.values():
            self._learn(state)
        return states

    def _tail(self, stream: str) -> Tail:
        tail = self._tails.get(stream)
        if tail is None:
            tail = self._tails[stream] = Tail(stream, self.log)
            self._plan(tail)
        return tail

    async def _ensure_open(self, tail: Tail) -> None:
        if tail.is_ready:
            return
        waiting = self._opening.get(tail.stream)
        if waiting is None:
            waiting = self._opening[tail.stream] = asyncio.get_running_loop().create_future()
            if self._opener is None:
                self._opener = asyncio.create_task(self._open_pending())
        state = await asyncio.shield(waiting)
        if not tail.is_ready:
            tail.opened(state)

    async def _open_pending(self) -> None:
        # One query for all who came in the meantime: a storm of reconnects asks a few times only.
        try:
            while self._opening:
                batch = dict(list(self._opening.items())[:STATES_PAGE_MAX])
                try:
                    states = await self.log.stream_states(list(batch))
                except Exception as error:
                    for stream, waiting in batch.items():
                        del self._opening[stream]
                        _fail(waiting, error)
                    continue
                for stream, waiting in batch.items():
                    del self._opening[stream]
                    waiting.set_result(states[stream])
        finally:
            self._opener = None

    # What the bus says

    def heard(self, message: BusMessage) -> None:
        """A hint or a whisper has come; of streams that nobody follows here it is dropped."""
        tail = self._tails.get(message.stream)
        if tail is None:
            return
        if isinstance(message, Hint):
            tail.hint(message)
        elif tail.is_ready and tail.followers:
            tail.whisper(_whispered(message, self._clock.now()))

    def bus_health_changed(self, healthy: bool) -> None:
        """An ill bus: look at everything at once, then often."""
        self._is_bus_healthy = healthy
        if not healthy:
            logger.warning("the bus is ill: sweeping more often")
            for tail in self._tails.values():
                tail.due_at = 0.0
            self._sweep_due()

    # Sweeping

    def _on_tick(self) -> None:
        self._tick = self._timers.call_later(SWEEP_TICK_S, self._on_tick)
        now = self._timers.time()
        linger_s = self._settings.tail_linger_s
        idle = [
            tail
            for tail in self._tails.values()
            if tail.idle_since is not None and now - tail.idle_since >= linger_s
        ]
        for tail in idle:
            tail.close()
            del self._tails[tail.stream]
        self._sweep_due()

    def _sweep_due(self) -> None:
        if self._sweeping is not None:
            return
        now = self._timers.time()
        due = [tail for tail in self._tails.values() if tail.is_ready and tail.due_at <= now]
        if due:
            for tail in due:
                self._plan(tail)
            self._sweeping = asyncio.create_task(self._sweep([tail.stream for tail in due]))

    async def _sweep(self, streams: list[str]) -> None:
        try:
            for start in range(0, len(streams), STATES_PAGE_MAX):
                await self.look(streams[start : start + STATES_PAGE_MAX])
        except Exception as error:  # the database is away: the next sweep tries again
            logger.warning("sweep failed: %s", type(error).__name__)
        finally:
            self._sweeping = None

    def _plan(self, tail: Tail) -> None:
        is_urgent = not self._is_bus_healthy or tail.stream.startswith(URGENT_PREFIX)
        interval_s = self._settings.sweep_urgent_s if is_urgent else self._settings.sweep_s
        early = 1 - JITTER * random.random()  # noqa: S311 — spreads load, guards nothing
        tail.due_at = self._timers.time() + interval_s * early

    def _learn(self, state: StreamState) -> None:
        tail = self._tails.get(state.id)
        if tail is not None and tail.is_ready:
            tail.learn(state)


def _whispered(whisper: Whisper, at: datetime) -> LoggedEvent:
    return LoggedEvent(
        stream=whisper.stream,
        epoch="",
        offset=0,
        kind=whisper.kind,
        is_authority=False,
        at=at,
        body=whisper.body,
    )


def _fail(waiting: asyncio.Future[StreamState], error: Exception) -> None:
    waiting.set_exception(error)
    waiting.exception()  # whoever waits gets it; nobody waiting is no reason to complain
