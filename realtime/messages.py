"""What a client may say on the socket, read from one text frame; anything else is a BadMessage."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

import orjson

from domain.kernel.json_text import BadJson, JsonCharacter, parse_json
from domain.kernel.ports import GraphQLRequest
from realtime.attendance import BadAttendance, is_nobody_there
from realtime.bounds import FRAME_MAX_BYTES, ID_MAX


@dataclass(frozen=True, slots=True)
class Init:
    """``connection_init``."""

    payload: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Ping:
    """``ping``: to be answered with the same payload."""

    payload: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Pong:
    """``pong``: a sign of life, no more."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """``subscribe``: start an operation of any kind.

    ``is_unspeakable``: a text in it holds a NUL or a lone surrogate, which no operation accepts.
    """

    id: str
    request: GraphQLRequest
    is_unspeakable: bool = False


@dataclass(frozen=True, slots=True)
class Complete:
    """``complete``: the client wants no more of an operation."""

    id: str


Message: TypeAlias = Init | Ping | Pong | Subscribe | Complete


class BadMessage(Exception):
    """A frame that is none of ours; its text is the close reason."""


def read_message(raw: bytes) -> Message:
    """The message in a text frame. Raises BadMessage for every other frame whatever."""
    is_unspeakable = False
    try:
        value: Any = parse_json(raw, bytes_max=FRAME_MAX_BYTES)
    except JsonCharacter:
        # Within bounds and well-formed: read it once more to learn which operation to refuse.
        value, is_unspeakable = json.loads(raw), True
    except BadJson as error:
        raise BadMessage(f"Invalid message: {error.code}") from None
    if not isinstance(value, dict):
        raise BadMessage("Invalid message: an object is expected")
    kind = value.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise BadMessage("Invalid message: 'type' is missing or unknown")
    message = reader(value)
    if not is_unspeakable:
        return message
    if isinstance(message, Subscribe):
        return Subscribe(message.id, message.request, is_unspeakable=True)
    raise BadMessage(f"Invalid message: {JsonCharacter.code}")


def write_json(value: object) -> bytes:
    """JSON bytes of what came from a client; never fails, not even on lone surrogates."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode()


T = TypeVar("T")


def _optional(of: Mapping[str, Any], key: str, kind: type[T]) -> T | None:
    value = of.get(key)
    if value is None or isinstance(value, kind):
        return value
    raise BadMessage(f"Invalid message: '{key}' has the wrong type")


def _required(of: Mapping[str, Any], key: str, kind: type[T]) -> T:
    value = of.get(key)
    if isinstance(value, kind):
        return value
    raise BadMessage(f"Invalid message: '{key}' is missing or has the wrong type")


def _id(of: Mapping[str, Any]) -> str:
    id_ = _required(of, "id", str)
    if not 0 < len(id_) <= ID_MAX:
        raise BadMessage(f"Invalid message: 'id' has 1 to {ID_MAX} characters")
    return id_


def _ensure_attendance(said: Mapping[str, Any]) -> None:
    try:
        is_nobody_there(said)
    except BadAttendance:
        raise BadMessage("Invalid message: 'rt.attended' is true or false") from None


def _read_init(of: Mapping[str, Any]) -> Message:
    payload = _optional(of, "payload", dict)
    _ensure_attendance(payload or {})
    return Init(payload)


def _read_ping(of: Mapping[str, Any]) -> Message:
    return Ping(_optional(of, "payload", dict))


def _read_pong(of: Mapping[str, Any]) -> Message:
    _optional(of, "payload", dict)
    return Pong()


def _read_subscribe(of: Mapping[str, Any]) -> Message:
    id_ = _id(of)
    payload = _required(of, "payload", dict)
    request = GraphQLRequest(
        query=_required(payload, "query", str),
        operation_name=_optional(payload, "operationName", str),
        variables=_optional(payload, "variables", dict) or {},
        extensions=_optional(payload, "extensions", dict) or {},
    )
    _ensure_attendance(request.extensions)
    return Subscribe(id_, request)


def _read_complete(of: Mapping[str, Any]) -> Message:
    return Complete(_id(of))


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Message]]] = {
    "connection_init": _read_init,
    "ping": _read_ping,
    "pong": _read_pong,
    "subscribe": _read_subscribe,
    "complete": _read_complete,
}
