"""A network that a test can cut, close and lead elsewhere: a TCP proxy on 127.0.0.1."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

CHUNK_BYTES = 65_536


class Proxy:
    """Passes each new connection on to ``target``; what is open stays where it is."""

    def __init__(self, target: int) -> None:
        self.target = target
        """The port that new connections are led to."""
        self.is_closed = False
        """New connections are cut at once: nobody is reached."""
        self.port = 0
        self.accepted = 0
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def graphql(self) -> str:
        """The endpoint, as clients see it."""
        return f"http://127.0.0.1:{self.port}/graphql"

    def cut(self) -> None:
        """Every connection breaks off, in the middle of whatever it carries."""
        for writer in self._open:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.accepted += 1
        if self.is_closed:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        self._open |= {writer, back}
        try:
            await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))
        finally:
            self._open -= {writer, back}
            writer.transport.abort()
            back.transport.abort()


@asynccontextmanager
async def a_proxy(target: int) -> AsyncIterator[Proxy]:
    """A proxy for the block."""
    proxy = Proxy(target)
    listening = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = listening.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        listening.close()
        proxy.cut()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    writer.close()
