"""Pages of the log, read once for all who replay: a storm of reconnects reads as one client would.

Pages begin at fixed offsets, so that whoever is about as far behind as another needs the same one.
What lies in the log never changes, so a page is right as far as it goes; it is kept for a moment.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, TypeAlias

from domain.kernel.streams import LoggedEvent
from realtime.bounds import LOG_PAGE_MAX, PAGES_MAX, PAGES_S_MAX
from realtime.timing import Timers

if TYPE_CHECKING:
    from realtime.log import Log
    from realtime.tail import Tail

Key: TypeAlias = tuple[str, str, int]
"""Stream, epoch, the offset before the page's first."""


class Pages:
    """The pages read lately by this node."""

    def __init__(self, log: Log, timers: Timers, *, reads_max: int) -> None:
        self._log = log
        self._timers = timers
        self._gate = asyncio.Semaphore(reads_max)
        self._kept: OrderedDict[Key, tuple[float, list[LoggedEvent]]] = OrderedDict()
        self._under_way: dict[Key, asyncio.Task[list[LoggedEvent]]] = {}

    async def after(self, tail: Tail, offset: int) -> list[LoggedEvent]:
        """Events above ``offset`` in order, up to the tail's end and at most a page.

        Empty: the log does not reach back to it. Raises what the log raises.
        """
        last = tail.last
        start = max(offset - offset % LOG_PAGE_MAX, min(tail.floor - 1, offset), 0)
        key = (tail.stream, tail.epoch, start)
        page, is_fresh = self._page(key), False
        while not is_fresh and (not page or page[-1].offset < min(start + LOG_PAGE_MAX, last)):
            # A read that others began may be older than what this tail knows: then once more.
            is_fresh = key not in self._under_way
            page = await self._read(key, tail)
        return [event for event in page or () if offset < event.offset <= last]

    def forget_old(self) -> None:
        """Drop what is older than a moment."""
        oldest = self._timers.time() - PAGES_S_MAX
        while self._kept and next(iter(self._kept.values()))[0] <= oldest:
            self._kept.popitem(last=False)

    def _page(self, key: Key) -> list[LoggedEvent] | None:
        kept = self._kept.get(key)
        return kept[1] if kept is not None else None

    async def _read(self, key: Key, tail: Tail) -> list[LoggedEvent]:
        reading = self._under_way.get(key)
        if reading is None:
            reading = asyncio.create_task(self._fetch(key, tail))
            self._under_way[key] = reading
            reading.add_done_callback(lambda done: self._fetched(key, done))
        return await asyncio.shield(reading)

    async def _fetch(self, key: Key, tail: Tail) -> list[LoggedEvent]:
        async with self._gate:
            return await self._log.read_events(tail.state, key[2], LOG_PAGE_MAX)

    def _fetched(self, key: Key, done: asyncio.Task[list[LoggedEvent]]) -> None:
        del self._under_way[key]
        if done.cancelled() or done.exception() is not None:
            return
        page = done.result()
        if page:
            self._kept.pop(key, None)
            self._kept[key] = (self._timers.time(), page)
            if len(self._kept) > PAGES_MAX:
                self._kept.popitem(last=False)
