"""A live layer on twins of its ports."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.live import SmallNode, running
from tests.support.sockets import Server, ringed, serving_sockets


@pytest_asyncio.fixture
async def node() -> AsyncIterator[SmallNode]:
    """A started node; time stands still."""
    async with running(SmallNode()) as started:
        yield started


@pytest_asyncio.fixture(params=["lane", "ring", "plain ASGI"])
async def server(request: pytest.FixtureRequest, node: SmallNode) -> AsyncIterator[Server]:
    """The node's sockets on a port of its own: with the lane, with a ring too, with neither."""
    with contextlib.ExitStack() as stack:
        if request.param == "ring":
            stack.enter_context(ringed(node))
        async with serving_sockets(node, has_lane=request.param != "plain ASGI") as serving:
            yield serving
