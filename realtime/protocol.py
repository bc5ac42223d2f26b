"""The ``graphql-transport-ws`` server as a pure state machine: frames in, effects out.

No I/O, no clock, no task: the shell (``realtime.connection``) carries out the effects in order and
tells what came of them. An operation is named by the object that ``Start`` carried, not by its id:
an id may be used again once its operation ended, and what a former bearer still says is dropped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Any, TypeAlias
from uuid import UUID

from domain.kernel.json_text import JsonCharacter
from domain.kernel.ports import GraphQLRequest
from domain.kernel.streams import Json
from realtime.bounds import FRAME_MAX_BYTES, OPS_PER_CONNECTION_MAX
from realtime.close_codes import MEANINGS, CloseCode, cut_reason
from realtime.messages import (
    BadMessage,
    Complete,
    Init,
    Message,
    Ping,
    Pong,
    Subscribe,
    read_message,
    write_json,
)

SUBPROTOCOL = "graphql-transport-ws"
IDS_KEPT = 1_024
"""Ids written once for all their sockets: those of clients that count; others' differ anyway."""


class Phase(Enum):
    """Where a connection stands."""

    OPENED = "opened"
    AUTHENTICATING = "authenticating"
    READY = "ready"
    CLOSED = "closed"


@dataclass(eq=False, slots=True)
class OpenOperation:
    """One operation of a client, from its ``subscribe`` to its end."""

    id: str
    id_json: bytes = field(init=False, repr=False)
    next_prefix: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.id_json, self.next_prefix = _written(self.id)


@lru_cache(maxsize=IDS_KEPT)
def _written(id_: str) -> tuple[bytes, bytes]:
    """The id as JSON, and what a ``next`` begins with: one object for all who use short ids."""
    written = json.dumps(id_).encode()  # orjson's buffer would stay with it: 4 KiB
    return written, b'{"id":' + written + b',"type":"next","payload":'


@dataclass(frozen=True, slots=True)
class Send:
    """Write this text frame."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """Close the socket; nothing follows."""

    code: CloseCode
    reason: str


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Find out who it is, then ``acknowledge`` or ``refuse``."""

    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Start:
    """Run the operation; report with ``next_frame`` and ``complete`` or ``fail``."""

    operation: OpenOperation
    request: GraphQLRequest


@dataclass(frozen=True, slots=True)
class Stop:
    """The client wants no more of it; nothing is sent back."""

    operation: OpenOperation


Effect: TypeAlias = Send | Close | Authenticate | Start | Stop


