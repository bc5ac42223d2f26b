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
from itertools import islice
from typing import TYPE_CHECKING

from domain.kernel.ports import Clock
from domain.kernel.streams import LoggedEvent, StreamState
from realtime.bounds import STATES_PAGE_MAX, LiveSettings
from realtime.bus import BusMessage, Hint, Whisper
from realtime.fanout import FanOut
from realtime.follower import Follower
from realtime.log import Log
from realtime.pages import Pages
from realtime.ring import Rings
from realtime.seat import Seat
from realtime.tail import Tail
from realtime.timing import TimerHandle, Timers
from realtime.wheel import Wheel

if TYPE_CHECKING:
    from realtime.subscription import Subscription

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
        fan_out: FanOut,
        clock: Clock,
        timers: Timers,
        settings: LiveSettings,
    ) -> None:
        self.pages = Pages(log, timers, reads_max=settings.log_reads_max)
        self.rings = Rings(settings.rings_bytes_max)
        self._log = log
        self._fan_out = fan_out
        self._clock = clock
        self._timers = timers
        self._settings = settings
        self._tails: dict[str, Tail] = {}
        self._wheel: Wheel[Tail] = Wheel(SWEEP_TICK_S)
        self._opening: dict[str, asyncio.Future[StreamState]] = {}
        self._opener: asyncio.Task[None] | None = None
        self._unswept: dict[str, None] = {}
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
            await self._ensure_open(tails)
        except BaseException:
            self.unfollow(tails, follower)
            raise
        return tails

    def follow_from(self, state: StreamState, follower: Follower) -> Tail | None:
        """As ``follow``, of a stream whose state was read a moment ago: without reading it again.

        What was written in between is found by the next tick's sweep at the latest. None, and
        nothing is followed: somebody is just opening the tail, so ``follow`` costs nothing either.
        """
        tail = self._tail(state.id)
        if not tail.is_ready:
            if tail.stream in self._opening:
                return None
            tail.opened(state)
            self._wheel.plan(tail, self._timers.time())
        tail.followers[follower] = None
        tail.idle_since = None
        return tail

    def unfollow(self, tails: Sequence[Tail], follower: Follower) -> None:
        """Let it hear no more. The tail stays for a while, for those who come back."""
        for tail in tails:
            tail.followers.pop(follower, None)
            self._idle_if_left(tail)

    async def seat(self, streams: Sequence[str], subscription: Subscription) -> tuple[Seat, ...]:
        """A seat in each stream, not placed yet. As ``follow`` otherwise."""
        seats = tuple(Seat(subscription, self._tail(stream)) for stream in dict.fromkeys(streams))
        for seat in seats:
            seat.tail.seats[seat] = None
            seat.tail.idle_since = None
        try:
            await self._ensure_open([seat.tail for seat in seats])
        except BaseException:
            self.vacate(seats)
            raise
        return seats

    def vacate(self, seats: Sequence[Seat]) -> None:
        """Nobody sits there any more."""
        for seat in seats:
            seat.tail.fall(seat)
            seat.tail.seats.pop(seat, None)
            self._idle_if_left(seat.tail)

    async def look(self, streams: Sequence[str]) -> dict[str, StreamState]:
        """Where the log stands now, told to the tails as well."""
        states = await self._log.stream_states(streams)
        for state in states.values():
            self._learn(state)
        return states

    def _tail(self, stream: str) -> Tail:
        tail = self._tails.get(stream)
        if tail is None:
            tail = self._tails[stream] = Tail(stream, self._log, self._fan_out, self.rings)
            self._plan(tail)
        return tail

    def _idle_if_left(self, tail: Tail) -> None:
        if not tail.is_followed and tail.idle_since is None:
            tail.idle_since = self._timers.time()

    async def _ensure_open(self, tails: Sequence[Tail]) -> None:
        closed = [tail for tail in tails if not tail.is_ready]
        if len(closed) == 1:
            await self._open(closed[0])
        elif closed:
            await asyncio.gather(*(self._open(tail) for tail in closed))

    async def _open(self, tail: Tail) -> None:
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
                    states = await self._log.stream_states(list(batch))
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
        elif tail.is_ready and tail.seats:
            tail.whisper(_whispered(message, self._clock.now()))

    def bus_health_changed(self, healthy: bool) -> None:
        """An ill bus: look at everything at once, then often."""
        self._is_bus_healthy = healthy
        if not healthy:
            logger.warning("the bus is ill: sweeping more often")
            self._sweep_all(list(self._tails.values()))

    # Sweeping

    def _on_tick(self) -> None:
        self._tick = self._timers.call_later(SWEEP_TICK_S, self._on_tick)
        now = self._timers.time()
        due = self._wheel.due(now)
        idle = [tail for tail in due if self._is_idle(tail, now)]
        for tail in idle:
            tail.close()
            del self._tails[tail.stream]
        self._sweep_all([tail for tail in due if self._tails.get(tail.stream) is tail])

    def _is_idle(self, tail: Tail, now: float) -> bool:
        since = tail.idle_since
        return since is not None and now - since >= self._settings.tail_linger_s

    def _sweep_all(self, tails: Sequence[Tail]) -> None:
        for tail in tails:
            self._plan(tail)
            if tail.is_ready:
                self._unswept[tail.stream] = None
        if self._unswept and self._sweeping is None:
            self._sweeping = asyncio.create_task(self._sweep())

    async def _sweep(self) -> None:
        try:
            while page := list(islice(self._unswept, STATES_PAGE_MAX)):
                for stream in page:
                    del self._unswept[stream]
                tails = [tail for stream in page if (tail := self._tails.get(stream)) is not None]
                known = [(tail.stream, tail.epoch, tail.last, tail.floor) for tail in tails]
                for state in await self._log.streams_moved(known):
                    self._learn(state)
                for tail in tails:
                    tail.fill_if_behind()  # also who has not moved may have failed to read
        except Exception as error:  # the database is away: the next sweep tries again
            logger.warning("sweep failed: %s", type(error).__name__)
        finally:
            self._sweeping = None

    def _plan(self, tail: Tail) -> None:
        is_urgent = not self._is_bus_healthy or tail.stream.startswith(URGENT_PREFIX)
        interval_s = self._settings.sweep_urgent_s if is_urgent else self._settings.sweep_s
        early = 1 - JITTER * random.random()  # noqa: S311 — spreads load, guards nothing
        due_at = self._timers.time() + interval_s * early
        if tail.idle_since is not None:
            due_at = min(due_at, tail.idle_since + self._settings.tail_linger_s)
        self._wheel.plan(tail, due_at)

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
