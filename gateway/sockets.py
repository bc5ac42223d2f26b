"""WebSockets at ``/graphql``: the handshake, and who serves the socket from then on.

Under uvicorn as we start it, the socket is taken over whole (``gateway.lane``). Under any other
server plain ASGI messages do: slower, larger, and just as right.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any, TypeAlias

from domain.kernel.ports import Edge
from gateway import browsers
from gateway.lane import LANE
from gateway.lane_transport import LaneTransport
from realtime.frames import text_of
from realtime.hub import Hub
from realtime.metrics import Refusal
from realtime.protocol import SUBPROTOCOL
from realtime.transport import Transport

logger = logging.getLogger(__name__)

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

ASGI_QUEUE_MAX_BYTES = 2_097_152
"""Unsent bytes held for a socket without a lane; the live layer closes it far below."""
RETRY_AFTER_MIN_S, RETRY_AFTER_MAX_S = 3, 8
"""What a node that takes no socket tells who comes (503): to come again, each at another moment."""


class AsgiTransport:
    """Frames through ASGI ``send``, written by a task of their own; for servers without a lane."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: deque[Message] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self.gone = asyncio.Event()
        """Set when the socket is to be given up."""

    def write_frame(self, frame: bytes) -> int:
        """Queue one text frame; the server makes its own header."""
        text = text_of(frame)
        if self._bytes <= ASGI_QUEUE_MAX_BYTES:
            self._bytes += len(text)
            self._waiting.append({"type": "websocket.send", "text": text.decode()})
            self._wake.set()
        return self._bytes

    write_soon = write_frame

    def close(self, code: int, reason: str) -> None:
        """Queue a close."""
        self._waiting.append({"type": "websocket.close", "code": code, "reason": reason})
        self._wake.set()

    def abort(self) -> None:
        """Leave the socket; the server closes it when the application returns."""
        self.gone.set()

    def buffered_bytes(self) -> int:
        """Bytes that ``send`` has not taken yet."""
        return self._bytes

    async def write(self) -> None:
        """Pass the queue on until a close or a failure."""
        try:
            while True:
                while self._waiting:
                    message = self._waiting.popleft()
                    await self._send(message)
                    self._bytes -= len(message.get("text", "").encode())
                    if message["type"] == "websocket.close":
                        return
                self._wake.clear()
                await self._wake.wait()
        except OSError:
            self.gone.set()


class GraphQLSockets:
    """The ASGI application of WebSockets at ``/graphql``.

    ``origins``: the allowed origins of browsers, as ``scheme://host[:port]``. A foreign origin is
    refused (403); a cookie counts only together with an allowed one (RFC 6455 §10.2), a token in
    ``connection_init`` without any.
    """

    def __init__(
        self,
        hub: Hub,
        *,
        origins: Collection[str],
        cookie_name: str,
        client_key: Callable[[str], str] | None = None,
    ) -> None:
        self._hub = hub
        self._origins = frozenset(origin.lower() for origin in origins)
        self._cookie_name = cookie_name
        self._client_key = client_key or _digest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket from its handshake to its end."""
        assert scope["type"] == "websocket", scope["type"]
        if (await receive())["type"] != "websocket.connect":
            return
        # Of headers that come twice the first counts.
        headers: browsers.Headers = dict(reversed(scope["headers"]))
        has_origin = b"origin" in headers
        if has_origin and browsers.text_of(headers, b"origin").lower() not in self._origins:
            self._hub.node.metrics.refusals["origin"] += 1
            await _reject(scope, send, "origin")
            return
        edge = self._edge(scope, headers)
        refusal = self._hub.refusal(edge.client_key)
        if refusal is not None:
            await _reject(scope, send, refusal)
            return
        chosen = SUBPROTOCOL if SUBPROTOCOL in scope.get("subprotocols", ()) else None
        await send({"type": "websocket.accept", "subprotocol": chosen})
        cookie = browsers.cookie_named(self._cookie_name, headers) if has_origin else None
        lane = scope.get("extensions", {}).get(LANE)
        if lane is not None:
            transport = LaneTransport(lane)
            lane.take_over(self._hub.open(transport, subprotocol=chosen, cookie=cookie, edge=edge))
        else:
            await self._serve_plainly(send, receive, chosen, cookie, edge)

    async def _serve_plainly(
        self, send: Send, receive: Receive, chosen: str | None, cookie: str | None, edge: Edge
    ) -> None:
        transport = AsgiTransport(send)
        writer = asyncio.create_task(transport.write())
        gone = asyncio.create_task(transport.gone.wait())
        serving = asyncio.create_task(self._serve(transport, receive, chosen, cookie, edge))
        try:
            await asyncio.wait([gone, serving], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (writer, gone, serving):
                task.cancel()
            await asyncio.gather(writer, gone, serving, return_exceptions=True)

    async def _serve(
        self,
        transport: Transport,
        receive: Receive,
        chosen: str | None,
        cookie: str | None,
        edge: Edge,
    ) -> None:
        connection = self._hub.open(transport, subprotocol=chosen, cookie=cookie, edge=edge)
        try:
            while (message := await receive())["type"] == "websocket.receive":
                text = message.get("text")
                if text is not None:
                    connection.receive_text(text.encode("utf-8", "surrogatepass"))
                else:
                    connection.receive_binary()
        finally:
            connection.lost()

    def _edge(self, scope: Scope, headers: browsers.Headers) -> Edge:
        client = scope.get("client")
        key = self._client_key(client[0] if client else "")
        return Edge(client_key=key, user_agent=browsers.user_agent(headers))


async def _reject(scope: Scope, send: Send, why: Refusal) -> None:
    logger.info("socket refused: %s", why)
    status = 403 if why == "origin" else 503
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1013 if status == 503 else 1008})
        return
    headers = [(b"content-length", b"0")]
    if status == 503:
        after_s = random.randint(RETRY_AFTER_MIN_S, RETRY_AFTER_MAX_S)  # noqa: S311 — spreads load
        headers.append((b"retry-after", str(after_s).encode()))
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b""})


def _digest(address: str) -> str:
    """Not the address itself: nothing personal is kept, not even in memory for long."""
    return hashlib.sha256(address.encode()).hexdigest()[:16]