class ServerProtocol:
    """One connection's state. Methods called after the end return nothing to do."""

    __slots__ = ("_open", "_subprotocol", "phase")

    def __init__(self, subprotocol: str | None = SUBPROTOCOL) -> None:
        self.phase = Phase.OPENED
        self._subprotocol = subprotocol
        self._open: dict[str, OpenOperation] = {}

    # What happens at the socket

    def opened(self) -> list[Effect]:
        """The handshake is done. A socket of another subprotocol is closed (4406)."""
        return [] if self._subprotocol == SUBPROTOCOL else self.close(CloseCode.BAD_SUBPROTOCOL)

    def receive_text(self, raw: bytes) -> list[Effect]:
        """A text frame has come."""
        if self.phase is Phase.CLOSED:
            return []
        try:
            message = read_message(raw)
        except BadMessage as bad:
            return self.close(CloseCode.BAD_REQUEST, str(bad))
        return self._take(message)

    def receive_binary(self) -> list[Effect]:
        """A binary frame has come: only JSON text is spoken here."""
        return self.close(CloseCode.BAD_REQUEST, "Invalid message: text frames only")

    def init_timed_out(self) -> list[Effect]:
        """The time for ``connection_init`` is over; one that is being looked at may go on."""
        return self.close(CloseCode.INIT_TIMEOUT) if self.phase is Phase.OPENED else []

    def lost(self) -> list[Effect]:
        """The socket is gone: every operation stops."""
        self.phase = Phase.CLOSED
        stopped: list[Effect] = [Stop(operation) for operation in self._open.values()]
        self._open.clear()
        return stopped

    # What the shell found out

    def acknowledge(self, payload: bytes) -> list[Effect]:
        """The connection may be used from here on; ``payload`` is a JSON object."""
        if self.phase is not Phase.AUTHENTICATING:
            return []
        self.phase = Phase.READY
        return [Send(b'{"type":"connection_ack","payload":' + payload + b"}")]

    def refuse(self, reason: str = "") -> list[Effect]:
        """Nobody, or nobody any more."""
        return self.close(CloseCode.FORBIDDEN, reason)

    def close(self, code: CloseCode, reason: str = "") -> list[Effect]:
        """End the connection: operations stop first, then the close frame."""
        if self.phase is Phase.CLOSED:
            return []
        return [*self.lost(), Close(code, cut_reason(reason or MEANINGS[code].text))]

    def is_open(self, operation: OpenOperation) -> bool:
        """Whether the client still waits for this operation."""
        return self._open.get(operation.id) is operation

    def next_frame(self, operation: OpenOperation, payload: bytes) -> bytes | None:
        """The ``next`` frame of a result, or None when nobody waits for it."""
        if self._open.get(operation.id) is not operation:
            return None
        return operation.next_prefix + payload + b"}"

    def complete(self, operation: OpenOperation) -> bytes | None:
        """End the operation well; its id is free again."""
        if not self._forget(operation):
            return None
        return b'{"id":' + operation.id_json + b',"type":"complete"}'

    def fail(self, operation: OpenOperation, errors: list[Json]) -> bytes | None:
        """End the operation with errors; no ``complete`` follows."""
        return _error_frame(operation.id, errors) if self._forget(operation) else None

    def _forget(self, operation: OpenOperation) -> bool:
        if not self.is_open(operation):
            return False
        del self._open[operation.id]
        return True

    def _take(self, message: Message) -> list[Effect]:
        match message:
            case Init():
                return self._init(message)
            case Ping(payload):
                return [Send(_pong_frame(payload))]
            case Pong():
                return []
            case Subscribe():
                return self._subscribe(message)
            case Complete(id_):
                operation = self._open.pop(id_, None)
                return [Stop(operation)] if operation else []

    def _init(self, message: Init) -> list[Effect]:
        if self.phase is not Phase.OPENED:
            return self.close(CloseCode.TOO_MANY_INITS)
        self.phase = Phase.AUTHENTICATING
        return [Authenticate(message.payload or {})]

    def _subscribe(self, message: Subscribe) -> list[Effect]:
        if self.phase is not Phase.READY:
            return self.close(CloseCode.UNAUTHORISED)
        if message.id in self._open:
            reason = f"Subscriber for {message.id} already exists"
            return self.close(CloseCode.DUPLICATE_ID, reason)
        if message.is_unspeakable:
            code = JsonCharacter.code
            errors: list[Json] = [{"message": "unusable text", "extensions": {"code": code}}]
            return [Send(_error_frame(message.id, errors))]
        operation = OpenOperation(message.id)
        self._open[message.id] = operation
        return [Start(operation, message.request)]


def welcome_payload(connection: UUID, ends_at: datetime | None, heartbeat_s: float) -> bytes:
    """What ``connection_ack`` tells a client that knows us."""
    rt = {
        "v": 1,
        "conn": str(connection),
        "exp": int(ends_at.timestamp()) if ends_at is not None else None,
        "hb": round(heartbeat_s * 1000),
        "maxBytes": FRAME_MAX_BYTES,
        "maxOps": OPS_PER_CONNECTION_MAX,
    }
    return write_json({"rt": rt})


def live_frame(operation: OpenOperation, places: Mapping[str, tuple[str, int]]) -> bytes:
    """The ``ping`` that tells from which place in each stream an operation is live."""
    return ping_frame(b'{"rt":{"live":{%b:%b}}}' % (operation.id_json, write_json(places)))


def ping_frame(payload: bytes | None = None) -> bytes:
    """A ``ping`` of ours; ``payload`` is a JSON object."""
    return b'{"type":"ping"}' if payload is None else b'{"type":"ping","payload":' + payload + b"}"


def _pong_frame(payload: Mapping[str, Any] | None) -> bytes:
    if payload is None:
        return b'{"type":"pong"}'
    return b'{"type":"pong","payload":' + write_json(payload) + b"}"


def _error_frame(id_: str, errors: list[Json]) -> bytes:
    return b'{"id":' + write_json(id_) + b',"type":"error","payload":' + write_json(errors) + b"}"
