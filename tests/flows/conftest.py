"""Flows run on the wall clock, with real servers as processes of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from domain.kernel.clock import SystemClock
from domain.kernel.work import Works
from tests.support.announcing import RememberedAnnouncements
from tests.support.arena import Arena, an_arena
from tests.support.database import wipe


@pytest.fixture
def works_now(database: str, test_keyring: object) -> Works:
    """Units of work on the wall clock: what they make is in force for a real server."""
    return Works(SystemClock(), RememberedAnnouncements())


@pytest_asyncio.fixture(scope="module")
async def _arena(_pool: str) -> AsyncIterator[Arena]:
    try:
        async with an_arena(_pool) as arena:
            yield arena
    finally:
        await wipe(_pool)


@pytest_asyncio.fixture
async def arena(_arena: Arena) -> AsyncIterator[Arena]:
    """A server among strangers, one a module: no test may have an effect on it, or harm anybody."""
    before = await _arena.rows()
    yield _arena
    assert await _arena.rows() == before
    await _arena.assert_unharmed()
