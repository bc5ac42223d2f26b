"""The raw lane: uvicorn's WebSocket protocol, handed over to the live layer.

With ``gateway.handshake`` and ``gateway.incoming`` the only file that knows the WebSocket insides
of uvicorn and websockets.
``LaneProtocol`` is uvicorn's own protocol. It puts itself into the ASGI scope; the application
takes it over after the handshake, and from then on frames go straight from and to the socket: no
task, no queue, no ASGI message. The write buffer can be seen and a dead peer can be cut.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState, ProtocolError
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request

from gateway.incoming import is_between_messages, is_utf8, next_text
from gateway.lane_transport import LaneTransport
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
    out: LaneTransport | None = None
    """What writes to the socket, once the application has it."""
    is_between_messages = False
    """Whether the library has taken whole messages only, so that it need not see the next."""

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
        self.is_between_messages = is_between_messages(self.conn)
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()

    def _forget_handshake(self) -> None:
        # What only the handshake needed is most of an idle socket's memory.
        del self.scope, self.request, self.response

    def data_received(self, data: bytes) -> None:
        """Hear whole messages as they lie there; for all else there is the library."""
        if self.is_between_messages:
            data = self._hear_whole(data)
            if not data:
                return
        if self.taker is None:
            super().data_received(data)
            return
        self.conn.receive_data(data)
        self.handle_events()  # also what came right before a mistake, which uvicorn would drop
        if self.conn.parser_exc is not None:
            self.handle_parser_exception()
        self.is_between_messages = is_between_messages(self.conn)

    def _hear_whole(self, data: bytes) -> bytes:
        """Hear each text frame that is a whole message and whole here; what is left of the data.

        Parsing these by the library's coroutines is a tenth of what a message costs.
        """
        at = 0
        while not self.close_sent and (found := next_text(data, at)) is not None:
            text, at = found
            self._hear(text, is_text=True)
        return data[at:]

    def send_receive_event_to_app(self) -> None:
        """To whoever hears; invalid UTF-8 from a stranger is no error worth a traceback."""
        if self.close_sent or self.transport.is_closing():
            # Nothing is heard any more, and nothing more is to be said about it.
            self.frames = []
            return
        data = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
        is_text = self.curr_msg_data_type == "text"
        if is_text and not is_utf8(data):
            self.frames = []
            self.conn.fail(CloseCode.INVALID_DATA)
            self.handle_parser_exception()
        elif self.taker is None:
            super().send_receive_event_to_app()
        else:
            self.frames = []
            self._hear(bytes(data), is_text=is_text)

    def end_with(self, code: int, reason: str) -> None:
        """Write a close frame; the peer's echo or the timer ends the connection."""
        if self.close_sent or self.transport.is_closing():
            return
        with contextlib.suppress(InvalidState, ProtocolError):
            self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.abort)

    async def send(self, message: Any) -> None:
        """What the application says; a refusal is an answer, which uvicorn forgets to note."""
        await super().send(message)
        self.handshake_complete |= self.close_sent

    def handle_ping(self) -> None:
        """Answer it. A peer that pings and never reads the answers would fill our memory: cut."""
        if self.transport.is_closing():
            return  # nothing follows a close frame
        super().handle_ping()
        if self.transport.get_write_buffer_size() > HARD_BUFFER_BYTES:
            self.transport.abort()

    def handle_close(self, event: Frame) -> None:
        """The peer goes: the application hears it before what is unsent has gone out."""
        super().handle_close(event)
        self._leave()

    def handle_parser_exception(self) -> None:
        """The peer speaks no WebSocket."""
        if self.transport.is_closing():
            return  # it has been told already
        super().handle_parser_exception()
        self._leave()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        if self.out is not None:
            self.out.lost()
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


UVICORN_OPTIONS: Final[Mapping[str, Any]] = {
    "ws": LaneProtocol,
    "ws_max_size": WIRE_MAX_BYTES,
    "ws_ping_interval": None,  # the live layer has its own heartbeat: 1011 is fatal to clients
    "ws_per_message_deflate": False,  # 50 KiB a socket, and prebuilt frames need none
}
"""What uvicorn must be started with for the lane."""
