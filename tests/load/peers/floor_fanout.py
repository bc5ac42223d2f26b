"""The floor of a fan-out: one prebuilt frame, written to each transport and nothing else.

An own asyncio server on `websockets`, whose handshake and reading are the library's; no GraphQL,
no log, no rights. Nothing in Python that writes once a socket can cost less.
"""

from __future__ import annotations

import asyncio
import gc
import os

import orjson
import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode

from tests.load.control import event, listening
from tests.load.peers.members import is_member

transports: set[asyncio.Transport] = set()


async def handle(socket: ServerConnection) -> None:
    """One socket: a token, then events until it leaves."""
    if not is_member(orjson.loads(await socket.recv()).get("token")):
        await socket.close(1008)
        return
    transports.add(socket.transport)
    try:
        await socket.send('{"type":"ready"}')
        async for _ in socket:
            pass
    finally:
        transports.discard(socket.transport)


async def publish(number: int, _topic: str) -> None:
    """The event to everybody, as bytes on the wire."""
    frame = Frame(Opcode.TEXT, orjson.dumps(event(number))).serialize(mask=False)
    for transport in transports:
        transport.write(frame)


async def main() -> None:
    """Serve until told to end."""
    port = int(os.environ["PORT"])
    async with (
        listening(publish),
        serve(handle, "127.0.0.1", port, backlog=4096, compression=None, ping_interval=None),
    ):
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    uvloop.run(main())
