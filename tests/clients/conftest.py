"""Stock clients meet a real server, on the wall clock."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from domain.kernel.clock import SystemClock
from domain.kernel.work import Works
from tests.support import server
from tests.support.announcing import RememberedAnnouncements


@pytest.fixture
def works(database: str, test_keyring: object) -> Works:
    """Units of work whose people and cases are in force for the server."""
    return Works(SystemClock(), RememberedAnnouncements())


@pytest_asyncio.fixture
async def one(works: Works, database: str) -> AsyncIterator[server.Server]:
    """The server."""
    async with server.running_server(database) as running:
        yield running
