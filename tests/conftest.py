"""What every test may ask for: a database of its own, a frozen clock, units of work."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from domain.kernel.database import connect, disconnect
from domain.kernel.work import Works
from tests.support.announcing import RememberedAnnouncements
from tests.support.clock import FrozenClock
from tests.support.database import drop_database, make_worker_database, wipe

pytest_plugins = ("tests.skips", "tests.support.vault")

POOL_MAX = 8
"""As many as tests have writers at a time; two workers stay far below the server's limit."""


@pytest.fixture(scope="session")
def database_server() -> Iterator[str]:
    """A URL with the right to create databases: given by the environment, or embedded."""
    given = os.environ.get("UNIONHALL_TEST_DATABASE_URL")
    if given:
        yield given
        return
    from tests.support.embedded import embedded_server

    with embedded_server() as url:
        yield url


@pytest_asyncio.fixture(scope="session")
async def worker_database(database_server: str) -> AsyncIterator[str]:
    """This worker's database URL, as its owner. Ask for ``database`` unless you start servers."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    url = await make_worker_database(database_server, worker)
    yield url
    await drop_database(database_server, url)


@pytest_asyncio.fixture(scope="session")
async def _pool(worker_database: str) -> AsyncIterator[str]:
    await connect(worker_database, pool_min=1, pool_max=POOL_MAX)
    yield worker_database
    await disconnect()


@pytest_asyncio.fixture
async def database(_pool: str) -> AsyncIterator[str]:
    """The program's pool (as its non-owner role) on an empty database; yields the owner's URL."""
    yield _pool
    await wipe(_pool)


@pytest.fixture
def clock() -> FrozenClock:
    """A clock that stands still."""
    return FrozenClock()


@pytest.fixture
def announcements() -> RememberedAnnouncements:
    """What was told after commits."""
    return RememberedAnnouncements()


@pytest.fixture
def works(database: str, clock: FrozenClock, announcements: RememberedAnnouncements) -> Works:
    """Units of work on the test's database."""
    return Works(clock, announcements)
