"""One real PostgreSQL for the tests: a template made once, a database a worker, wiped a test."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment
from tortoise.context import TortoiseContext

import domain
from domain.kernel.database import tortoise_config
from domain.migrations import SQL_FILES, sql_text
from gateway.migrate import migrate

TEMPLATE_LOCK = 7_318_001
"""Advisory lock under which one worker makes the template while the others wait."""

_WIPE_SQL = """
DO $$
DECLARE t text; found boolean;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR t IN SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'
             AND tablename NOT LIKE '%migrations%' AND tablename <> 'schema_sql_files' LOOP
        EXECUTE 'SELECT EXISTS (SELECT 1 FROM ' || t || ')' INTO found;
        IF found THEN EXECUTE 'DELETE FROM ' || t; END IF;
    END LOOP;
END
$$
"""


def with_database(url: str, name: str) -> str:
    """The same server, another database."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{name}"))


async def make_worker_database(server_url: str, worker: str) -> str:
    """A fresh database for this worker, copied from the template; its URL."""
    template = f"unionhall_template_{_fingerprint()}"
    name = f"unionhall_test_{worker}_{os.getpid()}"
    admin = await asyncpg.connect(server_url)
    try:
        await admin.execute("SELECT pg_advisory_lock($1)", TEMPLATE_LOCK)
        try:
            if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", template):
                await _make_template(admin, server_url, template)
            await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        finally:
            await admin.execute("SELECT pg_advisory_unlock($1)", TEMPLATE_LOCK)
    finally:
        await admin.close()
    return with_database(server_url, name)


async def drop_database(server_url: str, url: str) -> None:
    """Remove a worker's database."""
    name = urlsplit(url).path.lstrip("/")
    admin = await asyncpg.connect(server_url)
    try:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    finally:
        await admin.close()


async def wipe(url: str) -> None:
    """Delete every row, as the owner, whatever the foreign keys and policies say."""
    owner = await asyncpg.connect(url)
    try:
        await owner.execute(_WIPE_SQL)
    finally:
        await owner.close()


async def _make_template(
    admin: asyncpg.Connection[asyncpg.Record], server_url: str, template: str
) -> None:
    making = f"{template}_making"
    # Of other versions; whoever still needs one makes it again, under the same lock.
    for row in await admin.fetch(
        "SELECT datname FROM pg_database WHERE datname LIKE 'unionhall\\_template\\_%'"
    ):
        await admin.execute(f'DROP DATABASE IF EXISTS "{row["datname"]}" WITH (FORCE)')
    await admin.execute(f'CREATE DATABASE "{making}" TEMPLATE template0')
    await migrate(with_database(server_url, making))
    await admin.execute(f'ALTER DATABASE "{making}" RENAME TO "{template}"')


async def generate_schema(url: str) -> None:
    """Every table from the models, then the SQL files: what migrating must arrive at."""
    # A context of its own: the test session's pool is another one.
    async with TortoiseContext() as context:
        await context.init(config=tortoise_config(url, role=None))
        await context.generate_schemas()
    owner = await asyncpg.connect(url)
    try:
        await owner.execute(QueryBuilderEnvironment().build_install_query())
        for name in SQL_FILES:
            if text := sql_text(name):
                await owner.execute(text)
    finally:
        await owner.close()


def _fingerprint() -> str:
    root = Path(domain.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(
        [
            *root.glob("*/models.py"),
            *root.glob("migrations/**/*.*"),
            root / "kernel" / "fields.py",
            Path(__file__),
        ]
    ):
        if "__pycache__" not in file.parts:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
