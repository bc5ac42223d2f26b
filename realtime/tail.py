"""One stream's end, as this node follows it: a ring of recent events, filled without a gap.

Hints and sweeps only say how far the log has come; what is delivered comes from a hint's own event
when it is exactly the next one, else from the log. An event of authority reaches every follower
before anything later is delivered.
"""

from __future__ import annotations

import asyncio
import logging

from domain.kernel.streams import LoggedEvent, StreamState
from realtime.bounds import LOG_PAGE_MAX, RING_SLACK, YIELD_EVERY
from realtime.bus import Hint
from realtime.fanout import FanOut
from realtime.follower import Follower
from realtime.log import Log, is_dense
from realtime.metrics import GapCause
from realtime.ring import Ring, Rings
from realtime.seat import Seat
from realtime.sharing import Group
from realtime.whispers import hold, hold_for_absent, make_room

logger = logging.getLogger(__name__)

WHISPERS_MAX = 64
"""Whispers that wait for delivery; the oldest make room first."""


class Tail:
    """The end of one stream. Every change of state is free of awaits."""

    __slots__ = (
        *("_delivered", "_fan_out", "_filling", "_is_suspect", "_log", "_pumped", "_pumping"),
        *("_ring", "_telling", "_wanted", "_whispers", "_work", "authority_version", "due"),
        *("epoch", "floor", "followers", "idle_since", "is_ready", "last", "live", "seats"),
        "stream",
    )

    def __init__(self, stream: str, log: Log, fan_out: FanOut, rings: Rings) -> None:
        self.stream = stream
        self.epoch = ""
        self.last = 0
        self.floor = 0
        self.is_ready = False
        self.authority_version = 0
        """Goes up with each change of who may read the stream."""
        self.followers: dict[Follower, None] = {}
        self.seats: dict[Seat, None] = {}
        """Every subscription's, live or catching up."""
        self.live: dict[Group, dict[Seat, None]] = {}
        """Those that are written to as events come; without changes of authority in between."""
        self.due = 0
        self.idle_since: float | None = None
        self._log = log
        self._fan_out = fan_out
        self._work = 0
        self._ring = Ring(rings)
        self._delivered = 0
        self._wanted = 0
        self._is_suspect = False
        self._whispers: list[LoggedEvent] = []
        self._telling: LoggedEvent | None = None
        self._filling: asyncio.Task[None] | None = None
        self._pumping: asyncio.Task[None] | None = None
        self._pumped: asyncio.Future[None] | None = None

    @property
    def state(self) -> StreamState:
        """Where this tail stands."""
        return StreamState(self.stream, self.epoch, self.last, self.floor)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is under way."""
        return self._filling is None and self._pumping is None

    @property
    def _is_behind(self) -> bool:
        """Whether the log is known to have come further, or may have."""
        return self._is_suspect or self._wanted > self.last

    @property
    def is_followed(self) -> bool:
        """Whether anybody is there."""
        return bool(self.followers or self.seats)

    def rise(self, seat: Seat, group: Group) -> None:
        """Write to it from here on, with its group."""
        seat.group, seat.slow = group, seat.subscriber.slow
        self.live.setdefault(group, {})[seat] = None

    def fall(self, seat: Seat) -> None:
        """Write to it no more; harmless when nothing was."""
        group, seat.group = seat.group, None
        if group is not None:
            seats = self.live[group]
            del seats[seat]
            if not seats:
                del self.live[group]
            if self._telling is not None:
                hold(seat, self._telling)  # its turn may not have come yet

    def opened(self, state: StreamState) -> None:
        """Begin at this state; hints that came earlier are made up for."""
        self.epoch, self.last, self.floor = state.epoch, state.top, state.floor
        self.authority_version = state.authority_version
        self._delivered = self.last
        self.is_ready = True
        self.fill_if_behind()

    def hint(self, hint: Hint) -> None:
        """Somebody says that the log has come so far."""
        if not self.is_ready:
            self._wanted = max(self._wanted, hint.offset)
            return
        if hint.epoch != self.epoch:
            # Never believed as such: the log is asked which epoch it is.
            self._suspect()
        elif hint.offset <= self.last:
            return
        elif hint.event is not None and self._may_take(hint.offset):
            self._take(hint.event)
            return
        else:
            self._want(hint.offset, "hint_lost")
        self.fill_if_behind()

    def learn(self, state: StreamState) -> None:
        """A sweep has looked at the log. What it saw may be older than what the tail knows."""
        if state.epoch != self.epoch:
            self._suspect()
        else:
            self.floor = max(self.floor, state.floor)
            self._want(state.top, "sweep")
        self.fill_if_behind()

    def fill_if_behind(self) -> None:
        """Read what is known to be lacking, or doubtful; a read that failed is tried again."""
        if self.is_ready and self._is_behind and self._filling is None:
            self._filling = asyncio.create_task(self._fill())

    def whisper(self, event: LoggedEvent) -> None:
        """Pass on something ephemeral; what tells a state is held for who isn't up to date."""
        self._whispers.append(event)
        if len(self._whispers) > WHISPERS_MAX:
            make_room(self._whispers)
        self._wake_pump()

    def since(self, offset: int) -> list[LoggedEvent] | None:
        """The events above ``offset``; None when the ring does not reach back to it."""
        return [] if offset >= self.last else self._ring.since(offset)

    def close(self) -> None:
        """Stop whatever is under way, keep nothing."""
        self._ring.clear()
        for task in (self._filling, self._pumping):
            if task is not None:
                task.cancel()

    def _may_take(self, offset: int) -> bool:
        is_next = offset == self.last + 1 and self._filling is None
        return is_next and self.last - self._delivered < RING_SLACK

    def _take(self, event: LoggedEvent) -> None:
        assert event.offset == self.last + 1, "a tail takes exactly the next event"
        self.last = event.offset
        self._ring.append(event)
        if event.is_authority:
            self._authority_changed(event)
        self._wake_pump()

    def _authority_changed(self, event: LoggedEvent) -> None:
        # Every delivery compares versions: who asked before this gets nothing more, not even what
        # is still to be delivered. To ask anew at once also stops its other streams.
        self.authority_version += 1
        for follower in tuple(self.followers):
            follower.authority_changed(event)
        for seat in [seat for seat in self.seats if seat.group is not None]:
            seat.subscription.distrust(renew=True)

    def _settle(self, state: StreamState) -> None:
        """Go by this state of the log, which is newer than all that the tail knows."""
        if state.epoch != self.epoch:
            if self.epoch or not state.epoch:
                self._restart(state)
                return
            self.epoch = state.epoch  # the stream's first event has come
        self.floor = max(self.floor, state.floor)
        # Nothing has been written yet: a hint was wrong, or early, and a sweep will tell.
        self._wanted = max(self._wanted, state.top) if state.epoch else self.last

    def _restart(self, state: StreamState) -> None:
        logger.warning("stream %s is another one now (epoch changed or log cut)", self.stream)
        self._ring.clear()
        self.epoch, self.last, self.floor = state.epoch, state.top, state.floor
        self._delivered = self._wanted = self.last
        self.authority_version = max(self.authority_version + 1, state.authority_version)
        for follower in tuple(self.followers):
            follower.history_changed(self)
        for seat in tuple(self.seats):
            seat.subscription.history_changed(seat)

    # Filling: one task at a time

    def _suspect(self) -> None:
        self._is_suspect = True
        self._fan_out.metrics.gap_fills["epoch"] += 1

    def _want(self, offset: int, cause: GapCause) -> None:
        if offset > max(self._wanted, self.last):
            self._wanted = offset
            self._fan_out.metrics.gap_fills[cause] += 1

    async def _fill(self) -> None:
        try:
            while self._is_behind:
                if self._is_suspect or not self.epoch:  # no event is taken without its epoch
                    self._is_suspect = False
                    self._settle((await self._log.stream_states([self.stream]))[self.stream])
                else:
                    await self._read_page()
        except Exception as error:  # the database is away: the sweep tries again
            logger.warning("tail %s cannot read the log: %s", self.stream, type(error).__name__)
        finally:
            self._filling = None
        if self._whispers:
            self._wake_pump()

    async def _read_page(self) -> None:
        epoch, after, wanted = self.epoch, self.last, self._wanted
        events = await self._log.read_events(self.state, after, LOG_PAGE_MAX)
        if self.epoch != epoch or self.last != after:
            return
        if not events and self._wanted == wanted:
            self._wanted = self.last  # the hint was wrong, or early: a sweep will tell
        if not is_dense(events, after):
            state = (await self._log.stream_states([self.stream]))[self.stream]
            self._restart(state)
            return
        for event in events:
            while self.last - self._delivered >= RING_SLACK and self._pumping is not None:
                self._pumped = asyncio.get_running_loop().create_future()
                await self._pumped
            if self.epoch != epoch:
                return
            self._take(event)

    # Delivering: one task while there is something to deliver

    def _wake_pump(self) -> None:
        if self._pumping is None:
            self._pumping = asyncio.create_task(self._pump())

    async def _pump(self) -> None:
        try:
            while True:
                if self._delivered < self.last:
                    await self._deliver_next()
                elif self._whispers and self._filling is None and not self._is_behind:
                    # Not before what was committed earlier, which may have been a removal.
                    await self._tell(self._whispers.pop(0))
                else:
                    break
        finally:
            self._pumping = None
            self._tell_pumped()

    async def _deliver_next(self) -> None:
        event = self._ring.at(self._delivered + 1)
        if event is None:
            self._delivered = self.last if self._ring.first is None else self._ring.first - 1
            for seat in [seat for seat in self.seats if seat.group is not None]:
                seat.subscription.fall_behind()
            return
        epoch = self.epoch
        await self._deliver(event)
        if self.epoch == epoch:
            self._delivered = event.offset
        self._tell_pumped()

    def _tell_pumped(self) -> None:
        if self._pumped is not None and not self._pumped.done():
            self._pumped.set_result(None)

    async def _tell(self, whisper: LoggedEvent) -> None:
        self._telling = whisper
        hold_for_absent(self.seats, whisper)
        await self._deliver(whisper)
        self._telling = None

    async def _deliver(self, event: LoggedEvent) -> None:
        for group in tuple(self.live):
            if group in self.live:
                self._work += await self._fan_out.deliver(self, group, event)
            if self._work >= YIELD_EVERY:
                self._work = 0
                await asyncio.sleep(0)
