"""Where a subscription begins: positions as clients send them, and whether the log still has them.

Two spellings: ``extensions.rt.since = {stream: [epoch, offset]}`` of a client that knows us, and
the schema's ``after`` argument for any other: ``stream:epoch:offset`` as given out with an event,
several separated by commas. With both, ``since`` counts. A position means "I have everything up to
here"; the replay begins right after it, or is refused as a whole, and so is what has a position
for some of its streams only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.kernel.streams import StreamState
from realtime.bounds import STREAMS_PER_OP_MAX

OFFSET_MAX = 2**63 - 1
"""PostgreSQL's bigint."""


class BadPosition(Exception):
    """A position that is none: it can't be resumed from."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a stream's history."""

    epoch: str
    offset: int


def read_positions(extensions: Mapping[str, Any], after: str | None) -> dict[str, Position]:
    """The positions that a subscription asks to resume from; none: live from now.

    Raises BadPosition for anything malformed: to begin somewhere else would be a silent gap.
    """
    rt = extensions.get("rt")
    since = rt.get("since") if isinstance(rt, dict) else None
    if since is not None:
        return _read_since(since)
    if after is not None:
        return _read_after(after)
    return {}


def is_recoverable(wanted: Position, state: StreamState, first: int) -> bool:
    """Whether everything after ``wanted`` is in the log and the reader's to see.

    ``first``: the first offset that the reader may see.
    """
    is_beginning = wanted == Position("", 0)  # announced before the stream's first event
    if wanted.epoch != state.epoch and not is_beginning:
        return False
    return max(state.floor, first) - 1 <= wanted.offset <= state.top


def _read_since(since: object) -> dict[str, Position]:
    if not isinstance(since, dict) or len(since) > STREAMS_PER_OP_MAX:
        raise BadPosition
    found = {}
    for stream, place in since.items():
        match place:
            case [str(epoch), int(offset)] if not isinstance(offset, bool):
                found[stream] = _position(epoch, offset)
            case _:
                raise BadPosition
    return found


def _read_after(after: str) -> dict[str, Position]:
    cursors = after.split(",")
    if len(cursors) > STREAMS_PER_OP_MAX:
        raise BadPosition
    found = {}
    for cursor in cursors:
        stream, _, rest = cursor.strip().rpartition(":")
        stream, _, epoch = stream.rpartition(":")
        if not stream or not (rest.isascii() and rest.isdecimal()):
            raise BadPosition
        found[stream] = _position(epoch, int(rest) if len(rest) < 20 else OFFSET_MAX + 1)
    return found


def _position(epoch: str, offset: int) -> Position:
    if not 0 <= offset <= OFFSET_MAX:
        raise BadPosition
    return Position(epoch, offset)
