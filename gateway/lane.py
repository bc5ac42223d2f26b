"""The raw lane: uvicorn's WebSocket protocol, handed over to the live layer.

With ``gateway.handshake`` the only file that knows the WebSocket insides of uvicorn and websockets.
``LaneProtocol`` is uvicorn's own protocol. It puts itself into the ASGI scope; the application
takes it over after the handshake, and from then on frames go straight from and to the socket: no
task, no queue, no ASGI message. The write buffer can be seen and a dead peer can be cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Any, Final, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState, ProtocolError
from websockets.frames import Frame
from websockets.http11 import Request

from realtime.bounds import HARD_BUFFER_BYTES
from realtime.connection import Connection

logger = logging.getLogger(__name__)

LANE = "unionhall.lane"
"""The ASGI scope extension that holds the LaneProtocol."""
WIRE_MAX_BYTES = 262_144
"""Above the live layer's own limit, which answers 4400; beyond this the socket is cut (1009)."""


class LaneProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol that hands itself over to the application."""

    taker: Connection | None = None
    """Who hears what comes; None: the application's task does, as under any server."""

    def handle_connect(self, event: Request) -> None:
        """Put the lane into the scope before the application's task runs."""
        super().handle_connect(event)
        scope = getattr(self, "scope", None)
        if scope is not None:
            scope["extensions"][LANE] = self

    def take_over(self, taker: Connection) -> None:
        """From here on ``taker`` hears what comes; the application's task may return."""
        self.taker = taker
        early, self.queue = self.queue, _NOWHERE
        self.writable = _ALWAYS
        self.close_timer = _KEPT
        self._forget_handshake()
        while not early.empty():
            self._pass_on(early.get_nowait())
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()

    def _forget_handshake(self) -> None:
        # What only the handshake needed is most of an idle socket's memory.
        del self.scope, self.request, self.response

    def send_receive_event_to_app(self) -> None:
        """To whoever hears; invalid UTF-8 from a stranger is no error worth a traceback."""
        if self.close_sent:  # nothing is heard any more, and nothing more is to be said about it
            self.frames = []
            return
        data = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
        is_text = self.curr_msg_data_type == "text"
        if is_text and not _is_utf8(data):
            self.frames = []
            self.conn.send_close(1007)
            self.handle_parser_exception()
        elif self.taker is None:
            super().send_receive_event_to_app()
        else:
            self.frames = []
            self._hear(bytes(data), is_text=is_text)

    async def send(self, message: Any) -> None:
        """What the application says; a refusal is an answer, which uvicorn forgets to note."""
        await super().send(message)
        self.handshake_complete |= self.close_sent

    def handle_ping(self) -> None:
        """Answer it. A peer that pings and never reads the answers would fill our memory: cut."""
        super().handle_ping()
        if self.transport.get_write_buffer_size() > HARD_BUFFER_BYTES:
            self.transport.abort()

    def handle_close(self, event: Frame) -> None:
        """The peer goes: the application hears it before what is unsent has gone out."""
        super().handle_close(event)
        self._leave()

    def handle_parser_exception(self) -> None:
        """The peer speaks no WebSocket."""
        super().handle_parser_exception()
        self._leave()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        if isinstance(self.transport, _Watched):
            self.transport.out.lost()
        super().connection_lost(exc)
        self._lose()

    def _pass_on(self, message: Any) -> None:
        if message["type"] == "websocket.receive":
            text = message.get("text")
            self._hear(text.encode() if text is not None else b"", is_text=text is not None)
        elif message["type"] == "websocket.disconnect":
            self._lose()

    def _hear(self, data: bytes, *, is_text: bool) -> None:
        if self.taker is None:
            return
        try:
            if is_text:
                self.taker.receive_text(data)
            else:
                self.taker.receive_binary()
        except Exception as bug:  # never the loop's: it would name what was sent
            logger.error("socket cut: %s", type(bug).__name__)
            self.transport.abort()

    def _leave(self) -> None:
        if self.transport.get_write_buffer_size():
            # A closing transport first sends what it has, to a peer that may never read it.
            self.loop.call_later(self.close_timeout, self.transport.abort)
        self._lose()

    def _lose(self) -> None:
        taker, self.taker = self.taker, None
        if taker is not None:
            taker.lost()


