"""The kernel's Announcer on the bus: after a commit, hints; at any time, whispers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

from domain.kernel.streams import Json, LoggedEvent
from realtime.bus import Bus, Hint, Whisper

HINT_BODY_MAX_BYTES = 4_096
"""A larger event travels as its offset only; the tails read it from the log, once a node."""


class BusAnnouncer:
    """Tells every node. Call it from the loop's thread; it never blocks and never raises."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def announce(self, events: Sequence[LoggedEvent]) -> None:
        """Hint at committed events."""
        for event in events:
            told = event if _is_small(event) else None
            self._bus.publish(Hint(event.stream, event.epoch, event.offset, told))

    def whisper(self, stream: str, kind: str, body: Mapping[str, Json]) -> None:
        """Pass on something ephemeral that is never stored."""
        self._bus.publish(Whisper(stream, kind, body))


def _is_small(event: LoggedEvent) -> bool:
    try:
        return len(orjson.dumps(event.body)) <= HINT_BODY_MAX_BYTES
    except TypeError:  # a body that the log took and JSON does not: the tails read it from there
        return False
