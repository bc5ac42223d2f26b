"""A head too long or too slow is given up, and costs the others nothing."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import pytest_asyncio
import uvicorn
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from gateway import wire
from gateway.wire import BoundedHttp
from tests.support.doors import door

GOOD = b"GET /graphql?query={who} HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest_asyncio.fixture
async def port() -> AsyncIterator[int]:
    """The protocol with a small schema, on this loop; without a server's slow end."""
    config = uvicorn.Config(door(), http=BoundedHttp, lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    state.default_headers = [(b"date", b"today")]

    def protocol() -> BoundedHttp:
        return BoundedHttp(config=config, server_state=state, app_state={})

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for each in list(state.connections):
        each.shutdown()
    await server.wait_closed()


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


async def test_a_socket_is_not_opened_before_the_last_request_is_answered(port: int) -> None:
    opening = [b"connection: upgrade", b"upgrade: websocket", b"sec-websocket-version: 13"]
    key = b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="
    upgrade = b"\r\n".join([b"GET /graphql HTTP/1.1", b"host: x", *opening, key, b"", b""])

    assert await answer(port, GOOD + upgrade) == b"", "the answer would be among its frames"
    assert await answer(port, upgrade) != b""


# The short way


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each answer that could be written at once: whether it was."""
    taken: list[bool] = []

    def told(scope: Mapping[str, Any], head: bytes, body: bytes) -> bool:
        taken.append(write(scope, head, body))
        return taken[-1]

    write = wire.answer
    monkeypatch.setattr(wire, "answer", told)
    return taken


def post(query: bytes = b"{who}", *lines: bytes) -> tuple[bytes, bytes]:
    """The head and the body of a request."""
    body = b'{"query":"%b"}' % query
    fixed = [b"POST /graphql HTTP/1.1", b"host: x", b"content-type: application/json"]
    head = b"\r\n".join([*fixed, *lines, b"content-length: %d" % len(body), b"", b""])
    return head, body


async def read_answer(reader: asyncio.StreamReader) -> tuple[set[bytes], bytes]:
    """The lines of an answer's head but for the date, and its body."""
    async with asyncio.timeout(5):
        lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        length = next(line for line in lines if line.startswith(b"content-length: "))
        body = await reader.readexactly(int(length.split()[1]))
    assert b"date: today" in lines
    assert len(lines) == len(set(lines)) + 1, "no header twice"
    return set(lines), body


@pytest.mark.parametrize(
    ("line", "is_short"),
    [
        *((b"x: y", True), (b"accept: application/graphql-response+json", True)),
        *((b"origin: http://127.0.0.1:8000", True), (b"authorization: Bearer u1_good", True)),
        *((b"origin: HTTP://127.0.0.1:8000", False), (b"origin: https://evil.example", False)),
        *((b"accept: text/html", False), (b"authorization: Bearer u1_bad", False)),
    ],
)
async def test_a_whole_request_is_answered_at_once_and_says_what_any_answer_says(
    port: int, at_once: list[bool], monkeypatch: pytest.MonkeyPatch, line: bytes, is_short: bool
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"".join(post(b"{who}", line)))
    short = await read_answer(reader)
    assert at_once == [True] * is_short

    with monkeypatch.context() as without:
        without.setattr(wire, "CYCLE", "of another server")
        head, body = post(b"{who}", line)
        writer.write(head)
        writer.write(body)
        assert await read_answer(reader) == short
    writer.close()


def requests_kept() -> int:
    """How many requests this process has not let go."""
    return sum(isinstance(each, RequestResponseCycle) for each in gc.get_objects())


async def test_a_request_leaves_nothing_to_the_garbage_collector(
    port: int, at_once: list[bool]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    gc.collect()
    before = requests_kept()
    gc.disable()
    try:
        for _ in range(9):
            writer.write(b"".join(post()))
            await read_answer(reader)
        left = requests_kept() - before
    finally:
        gc.enable()
    writer.close()

    assert at_once == [True] * 9
    assert left <= 1, "only the connection's last"


async def test_a_body_that_comes_later_is_waited_for(port: int, at_once: list[bool]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head, body = post(b"{who}", b"expect: 100-continue")
    writer.write(head)
    async with asyncio.timeout(5):
        # Said when the body is asked for: so the head came alone.
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(body)

    assert (await read_answer(reader))[1] == b'{"data":{"who":"nobody"}}'
    assert at_once == [True]
    writer.close()


async def test_requests_sent_together_are_answered_in_their_order(
    port: int, at_once: list[bool]
) -> None:
    texts = [b"one", b"two", b"three"]
    asked = [post(b'{echo(text:\\"%b\\")}' % text) for text in texts]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"".join(head + body for head, body in asked))

    answers = [(await read_answer(reader))[1] for _ in texts]

    assert answers == [b'{"data":{"echo":"%b"}}' % text for text in texts]
    assert at_once == [True] * 3
    writer.close()


@pytest.mark.parametrize("wish", [b"connection: close", b"x: y"])
async def test_who_wants_the_connection_closed_has_it_closed(
    port: int, at_once: list[bool], wish: bytes
) -> None:
    head, body = post(b"{who}", wish)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    is_old = wish == b"x: y"
    writer.write((head.replace(b"HTTP/1.1", b"HTTP/1.0") if is_old else head) + body)

    lines, _ = await read_answer(reader)

    assert b"connection: close" in lines
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    assert at_once == [False]
    writer.close()


async def test_an_answer_to_what_was_not_read_is_sent_the_long_way(
    port: int, at_once: list[bool]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head, _ = post(b"{who}")
    writer.write(head.replace(b"content-length: 17", b"content-length: 99999999"))

    async with asyncio.timeout(5):
        assert (await reader.readline()).startswith(b"HTTP/1.1 413")
    assert at_once == []
    writer.close()


async def test_the_path_with_a_slash_leads_to_the_endpoint(port: int) -> None:
    get = GOOD.replace(b"/graphql?", b"/graphql/?")

    assert (await answer(port, get)).startswith(b"HTTP/1.1 307")
