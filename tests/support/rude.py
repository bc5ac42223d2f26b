"""A client without manners: raw bodies over HTTP, raw frames over WebSocket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

ANSWER_S_MAX = 10.0
JSON = {"content-type": "application/json"}


class Door:
    """``/graphql`` over HTTP, for one caller."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self._url = url
        headers = JSON | ({"authorization": f"Bearer {token}"} if token else {})
        limits = httpx.Limits(max_connections=4)
        self._client = httpx.AsyncClient(
            trust_env=False, headers=headers, limits=limits, timeout=ANSWER_S_MAX
        )

    async def __aenter__(self) -> Door:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def post(self, body: bytes | AsyncIterator[bytes], **headers: str) -> httpx.Response:
        """The answer to a body as it is."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._client.post(self._url, content=body, headers=named)

    async def ask(self, query: str, variables: Mapping[str, Any] | None = None) -> httpx.Response:
        """The answer to an operation."""
        return await self.post(json.dumps({"query": query, "variables": variables}).encode())


def codes(answer: Any) -> set[str]:
    """The codes of the errors in an answer; an error without one is ``none``."""
    return {
        error.get("extensions", {}).get("code") or "none" for error in answer.get("errors") or ()
    }


class Socket:
    """One WebSocket on which anything may be sent."""

    def __init__(self, connection: ClientConnection) -> None:
        self.raw = connection

    async def send(self, message: Any) -> None:
        """An object as JSON; bytes as a text frame, whatever is in them; a str as it is."""
        if isinstance(message, bytes):
            await self.raw.send(message, text=True)
        else:
            await self.raw.send(message if isinstance(message, str) else json.dumps(message))

    async def receive(self) -> Any:
        """The next message that is no ping. Raises ConnectionClosed."""
        async with asyncio.timeout(ANSWER_S_MAX):
            while True:
                message = json.loads(await self.raw.recv())
                if message["type"] != "ping":
                    return message

    async def closed(self) -> int | None:
        """The close code, after whatever else it says."""
        try:
            while True:
                await self.receive()
        except ConnectionClosed:
            return self.raw.close_code

    async def subscribe(self, query: str, variables: Any = None, *, id_: str = "1") -> Any:
        """The first message that answers the operation."""
        payload = {"query": query, "variables": variables}
        await self.send({"id": id_, "type": "subscribe", "payload": payload})
        while (message := await self.receive()).get("id") != id_:
            pass
        return message


@asynccontextmanager
async def a_socket(
    url: str, token: str | None = None, *, says_hello: bool = True, protocol: str | None = None
) -> AsyncIterator[Socket]:
    """A socket, signed in unless it ``says_hello`` not; nobody without a token."""
    async with connect(
        url,
        subprotocols=[Subprotocol(protocol or "graphql-transport-ws")],
        compression=None,
        proxy=None,
        ping_interval=None,
        max_queue=None,  # else what we leave unread holds up our closing
    ) as connection:
        socket = Socket(connection)
        if says_hello:
            payload = {"token": token} if token else {}
            await socket.send({"type": "connection_init", "payload": payload})
            assert (await socket.receive())["type"] == "connection_ack"
        yield socket