class _Nowhere:
    """A queue that nobody reads any more."""

    def put_nowait(self, message: Any) -> None:
        """Drop it."""


class _Always:
    """Backpressure that nobody waits for: the live layer looks at the buffer itself."""

    def set(self) -> None:
        """Nothing waits."""

    def clear(self) -> None:
        """Nothing waits."""


class _Kept:
    """What uvicorn takes for a closing under way, so that it leaves the socket open."""

    def cancel(self) -> None:
        """Nothing is under way."""


_NOWHERE: Any = _Nowhere()
_ALWAYS: Any = _Always()
_KEPT: Any = _Kept()


def _is_utf8(data: bytes | bytearray | memoryview) -> bool:
    try:
        bytes(data).decode()
    except UnicodeDecodeError:
        return False
    return True


class LaneTransport:
    """Frames straight to the socket, past the event loop's transport where nothing waits there.

    Whoever else writes to that transport, or closes it, does so under this one's eyes.
    """

    __slots__ = ("_descriptor", "_lane", "_transport", "ready")

    def __init__(self, lane: LaneProtocol) -> None:
        self._lane = lane
        self._transport = lane.transport  # at hand: a fan-out would find the lane's cold each time
        self._descriptor = _descriptor(lane.transport)
        self.ready = -1
        """The socket's descriptor where nothing has been written, or closed, since
        ``ready_descriptor`` said that a frame may go past the transport; else -1: ask that."""
        lane.transport = cast(asyncio.Transport, _Watched(lane.transport, self))

    def ready_descriptor(self) -> int:
        """The socket's own, where a frame may go past the transport at this moment; else -1.

        It may not when the transport is closing (the number may soon be another socket's), when
        bytes wait that must go first, or when the transport encrypts.
        """
        transport = self._transport
        is_free = not (transport.is_closing() or transport.get_write_buffer_size())
        self.ready = self._descriptor if is_free else -1
        return self.ready

    def write_frame(self, frame: bytes) -> int:
        """Write one text frame as it is: no extension was negotiated, nothing is masked."""
        transport = self._transport
        if transport.is_closing():
            return 0
        self.ready = -1
        transport.write(frame)
        return transport.get_write_buffer_size()

    def close(self, code: int, reason: str) -> None:
        """Write a close frame; the peer's echo or uvicorn's own timer ends the connection."""
        lane = self._lane
        if lane.close_sent or lane.transport.is_closing():
            return
        with contextlib.suppress(InvalidState, ProtocolError):
            lane.conn.send_close(code, reason)
        lane.transport.write(b"".join(lane.conn.data_to_send()))
        lane.close_sent = True
        lane.close_timer = lane.loop.call_later(lane.close_timeout, lane.transport.abort)

    def abort(self) -> None:
        """Cut the connection."""
        self.ready = -1
        self._transport.abort()

    def lost(self) -> None:
        """The connection is gone: its number is another's from now on."""
        self.ready = self._descriptor = -1

    def buffered_bytes(self) -> int:
        """Bytes in the write buffer."""
        return self._transport.get_write_buffer_size()


class _Watched:
    """The event loop's transport as uvicorn and the library use it: the lane's learns of it."""

    __slots__ = ("_transport", "out")

    def __init__(self, transport: asyncio.Transport, out: LaneTransport) -> None:
        self._transport = transport
        self.out = out

    def __getattr__(self, name: str) -> Any:
        """All else, as the transport has it."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Pongs and close frames."""
        self.out.ready = -1
        self._transport.write(data)

    def close(self) -> None:
        """Once all is sent."""
        self.out.ready = -1
        self._transport.close()

    def abort(self) -> None:
        """At once."""
        self.out.ready = -1
        self._transport.abort()


def _descriptor(transport: asyncio.Transport) -> int:
    raw = transport.get_extra_info("socket")
    if raw is None or transport.get_extra_info("sslcontext") is not None:
        return -1
    number: int = raw.fileno()
    return number


UVICORN_OPTIONS: Final[Mapping[str, Any]] = {
    "ws": LaneProtocol,
    "ws_max_size": WIRE_MAX_BYTES,
    "ws_ping_interval": None,  # the live layer has its own heartbeat: 1011 is fatal to clients
    "ws_per_message_deflate": False,  # 50 KiB a socket, and prebuilt frames need none
}
"""What uvicorn must be started with for the lane."""
