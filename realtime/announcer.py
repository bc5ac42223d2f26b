"""The kernel's Announcer on the bus: after a commit, hints; at any time, whispers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

import orjson

from domain.kernel.streams import Json, LoggedEvent
from realtime.bus import Bus, Hint, Hints, Whisper

HINT_BODY_MAX_BYTES = 4_096
"""A larger event travels as its offset only; the tails read it from the log, once a node."""
HINTS_TOGETHER_MAX = 64
"""Places in one message: at most 10 kB, and a third of a millisecond of a listener's time."""


class BusAnnouncer:
    """Tells every node. Call it from the loop's thread; it never blocks and never raises."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def announce(self, events: Sequence[LoggedEvent]) -> None:
        """Hint at committed events; a fact on many streams goes out a few hundred at a time."""
        # A fact's places stand together and share its body: what is one object is one fact.
        for _, group in groupby(events, key=lambda event: id(event.body)):
            same = tuple(group)
            is_small = _is_small(same[0])
            for start in range(0, len(same), HINTS_TOGETHER_MAX):
                self._bus.publish(_hints(same[start : start + HINTS_TOGETHER_MAX], is_small))

    def whisper(self, stream: str, kind: str, body: Mapping[str, Json]) -> None:
        """Pass on something ephemeral that is never stored."""
        self._bus.publish(Whisper(stream, kind, body))


def _hints(events: Sequence[LoggedEvent], is_told: bool) -> Hint | Hints:
    first = events[0]
    told = first if is_told else None
    if len(events) == 1:
        return Hint(first.stream, first.epoch, first.offset, told)
    return Hints(tuple((e.stream, e.epoch, e.offset, e.authority_version) for e in events), told)


def _is_small(event: LoggedEvent) -> bool:
    try:
        return len(orjson.dumps(event.body)) <= HINT_BODY_MAX_BYTES
    except TypeError:  # a body that the log took and JSON does not: the tails read it from there
        return False
