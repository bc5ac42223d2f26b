"""A node of the live layer behind uvicorn, with and without the lane, and clients of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from gateway.lane import LANE, UVICORN_OPTIONS
from gateway.outlet import RingOutlet, granted_ring
from gateway.sockets import GraphQLSockets
from gateway.wire import BoundedHttp
from tests.support.live import SmallNode

OURS = Subprotocol("graphql-transport-ws")
ORIGIN = "https://hall.example"


class Server:
    """A node behind uvicorn."""

    def __init__(self, node: SmallNode, port: int) -> None:
        self.node = node
        self.port = port
        self.scopes: list[Any] = []

    async def connect(self, **options: Any) -> ClientConnection:
        """Connect; permessage-deflate is offered, as browsers do."""
        options.setdefault("subprotocols", [OURS])
        url = f"ws://127.0.0.1:{self.port}/graphql"
        return await connect(url, proxy=None, **options)

    async def sign_in(self, **options: Any) -> ClientConnection:
        ws = await self.connect(**options)
        await say(ws, {"type": "connection_init", "payload": {"token": "t"}})
        assert (await hear(ws))["type"] == "connection_ack"
        return ws


async def say(ws: ClientConnection, message: object, *, ensure_ascii: bool = True) -> None:
    await ws.send(json.dumps(message, ensure_ascii=ensure_ascii, separators=(",", ":")))


async def hear(ws: ClientConnection) -> Any:
    return json.loads(await asyncio.wait_for(ws.recv(), 5))


async def closed(ws: ClientConnection) -> tuple[int, str]:
    with contextlib.suppress(ConnectionClosed):
        while await asyncio.wait_for(ws.recv(), 5):
            pass
    assert ws.close_code is not None
    return ws.close_code, ws.close_reason or ""


@contextmanager
def ringed(node: SmallNode, *, few: int = 1) -> Iterator[RingOutlet]:
    """The node's fan-outs go out by the kernel's ring, those of so few too; else it is skipped."""
    ring = granted_ring()
    if ring is None:
        pytest.skip("the kernel grants no ring")
    outlet = RingOutlet(ring, node.hub.node.metrics, few)
    node.hub.node.fan_out.outlet = outlet
    yield outlet
    outlet.close()


@asynccontextmanager
async def serving_sockets(node: SmallNode, *, has_lane: bool) -> AsyncIterator[Server]:
    """The node's sockets on a port of its own."""
    application = GraphQLSockets(node.hub, origins=[ORIGIN], cookie_name="session")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert LANE in scope["extensions"]
        if not has_lane:
            del scope["extensions"][LANE]
        await application(scope, receive, send)

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        http=BoundedHttp if has_lane else "auto",
        lifespan="off",
        log_level="warning",
        access_log=False,
        **UVICORN_OPTIONS,
    )
    running_server = uvicorn.Server(config)
    running_server.capture_signals = _leave_signals_alone  # type: ignore[assignment, method-assign]  # in a test
    serving = asyncio.create_task(running_server.serve(sockets=[listener]))
    actor = node.sessions.sign_in()
    node.engine.allow(actor, "cv:1")
    while not running_server.started:  # noqa: ASYNC110 — uvicorn offers no event
        await asyncio.sleep(0.01)
    yield Server(node, listener.getsockname()[1])
    running_server.should_exit = True
    await serving


class _leave_signals_alone:
    def __init__(self, *_: object) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...
