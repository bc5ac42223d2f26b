"""The browser app before a real server, in a real browser: one server and one browser a module."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest_asyncio
from playwright.async_api import Browser

from domain.kernel.clock import SystemClock
from domain.kernel.work import Works
from domain.org.models import Level
from tests.support import server
from tests.support.announcing import RememberedAnnouncements
from tests.support.browser import browser, built, chromium
from tests.support.database import wipe
from tests.support.matrix import Spot, a_union
from tests.support.vault import open_vault


@dataclass(slots=True)
class Hall:
    """A running server with its people to be made."""

    server: server.Server
    works: Works
    city: Spot
    database_url: str

    @property
    def url(self) -> str:
        """Where browsers go."""
        return self.server.url


@pytest_asyncio.fixture(scope="module")
async def hall(_pool: str) -> AsyncIterator[Hall]:
    """The server, in front of a database that this module has to itself."""
    chromium()
    built()
    try:
        async with open_vault(), server.running_server(_pool) as running:
            works = Works(SystemClock(), RememberedAnnouncements())
            yield Hall(running, works, await a_union(level=Level.FEDERATION), _pool)
    finally:
        await wipe(_pool)


@pytest_asyncio.fixture(scope="module")
async def chrome(hall: Hall) -> AsyncIterator[Browser]:
    """The browser; each person opens a context in it."""
    async with browser() as opened:
        yield opened
