"""The floor of a fan-out: one prebuilt frame, written to each transport and nothing else.

An own asyncio server on `websockets`, whose handshake and reading are the library's; no GraphQL,
no log, no rights. Nothing in Python that writes once a socket can cost less.
"""

from __future__ import annotations

import asyncio

import orjson
import uvloop
from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode

from tests.load.control import event
from tests.load.peers.members import is_member
from tests.load.peers.raw_fanout import serve_events

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


if __name__ == "__main__":
    uvloop.run(serve_events(handle, publish))
