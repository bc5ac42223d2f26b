"""The latest events of each stream, kept in memory for those who reconnect; bounded together.

What a ring has dropped is read from the log. So rings may be emptied at any moment: whoever needs
what is gone is told so, and never gets a part.
"""

from __future__ import annotations

from collections import OrderedDict

import orjson

from domain.kernel.streams import LoggedEvent
from realtime.bounds import RING_BYTES_MAX, RING_EVENT_BYTES, RING_EVENTS_MAX, RINGS_BYTES_MAX


class Rings:
    """What all rings of a process hold together: above its bound the ring that was written to or
    read least recently gives way, its oldest events first.

    What a pump has still to deliver was written a moment ago, so that its turn comes last.
    """

    __slots__ = ("_by_use", "bytes_max", "held_bytes")

    def __init__(self, bytes_max: int = RINGS_BYTES_MAX) -> None:
        self.held_bytes = 0
        self.bytes_max = bytes_max
        self._by_use: OrderedDict[Ring, None] = OrderedDict()
        """Rings that hold something; the one used last is the last."""

    def grew(self, ring: Ring, size: int) -> None:
        """It was written to."""
        by_use = self._by_use
        by_use[ring] = None
        by_use.move_to_end(ring)
        self.held_bytes += size

    def make_room(self) -> None:
        """Hold no more than the bound."""
        while self.held_bytes > self.bytes_max:
            next(iter(self._by_use)).drop_oldest()

    def read(self, ring: Ring) -> None:
        """It was read, so it holds something."""
        self._by_use.move_to_end(ring)

    def emptied(self, ring: Ring) -> None:
        """It holds nothing any more."""
        self._by_use.pop(ring, None)


class Ring:
    """Consecutive events, the oldest dropped first when there are too many or they are too big."""

    __slots__ = ("_bytes", "_events", "_rings")

    def __init__(self, rings: Rings) -> None:
        # A list: an empty deque would be half of an idle tail's memory.
        self._events: list[tuple[LoggedEvent, int]] = []
        self._bytes = 0
        self._rings = rings

    @property
    def first(self) -> int | None:
        """Offset of the oldest event kept; None: nothing is."""
        return self._events[0][0].offset if self._events else None

    def append(self, event: LoggedEvent) -> None:
        """Keep the next event."""
        size = len(orjson.dumps(event.body)) + RING_EVENT_BYTES
        events, rings = self._events, self._rings
        events.append((event, size))
        self._bytes += size
        rings.grew(self, size)
        while len(events) > RING_EVENTS_MAX or self._bytes > RING_BYTES_MAX:
            self.drop_oldest()
        if rings.held_bytes > rings.bytes_max:
            rings.make_room()

    def drop_oldest(self) -> None:
        """Keep one event less."""
        _, size = self._events.pop(0)
        self._bytes -= size
        self._rings.held_bytes -= size
        if not self._events:
            self._rings.emptied(self)

    def clear(self) -> None:
        """Keep nothing."""
        self._rings.held_bytes -= self._bytes
        self._rings.emptied(self)
        self._events.clear()
        self._bytes = 0

    def at(self, offset: int) -> LoggedEvent | None:
        """The event at this offset, if it is kept."""
        first = self.first
        if first is None or not 0 <= offset - first < len(self._events):
            return None
        self._rings.read(self)
        return self._events[offset - first][0]

    def since(self, offset: int) -> list[LoggedEvent] | None:
        """The events above ``offset``; None when it does not reach back to them."""
        first = self.first
        if first is None or first > offset + 1:
            return None
        self._rings.read(self)
        return [event for event, _ in self._events[offset + 1 - first :]]
