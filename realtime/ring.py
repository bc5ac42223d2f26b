"""The latest events of one stream, kept in memory for those who reconnect."""

from __future__ import annotations

import orjson

from domain.kernel.streams import LoggedEvent
from realtime.bounds import RING_BYTES_MAX, RING_EVENTS_MAX


class Ring:
    """Consecutive events, the oldest dropped first when there are too many or they are too big."""

    __slots__ = ("_bytes", "_events")

    def __init__(self) -> None:
        # A list: an empty deque would be half of an idle tail's memory.
        self._events: list[tuple[LoggedEvent, int]] = []
        self._bytes = 0

    @property
    def first(self) -> int | None:
        """Offset of the oldest event kept; None: nothing is."""
        return self._events[0][0].offset if self._events else None

    def append(self, event: LoggedEvent) -> None:
        """Keep the next event."""
        size = len(orjson.dumps(event.body))
        self._events.append((event, size))
        self._bytes += size
        while len(self._events) > RING_EVENTS_MAX or self._bytes > RING_BYTES_MAX:
            self._bytes -= self._events.pop(0)[1]

    def clear(self) -> None:
        """Keep nothing."""
        self._events.clear()
        self._bytes = 0

    def at(self, offset: int) -> LoggedEvent | None:
        """The event at this offset, if it is kept."""
        first = self.first
        if first is None or not 0 <= offset - first < len(self._events):
            return None
        return self._events[offset - first][0]

    def since(self, offset: int) -> list[LoggedEvent] | None:
        """The events above ``offset``; None when it does not reach back to them."""
        first = self.first
        if first is None or first > offset + 1:
            return None
        return [event for event, _ in self._events[offset + 1 - first :]]
