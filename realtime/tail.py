"""One stream's end, as this node follows it: a ring of recent events, filled without a gap.

Hints and sweeps only say how far the log has come; what is delivered comes from a hint's own event
when it is exactly the next one, else from the log. An event of authority reaches every follower
before anything later is delivered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Protocol

import orjson

from domain.kernel.streams import LoggedEvent, StreamState
from realtime.bounds import (
    LOG_PAGE_MAX,
    RING_BYTES_MAX,
    RING_EVENTS_MAX,
    RING_SLACK,
    YIELD_EVERY,
)
from realtime.bus import Hint

logger = logging.getLogger(__name__)

WHISPERS_MAX = 64
"""Whispers that wait for delivery; the oldest are dropped first."""


class Log(Protocol):
    """The log as the tails read it (``domain.kernel.streams``)."""

    async def stream_states(self, ids: Sequence[str]) -> dict[str, StreamState]:
        """Where each stream stands."""
        ...

    async def read_events(
        self, state: StreamState, after: int, limit: int = LOG_PAGE_MAX
    ) -> list[LoggedEvent]:
        """Events above ``after``, in order."""
        ...


class Follower(Protocol):
    """Whoever follows a tail. ``deliver`` and the calls before it must not raise."""

    def authority_changed(self, event: LoggedEvent) -> None:
        """Who may read this stream has changed; called before anything later is delivered."""
        ...

    def history_changed(self, tail: Tail) -> None:
        """The stream is another one now: positions in it mean nothing any more."""
        ...

    def fell_behind(self, tail: Tail) -> None:
        """Events were passed over that this follower may lack: read them from the log."""
        ...

    def wants(self, event: LoggedEvent) -> bool:
        """Whether to deliver it now; offset 0: a whisper."""
        ...

    async def deliver(self, event: LoggedEvent) -> None:
        """Deliver it."""
        ...


class Tail:
    """The end of one stream. Every change of state is free of awaits."""

    __slots__ = (
        *("__weakref__", "_delivered", "_filling", "_is_suspect", "_log", "_pumped", "_pumping"),
        *("_ring", "_ring_bytes", "_wanted", "_whispers", "due_at", "epoch", "floor"),
        *("followers", "idle_since", "is_ready", "last", "stream"),
    )

    def __init__(self, stream: str, log: Log) -> None:
        self.stream = stream
        self.epoch = ""
        self.last = 0
        self.floor = 0
        self.is_ready = False
        self.followers: dict[Follower, None] = {}
        self.due_at = 0.0
        self.idle_since: float | None = None
        self._log = log
        # Lists and a lazy future: empty deques and events would be half of an idle tail's memory.
        self._ring: list[tuple[LoggedEvent, int]] = []
        self._ring_bytes = 0
        self._delivered = 0
        self._wanted = 0
        self._is_suspect = False
        self._whispers: list[LoggedEvent] = []
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

    def opened(self, state: StreamState) -> None:
        """Begin at this state; hints that came earlier are made up for."""
        self.epoch, self.last, self.floor = state.epoch, state.top, state.floor
        self._delivered = self.last
        self.is_ready = True
        self._fill_if_behind()

    def hint(self, hint: Hint) -> None:
        """Somebody says that the log has come so far."""
        if not self.is_ready:
            self._wanted = max(self._wanted, hint.offset)
            return
        if hint.epoch != self.epoch:
            # Never believed as such: the log is asked which epoch it is.
            self._is_suspect = True
        elif hint.offset <= self.last:
            return
        elif hint.event is not None and self._may_take(hint.offset):
            self._take(hint.event)
            return
        else:
            self._wanted = max(self._wanted, hint.offset)
        self._fill_if_behind()

    def learn(self, state: StreamState) -> None:
        """A sweep has looked at the log. What it saw may be older than what the tail knows."""
        if state.epoch != self.epoch:
            self._is_suspect = True
        else:
            self.floor = max(self.floor, state.floor)
            self._wanted = max(self._wanted, state.top)
        self._fill_if_behind()

    def whisper(self, event: LoggedEvent) -> None:
        """Pass on something ephemeral to those who are up to date."""
        self._whispers.append(event)
        del self._whispers[:-WHISPERS_MAX]
        self._wake_pump()

    def since(self, offset: int) -> list[LoggedEvent] | None:
        """The events above ``offset``; None when the ring does not reach back to it."""
        if offset >= self.last:
            return []
        if not self._ring or self._ring[0][0].offset > offset + 1:
            return None
        skip = offset + 1 - self._ring[0][0].offset
        return [event for event, _ in self._ring[skip:]]

    def close(self) -> None:
        """Stop whatever is under way."""
        for task in (self._filling, self._pumping):
            if task is not None:
                task.cancel()

    def _may_take(self, offset: int) -> bool:
        is_next = offset == self.last + 1 and self._filling is None
        return is_next and self.last - self._delivered < RING_SLACK

    def _take(self, event: LoggedEvent) -> None:
        assert event.offset == self.last + 1, "a tail takes exactly the next event"
        size = len(orjson.dumps(event.body))
        self.last = event.offset
        self._ring.append((event, size))
        self._ring_bytes += size
        while len(self._ring) > RING_EVENTS_MAX or self._ring_bytes > RING_BYTES_MAX:
            self._ring_bytes -= self._ring.pop(0)[1]
        if event.is_authority:
            for follower in tuple(self.followers):
                follower.authority_changed(event)
        self._wake_pump()

    def _settle(self, state: StreamState) -> None:
        """Go by this state of the log, which is newer than all that the tail knows."""
        if state.epoch != self.epoch:
            if self.epoch or not state.epoch:
                self._restart(state)
                return
            self.epoch = state.epoch  # the stream's first event has come
        self.floor = max(self.floor, state.floor)
        self._wanted = max(self._wanted, state.top)

    def _restart(self, state: StreamState) -> None:
        logger.warning("stream %s is another one now (epoch changed or log cut)", self.stream)
        self._ring.clear()
        self._ring_bytes = 0
        self.epoch, self.last, self.floor = state.epoch, state.top, state.floor
        self._delivered = self._wanted = self.last
        for follower in tuple(self.followers):
            follower.history_changed(self)

    # Filling: one task at a time

    def _fill_if_behind(self) -> None:
        is_behind = self._is_suspect or self._wanted > self.last
        if self.is_ready and is_behind and self._filling is None:
            self._filling = asyncio.create_task(self._fill())

    async def _fill(self) -> None:
        try:
            while self._is_suspect or self._wanted > self.last:
                if self._is_suspect:
                    self._is_suspect = False
                    self._settle((await self._log.stream_states([self.stream]))[self.stream])
                else:
                    await self._read_page()
        except Exception as error:  # the database is away: the sweep tries again
            logger.warning("tail %s cannot read the log: %s", self.stream, type(error).__name__)
        finally:
            self._filling = None

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
            while self._delivered < self.last or self._whispers:
                if self._delivered < self.last:
                    await self._deliver_next()
                else:
                    await self._fan_out(self._whispers.pop(0))
        finally:
            self._pumping = None
            self._tell_pumped()

    async def _deliver_next(self) -> None:
        index = self._delivered + 1 - self._ring[0][0].offset if self._ring else -1
        if index < 0:
            self._delivered = self._ring[0][0].offset - 1 if self._ring else self.last
            for follower in tuple(self.followers):
                follower.fell_behind(self)
            return
        epoch, event = self.epoch, self._ring[index][0]
        await self._fan_out(event)
        if self.epoch == epoch:
            self._delivered = event.offset
        self._tell_pumped()

    def _tell_pumped(self) -> None:
        if self._pumped is not None and not self._pumped.done():
            self._pumped.set_result(None)

    async def _fan_out(self, event: LoggedEvent) -> None:
        for count, follower in enumerate(tuple(self.followers), 1):
            if follower.wants(event):
                await follower.deliver(event)
            if count % YIELD_EVERY == 0:
                await asyncio.sleep(0)


def is_dense(events: Iterable[LoggedEvent], after: int) -> bool:
    """Whether these are the events right after ``after``, without a gap."""
    return all(event.offset == after + n for n, event in enumerate(events, 1))
