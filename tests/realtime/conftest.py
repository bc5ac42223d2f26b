"""A live layer on twins of its ports."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.live import SmallNode, running


@pytest_asyncio.fixture
async def node() -> AsyncIterator[SmallNode]:
    """A started node; time stands still."""
    async with running(SmallNode()) as started:
        yield started
