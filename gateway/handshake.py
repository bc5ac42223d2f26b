"""The opening of a WebSocket as nearly every client says it, judged from what HTTP's parser read.

``usual`` takes only heads beyond doubt: each header once, in its plain form. It takes nothing that
the ``websockets`` library would refuse, and for any other head, good or bad, it declines, so that
the library reads the head once more and judges it. Refusing is the library's part alone.
"""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha1
from typing import Any, Final, NamedTuple, cast
from urllib.parse import unquote

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from websockets.protocol import State
from websockets.server import ServerProtocol

from gateway.lane import LANE, LaneProtocol

HEADERS_MAX = 64
"""Browsers send fifteen, a proxy some more; the library takes 128."""
BYTES_MAX = 8_000
"""Of a head that is looked at here: less than the library takes in one line (8,192)."""

Headers = list[tuple[bytes, bytes]]

_CONNECTIONS: Final = frozenset({b"upgrade", b"keep-alive, upgrade"})
"""In lower case, as browsers and libraries say it; Firefox the second."""
_KEY: Final = re.compile(rb"[A-Za-z0-9+/]{22}==")
"""Sixteen bytes in base64 (RFC 6455 section 4.1)."""
_KEY_SUFFIX: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TOKEN: Final = re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_BODY: Final = frozenset({b"content-length", b"transfer-encoding"})


class Handshake(NamedTuple):
    """A head that is answered with 101 if the application wants it."""

    path: str
    query: bytes
    headers: Headers
    subprotocols: list[str]
    answer: bytes
    """The first lines of the answer; further headers and an empty line follow."""


def usual(method: str, http_version: str, url: bytes, given: Headers) -> Handshake | None:
    """The handshake; None: the library must look at it."""
    if method != "GET" or http_version != "1.1" or len(given) > HEADERS_MAX:
        return None
    headers = [(name, value.strip(b" \t")) for name, value in given]
    by_name = dict(headers)
    subprotocol = by_name.get(b"sec-websocket-protocol")
    if len(by_name) < len(headers) or not _is_opening(by_name):
        return None
    if subprotocol is not None and not _TOKEN.fullmatch(subprotocol):
        return None
    if not url.isascii() or len(url) + sum(map(len, by_name.values())) > BYTES_MAX:
        return None
    path, _, query = url.partition(b"?")
    return Handshake(
        path=path.decode(),
        query=query,
        headers=headers,
        subprotocols=[subprotocol.decode()] if subprotocol is not None else [],
        answer=_answer(by_name[b"sec-websocket-key"]),
    )


def _is_opening(headers: Mapping[bytes, bytes]) -> bool:
    return (
        headers.get(b"upgrade", b"").lower() == b"websocket"
        and headers.get(b"connection", b"").lower() in _CONNECTIONS
        and headers.get(b"sec-websocket-version") == b"13"
        and _KEY.fullmatch(headers.get(b"sec-websocket-key", b"")) is not None
        and _BODY.isdisjoint(headers)
    )


def _answer(key: bytes) -> bytes:
    # RFC 6455 section 4.2.2 says SHA-1; it shows that we speak the protocol, and guards nothing.
    accept = b64encode(sha1(key + _KEY_SUFFIX, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n" % accept
    )


class QuickLane(LaneProtocol):
    """A lane of a usual handshake: no head is written anew to be parsed once more.

    The application is asked as ever. It is made without uvicorn's constructor: what that sets alike
    for each socket is here once for all.
    """

    handshake_initiated = True
    handshake_complete = close_sent = disconnected = read_paused = False
    close_timer = ping_timer = pong_timer = None
    close_timeout = 10.0
    initial_response = pending_ping_payload = None
    ping_sent_at = last_ping_rtt = 0.0
    curr_msg_data_type = "bytes"

    def __init__(self, http: HttpToolsProtocol, handshake: Handshake) -> None:
        config, state, logger = http.config, http.server_state, http.logger
        self.config, self.app, self.loop, self.logger = config, http.app, http.loop, logger
        self.root_path, self.asgi_version = http.root_path, http.asgi_version
        self.app_state, self.default_headers = http.app_state, state.default_headers
        self.connections, self.tasks = state.connections, state.tasks
        self.transport, self.server, self.client = http.transport, http.server, http.client
        self.scheme = "wss" if http.scheme == "https" else "ws"
        self.ping_interval, self.ping_timeout = config.ws_ping_interval, config.ws_ping_timeout
        self.queue = asyncio.Queue()
        self.writable = asyncio.Event()
        self.writable.set()
        self.frames = []
        # Made open, it reads frames from the first byte on; it may be refused until accepted.
        self.conn = ServerProtocol(
            state=State.OPEN, max_size=config.ws_max_size, logger=http.logger
        )
        self.conn.state = State.CONNECTING
        self._handshake = handshake

    @classmethod
    def opened(cls, http: HttpToolsProtocol) -> bool:
        """Take the connection over from HTTP; False for a head that uvicorn is to hand on."""
        if http.config.ws_per_message_deflate:
            return False
        scope = http.scope
        handshake = usual(scope["method"], scope["http_version"], http.url, http.headers)
        if handshake is None:
            return False
        lane = cls(http, handshake)
        http.connections.discard(http)
        lane.connections.add(lane)
        lane._ask()
        lane.transport.set_protocol(lane)
        return True

    async def send(self, message: Any) -> None:
        """Accept in one piece; anything else as ever."""
        if message["type"] != "websocket.accept" or self.handshake_complete:
            await super().send(message)
            return
        assert not message.get("headers"), "ours adds no headers"
        lines = [self._handshake.answer, *(b"%b: %b\r\n" % each for each in self.default_headers)]
        if message.get("subprotocol"):
            lines.append(b"Sec-WebSocket-Protocol: %b\r\n" % message["subprotocol"].encode())
        if not self.transport.is_closing():
            self.handshake_complete = True
            self.conn.state = State.OPEN
            self.transport.write(b"".join([*lines, b"\r\n"]))
            self.start_keepalive()

    def _ask(self) -> None:
        handshake = self._handshake
        path, root = handshake.path, self.root_path
        self.scope = {
            "type": "websocket",
            "asgi": {"version": self.asgi_version, "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": self.scheme,
            "server": self.server,
            "client": self.client,
            "root_path": root,
            "path": root + (unquote(path) if "%" in path else path),
            "raw_path": (root + path).encode(),
            "query_string": handshake.query,
            "headers": handshake.headers,
            "subprotocols": handshake.subprotocols,
            "state": self.app_state.copy(),
            "extensions": {"websocket.http.response": {}},
        }
        cast("dict[str, Any]", self.scope["extensions"])[LANE] = self
        self.queue.put_nowait({"type": "websocket.connect"})
        task = self.loop.create_task(self.run_asgi())
        task.add_done_callback(self.on_task_complete)
        self.tasks.add(task)

    def _forget_handshake(self) -> None:
        del self.scope, self._handshake
