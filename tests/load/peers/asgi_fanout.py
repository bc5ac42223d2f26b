"""A fan-out through plain ASGI on uvicorn: one encoding, one ``send`` a socket, no GraphQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.load.control import event, listening
from tests.load.peers.ground import serve
from tests.load.peers.members import is_member

sockets: set[WebSocket] = set()


async def handle(socket: WebSocket) -> None:
    """One socket: a token, then events until it leaves."""
    await socket.accept()
    if not is_member((await socket.receive_json()).get("token")):
        await socket.close(1008)
        return
    sockets.add(socket)
    try:
        await socket.send_text('{"type":"ready"}')
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        pass
    finally:
        sockets.discard(socket)


async def publish(number: int, _topic: str) -> None:
    """The event to everybody, encoded once."""
    message = {"type": "websocket.send", "text": orjson.dumps(event(number)).decode()}
    for socket in tuple(sockets):
        await socket.send(message)


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    """The door."""
    async with listening(publish):
        yield


if __name__ == "__main__":
    serve(Starlette(routes=[WebSocketRoute("/", handle)], lifespan=lifespan))
