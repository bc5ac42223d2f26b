"""Connections at hand: one is taken and given back without a round trip, a task or a lock.

The driver's own pool spends as much of the server's CPU on that as a small query costs (measured:
60 to 90 µs), mostly on a shielded task for tidying up what we never leave behind. Last in, first
out: few connections stay busy, with their prepared statements, and the others can be closed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

from domain.kernel.patience import Patience

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    Connection = Any

WAIT_S = 15.0
"""For a connection, before the caller is told to try again: as long as a statement may take."""
UNUSED_S = 300.0
"""Connections not needed for so long are closed, down to the smallest number."""
CLOSE_S = 5.0
"""For a connection's orderly end, before it is cut."""


class Pool:
    """At most ``size_max`` connections, opened when needed. Lives on one loop."""

    def __init__(
        self, open_one: Callable[[], Awaitable[Connection]], *, size_min: int, size_max: int
    ) -> None:
        self._open_one = open_one
        self._size_min = size_min
        self._size_max = size_max
        self._loop = asyncio.get_running_loop()
        self._idle: list[Connection] = []
        self._idle_min = 0
        self._size = 0
        self._patience = Patience(WAIT_S)
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._is_closed = False
        self._trimming: asyncio.TimerHandle | None = None

    @property
    def size(self) -> int:
        """Connections that are open or being opened."""
        return self._size

    @property
    def in_use(self) -> int:
        """Of these, those that somebody has taken."""
        return self._size - len(self._idle)

    @property
    def waiting(self) -> int:
        """Who waits for one."""
        return sum(not future.done() for future in self._waiting)

    async def take(self, *, is_urgent: bool = False) -> Connection:
        """A connection, outside any transaction; ``give`` it back.

        ``is_urgent``: before everybody who waits already. Raises TimeoutError when none came free,
        and what opening one raises.
        """
        while self._idle:
            connection = self._idle.pop()
            self._idle_min = min(self._idle_min, len(self._idle))
            if not connection.is_closed():
                return connection
            self._size -= 1
        if self._size < self._size_max:
            self._size += 1
        elif (handed := await self._wait(is_urgent=is_urgent)) is not None:
            return handed
        try:
            return await self._open_one()
        except BaseException:
            self._lose_one()
            raise

    def give(self, connection: Connection) -> None:
        """Back, for others. One that is closed, or still in a transaction, is given up."""
        if self._is_closed or connection.is_closed() or connection.is_in_transaction():
            connection.terminate()
            self._lose_one()
        elif (next_ := self._next_waiting()) is not None:
            next_.set_result(connection)
        else:
            self._idle.append(connection)
            if self._trimming is None and self._size > self._size_min:
                self._idle_min = len(self._idle)
                self._trimming = self._loop.call_later(UNUSED_S, self._trim)

    async def close(self) -> None:
        """Every connection is closed; those in use when they are given back."""
        self._is_closed = True
        if self._trimming is not None:
            self._trimming.cancel()
        idle, self._idle = self._idle, []
        self._size -= len(idle)
        ends = [connection.close(timeout=CLOSE_S) for connection in idle]
        await asyncio.gather(*ends, return_exceptions=True)

    async def _wait(self, *, is_urgent: bool) -> Connection | None:
        """A connection, or None: the room of one that was lost."""
        waiting: asyncio.Future[Connection | None] = self._loop.create_future()
        if is_urgent:
            self._waiting.appendleft(waiting)
        else:
            self._waiting.append(waiting)
        try:
            with self._patience.limit():
                return await waiting
        except BaseException:
            if waiting.done() and not waiting.cancelled():
                # It came in the same round as the end of the patience: to whoever is next.
                handed = waiting.result()
                if handed is not None:
                    self.give(handed)
                else:
                    self._lose_one()
            raise

    def _lose_one(self) -> None:
        next_ = self._next_waiting()
        if next_ is not None:
            next_.set_result(None)
        else:
            self._size -= 1

    def _next_waiting(self) -> asyncio.Future[Connection | None] | None:
        while self._waiting:
            next_ = self._waiting.popleft()
            if not next_.done():
                return next_
        return None

    def _trim(self) -> None:
        self._trimming = None
        spare = min(self._idle_min, self._size - self._size_min)
        for connection in self._idle[: max(spare, 0)]:
            connection.terminate()
        del self._idle[: max(spare, 0)]
        self._size -= max(spare, 0)
        self._idle_min = len(self._idle)
        if self._size > self._size_min:
            self._trimming = self._loop.call_later(UNUSED_S, self._trim)
