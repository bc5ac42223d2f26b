"""A stretch of network that can be cut: a TCP relay between a browser and the server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

CHUNK_BYTES = 65_536


class Tunnel:
    """Relays while it is open; cut, it drops every connection and takes no new one."""

    def __init__(self, port: int, to_port: int) -> None:
        self.port = port
        self._to_port = to_port
        self._listening: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """From here on everything passes."""
        self._listening = await asyncio.start_server(self._relay, "127.0.0.1", self.port)

    async def cut(self) -> None:
        """At once and without a farewell, as a tunnel does."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        for relay in list(self._open):
            relay.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _relay(self, near: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        writers = [near_out]
        try:
            far, far_out = await asyncio.open_connection("127.0.0.1", self._to_port)
            writers.append(far_out)
            await asyncio.wait(
                [
                    asyncio.create_task(_pass(near, far_out)),
                    asyncio.create_task(_pass(far, near_out)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
        except OSError:
            pass  # nobody is there: the browser sees a closed connection
        except asyncio.CancelledError:
            pass  # cut
        finally:
            for writer in writers:
                writer.transport.abort()
            self._open.discard(task)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()


@asynccontextmanager
async def tunnel(port: int, to_port: int) -> AsyncIterator[Tunnel]:
    """An open one for the block."""
    opened = Tunnel(port, to_port)
    await opened.open()
    try:
        yield opened
    finally:
        await opened.cut()
