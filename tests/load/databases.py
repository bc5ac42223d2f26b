"""The database server of a run: the one given by the environment, or a durable private one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg

from gateway.embedded import running
from tests.load.progress import tell
from tests.support.database import drop_database, with_database

DURABLE_SQL = (
    'ALTER DATABASE "{name}" SET synchronous_commit = on',
    'ALTER DATABASE "{name}" SET statement_timeout = 0',
)
"""An acknowledgement in these workloads means committed to disk."""


@contextmanager
def database_server() -> Iterator[str]:
    """A URL with the right to create databases. A private server goes away with its folder."""
    given = os.environ.get("UNIONHALL_TEST_DATABASE_URL")
    if given:
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="unionhall-load-"))
    try:
        with running(folder, is_durable=True, tell=tell) as url:
            yield with_database(url, "postgres")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def fresh_database(server_url: str, purpose: str) -> AsyncIterator[str]:
    """An empty database of this run, dropped at its end; its URL, as its owner."""
    name = f"unionhall_load_{os.getpid()}_{purpose}"
    admin = await asyncpg.connect(server_url)
    try:
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        for statement in DURABLE_SQL:
            await admin.execute(statement.format(name=name))
    finally:
        await admin.close()
    url = with_database(server_url, name)
    try:
        yield url
    finally:
        await drop_database(server_url, url)


async def database_facts(url: str) -> dict[str, object]:
    """What a reader of the figures must know of the server: version, and is a commit on disk."""
    connection = await asyncpg.connect(url)
    try:
        version, fsync, commit = [
            await connection.fetchval("SELECT current_setting($1)", name)
            for name in ("server_version", "fsync", "synchronous_commit")
        ]
    finally:
        await connection.close()
    return {"postgres": version, "is_durable": (fsync, commit) == ("on", "on")}
