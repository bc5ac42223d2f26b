"""A live layer on twins of its ports."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.live import SmallNode, running
from tests.support.sockets import Server, serving_sockets


@pytest_asyncio.fixture
async def node() -> AsyncIterator[SmallNode]:
    """A started node; time stands still."""
    async with running(SmallNode()) as started:
        yield started


@pytest_asyncio.fixture(params=["lane", "plain ASGI"])
async def server(request: pytest.FixtureRequest, node: SmallNode) -> AsyncIterator[Server]:
    """The node's sockets on a port of its own, with and without the lane."""
    async with serving_sockets(node, has_lane=request.param == "lane") as serving:
        yield serving
