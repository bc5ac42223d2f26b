"""Bus messages as bytes between processes: short JSON arrays, told apart by their first letter."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from domain.kernel.streams import LoggedEvent
from realtime.bus import Carried, Hint, Hints, Whisper


def encode(origin: str, message: Carried) -> bytes:
    """The message, marked with the process it comes from. Raises TypeError for unspeakable text."""
    if isinstance(message, Whisper):
        return orjson.dumps(["w", origin, message.stream, message.kind, message.body])
    event = message.event
    row = None
    if event is not None:
        row = [event.kind, event.is_authority, event.at, event.body, event.authority_version]
    if isinstance(message, Hints):
        return orjson.dumps(["m", origin, message.places, row])
    return orjson.dumps(["h", origin, message.stream, message.epoch, message.offset, row])


def decode(raw: bytes) -> tuple[str, Carried] | None:
    """Origin and message; None for anything else: other versions may share the bus."""
    try:
        match orjson.loads(raw):
            case ["w", str(origin), str(stream), str(kind), dict(body)]:
                return origin, Whisper(stream, kind, body)
            case ["h", str(origin), str(stream), str(epoch), int(offset), row]:
                event = _event(stream, epoch, offset, row) if row is not None else None
                return origin, Hint(stream, epoch, offset, event)
            case ["m", str(origin), [_, *_] as rows, row]:
                places = tuple(
                    (str(stream), str(epoch), int(offset), int(authority_version))
                    for stream, epoch, offset, authority_version in rows
                )
                event = _event(*places[0][:3], row) if row is not None else None
                return origin, Hints(places, event)
    except (ValueError, TypeError):
        pass
    return None


def _event(stream: str, epoch: str, offset: int, row: list[Any]) -> LoggedEvent:
    kind, is_authority, at, body, authority_version = row
    return LoggedEvent(
        stream=stream,
        epoch=epoch,
        offset=offset,
        kind=str(kind),
        is_authority=bool(is_authority),
        at=datetime.fromisoformat(at),
        body=dict(body),
        authority_version=int(authority_version),
    )
