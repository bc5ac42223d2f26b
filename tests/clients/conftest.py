"""Stock clients and our own meet a real server, on the wall clock."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from domain.kernel.clock import SystemClock
from domain.kernel.work import Works
from domain.org.models import Level
from tests.support import server
from tests.support.announcing import RememberedAnnouncements
from tests.support.database import wipe
from tests.support.matrix import Spot, a_union
from tests.support.vault import open_vault


@pytest_asyncio.fixture(scope="package")
async def works(_pool: str) -> AsyncIterator[Works]:
    """Units of work whose people and cases are in force for the server."""
    try:
        async with open_vault():
            yield Works(SystemClock(), RememberedAnnouncements())
    finally:
        await wipe(_pool)


@pytest.fixture(scope="package")
def shared_database(_pool: str) -> str:
    """Its owner's URL, for a test that starts servers of its own."""
    return _pool


@pytest_asyncio.fixture(scope="package")
async def city(works: Works) -> Spot:
    """The federation: there is only one."""
    return await a_union(level=Level.FEDERATION)


@pytest_asyncio.fixture(scope="package")
async def one(works: Works, shared_database: str) -> AsyncIterator[server.Server]:
    """The server, one for all: each test brings its own people."""
    async with server.running_server(shared_database) as running:
        yield running
