"""A head too long or too slow is given up, and costs the others nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import uvicorn

from gateway import wire
from gateway.wire import BoundedHttp
from tests.support.doors import door

GOOD = b"GET /graphql?query={who} HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest_asyncio.fixture
async def port() -> AsyncIterator[int]:
    """A server with a small schema, on this loop."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(door(), http=BoundedHttp, lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve([listener]))
        yield listener.getsockname()[1]
        server.should_exit = True
        await serving


async def answer(port: int, *pieces: bytes) -> bytes:
    """What comes back until the server closes, or a whole answer is there."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(5):
            return await reader.read(64)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_a_head_without_end_is_refused(port: int) -> None:
    endless = [b"GET / HTTP/1.1\r\n", b"x: ", *(b"y" * 8_192 for _ in range(20))]

    refused = await answer(port, *endless)

    assert refused == b"" or refused.startswith(b"HTTP/1.1 431")
    assert (await answer(port, GOOD)).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("begun", [b"", b"GET / HTT", b"GET / HTTP/1.1\r\nhost: x\r\n"])
async def test_a_head_that_does_not_come_is_not_waited_for(
    port: int, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "HEAD_S_MAX", 0.05)

    assert await answer(port, begun) == b""


async def test_a_kept_connection_asks_again_and_again(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(3):
        writer.write(GOOD)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert await reader.readexactly(len(b'{"data":{"who":"nobody"}}'))
    writer.close()
