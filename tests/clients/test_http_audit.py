"""The public audit of GraphQL over HTTP finds nothing to say."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator

import pytest_asyncio
import uvicorn

from tests.support.doors import door
from tests.support.node import CLIENTS, install_clients, run_script

AUDITS = 61


@pytest_asyncio.fixture
async def door_url() -> AsyncIterator[str]:
    """The HTTP door under the real HTTP server, on a port of this machine."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(door(), lifespan="off", log_config=None, access_log=False)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve([listener]))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/graphql"
        server.should_exit = True
        await serving


async def test_all_audits_of_graphql_http_pass(door_url: str) -> None:
    install_clients()

    outcome = json.loads(await run_script(CLIENTS / "http_audit.mjs", door_url))

    assert outcome["failed"] == []
    assert outcome["count"] == AUDITS
