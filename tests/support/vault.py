"""A keyring and cheap password hashing for tests: a plugin of the top conftest."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest_asyncio

from domain.kernel.database import connection
from domain.vault import service as vault
from domain.vault.custody import insert_rows
from domain.vault.keyring import Keyring, new_hierarchy
from domain.vault.passwords import Cost, Passwords, Profile, install_passwords

TEST_ROOT = bytes(range(32))
CHEAP_COSTS = {
    Profile.MEMBER: Cost(memory_kib=8, passes=1, lanes=1),
    Profile.STAFF: Cost(memory_kib=16, passes=1, lanes=1),
}
TEST_ROWS = new_hierarchy(TEST_ROOT)


@asynccontextmanager
async def open_vault() -> AsyncIterator[Keyring]:
    """The vault is open: the same keys for every test, their rows in the emptied database."""
    async with connection() as conn:
        await insert_rows(conn, TEST_ROWS)
    keyring = Keyring(TEST_ROOT, TEST_ROWS)
    passwords = Passwords(CHEAP_COSTS)
    vault.install(keyring)
    install_passwords(passwords)
    try:
        yield keyring
    finally:
        passwords.close()


@pytest_asyncio.fixture
async def test_keyring(database: str) -> AsyncIterator[Keyring]:
    """``open_vault`` for one test."""
    async with open_vault() as keyring:
        yield keyring
