"""uvicorn's HTTP, with bounds on heads, and a short way for what comes and goes in one piece.

With ``gateway.lane`` and ``gateway.handshake`` the only file that knows uvicorn's insides. A peer
that dribbles or never ends its head costs one timer and at most ``HEAD_BYTES_MAX`` plus one read; a
head in one piece costs no timer. Under another server, or where anything is out of the ordinary,
``whole_body`` and ``answer`` decline, and ASGI's ``receive`` and ``send`` do the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, cast
from weakref import ref

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.handshake import QuickLane
from gateway.lane import LaneProtocol

HEAD_BYTES_MAX = 16_384
"""Request line and headers; browsers send two kilobytes, a GET with a query some more."""
HEAD_S_MAX = 10.0
"""For a whole head: over the worst telephone line it takes two seconds."""

CYCLE = "unionhall.cycle"
"""The key of the ASGI scope under which uvicorn's own record of the request is, referred to weakly:
the record has the scope, and each request would leave cyclic garbage."""
_OK = b"HTTP/1.1 200 OK\r\n%b%bcontent-length: %d\r\n\r\n%b"
_TOO_LARGE = b"\r\n".join(
    [
        b"HTTP/1.1 431 Request Header Fields Too Large",
        *(b"content-length: 0", b"connection: close", b"", b""),
    ]
)


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's protocol that gives up on a head too long or too slow."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head_bytes = 0
        self._is_head_open = True
        self._head_timer: asyncio.TimerHandle | None = None
        self._is_upgrade: bool | None = None

    def connection_made(
        self,
        transport: asyncio.Transport,  # type: ignore[override]  # as uvicorn has it
    ) -> None:
        """A connection on which nothing comes is not kept."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse; then see whether a head is still open, and how much of it has come."""
        super().data_received(data)
        if not self._is_head_open:
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()
        self._await_head()

    def on_message_begin(self) -> None:
        """The first byte of a head, the first or a later one on this connection."""
        super().on_message_begin()
        self._is_upgrade = None
        if not self._is_head_open:
            self._is_head_open = True
            self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._end_head()
        super().on_headers_complete()
        if self.cycle is not None and self.cycle.scope is self.scope:
            cast("dict[str, Any]", self.scope)[CYCLE] = ref(self.cycle)

    def _should_upgrade(self) -> bool:
        # Asked three times a head, and found by looking through it.
        if self._is_upgrade is None:
            self._is_upgrade = super()._should_upgrade()
        return self._is_upgrade

    def handle_websocket_upgrade(self) -> None:
        """A usual handshake is answered from what has been parsed; any other is parsed again."""
        if self.cycle is not None and not self.cycle.response_complete:
            # Its answer would come among the socket's frames, and HTTP's timer end the socket.
            self.transport.close()
            return
        if self.ws_protocol_class is not LaneProtocol or not QuickLane.opened(self):
            super().handle_websocket_upgrade()
            self._refuse_unread()
        # The parser and this refer to each other: each socket would leave cyclic garbage.
        self.parser = None  # type: ignore[assignment]  # as uvicorn leaves it at the end

    def _refuse_unread(self) -> None:
        # To a head that it cannot read (a body, a line too long, too many lines) the library says
        # nothing, and nothing would end the wait.
        lane = self.transport.get_protocol()
        if isinstance(lane, LaneProtocol) and not lane.handshake_initiated:
            self.send_400_response("Invalid HTTP request received.")

    def _await_head(self) -> None:
        if self._head_timer is None and not self.transport.is_closing():
            self._head_timer = self.loop.call_later(HEAD_S_MAX, self._give_up)

    def _end_head(self) -> None:
        self._is_head_open = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()


def whole_body(scope: Mapping[str, Any]) -> bytes | None:
    """The request's body where all of it is here; else None, and it must be received."""
    cycle = _cycle(scope)
    if cycle is None or cycle.more_body or cycle.disconnected:
        return None
    return bytes(cycle.body)


def head_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The lines of a head for ``answer``, but for its length and what the server adds."""
    return b"".join(b"%b: %b\r\n" % header for header in headers)


def answer(scope: Mapping[str, Any], head: bytes, body: bytes) -> bool:
    """Write a whole 200 at once. False where it must be sent: nothing has happened then."""
    cycle = _cycle(scope)
    if cycle is None or cycle.more_body or cycle.response_started or not cycle.keep_alive:
        return False
    if cycle.disconnected or cycle.flow.write_paused:
        return False
    added = head_of(cycle.default_headers)
    cycle.response_started = cycle.response_complete = True
    cycle.transport.write(_OK % (added, head, len(body), body))
    cycle.message_event.set()
    cycle.on_response()
    return True


def _cycle(scope: Mapping[str, Any]) -> RequestResponseCycle | None:
    found: ref[RequestResponseCycle] | None = scope.get(CYCLE)
    return found() if found is not None else None
