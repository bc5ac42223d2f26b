"""The limit for a fan-out: raw `websockets` and its ``broadcast()``, no GraphQL, no log."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Awaitable, Callable

import orjson
import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

from tests.load.control import event, listening
from tests.load.peers.members import is_member

sockets: set[ServerConnection] = set()


async def handle(socket: ServerConnection) -> None:
    """One socket: a token, then events until it leaves."""
    if not is_member(orjson.loads(await socket.recv()).get("token")):
        await socket.close(1008)
        return
    sockets.add(socket)
    try:
        await socket.send('{"type":"ready"}')
        async for _ in socket:
            pass
    finally:
        sockets.discard(socket)


async def publish(number: int, _topic: str) -> None:
    """The event to everybody, encoded once."""
    broadcast(sockets, orjson.dumps(event(number)), text=True)


async def serve_events(
    handle: Callable[[ServerConnection], Awaitable[None]],
    publish: Callable[[int, str], Awaitable[None]],
) -> None:
    """Serve sockets and the door until told to end."""
    port = int(os.environ["PORT"])
    async with (
        listening(publish),
        # Frames this small gain nothing from deflate; none of the candidates is offered it.
        serve(handle, "127.0.0.1", port, backlog=4096, compression=None, ping_interval=None),
    ):
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    uvloop.run(serve_events(handle, publish))
