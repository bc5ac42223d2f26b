"""A laptop sleeps: the server cuts the silent socket, and the stock client comes back by itself."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from gateway.lane import UVICORN_OPTIONS
from gateway.sockets import GraphQLSockets
from tests.support.live import SmallNode, running
from tests.support.node import CLIENTS, install_clients, node
from tests.support.redis_server import eventually


class Quiet(uvicorn.Server):
    """Leaves the signals of the tests alone."""

    def install_signal_handlers(self) -> None: ...

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        await self._serve(sockets)


@asynccontextmanager
async def served(hall: SmallNode) -> AsyncIterator[int]:
    """The node's sockets on a port of their own."""
    app = GraphQLSockets(hall.hub, origins=[], cookie_name="session")
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, lifespan="off", log_level="warning", access_log=False, **UVICORN_OPTIONS
    )
    server = Quiet(config)
    serving = asyncio.create_task(server.serve([listener]))
    await eventually(lambda: server.started)
    yield listener.getsockname()[1]
    server.should_exit = True
    await serving


async def test_the_stock_client_survives_a_sleep() -> None:
    install_clients()
    async with running(SmallNode()) as hall, served(hall) as port:
        hall.sessions.sign_in()
        client = await asyncio.create_subprocess_exec(
            *(node(), "sleep.mjs", f"ws://127.0.0.1:{port}/graphql", "t"),
            cwd=CLIENTS,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert client.stdout is not None
            assert await client.stdout.readline() == b"connected\n"
            client.send_signal(signal.SIGSTOP)
            await hall.timers.advance(3 * hall.hub.node.settings.heartbeat_s)
            await eventually(lambda: not len(hall.hub.node.registry))
            client.send_signal(signal.SIGCONT)
            async with asyncio.timeout(10):
                said = await client.stdout.read()
        finally:
            if client.returncode is None:
                client.kill()
            await client.wait()
    assert said.splitlines()[:2] == [b"closed 1006", b"connected"]
