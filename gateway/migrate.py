"""Bringing a database to this version of the program, once, whoever else tries at the same time.

Promises: one process migrates (advisory lock on a connection of its own), the others wait and find
the work done; a migration and the note that it was applied commit together, so that a kill between
the two is impossible; policies are replaced inside one transaction. Refuses: to guess.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries
from tortoise.connection import get_connection
from tortoise.context import TortoiseContext
from tortoise.migrations.autodetector import MigrationAutodetector
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget, PlanStep
from tortoise.migrations.operations import AlterModelOptions, Operation
from tortoise.migrations.schema_generator.state import State
from tortoise.migrations.writer import MigrationWriter, format_migration_name
from tortoise.transactions import in_transaction

from domain.kernel.database import APP, CONNECTION, tortoise_config
from domain.migrations import SQL_FILES, sql_text

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

MIGRATION_LOCK = 7_318_003
"""Advisory lock: any number that nothing else of ours uses."""
LOCK_TIMEOUT_MS = 10_000
"""A table lock not had by then is given up: waiting for it would stop every reader behind us."""

NOWHERE = "postgresql://nobody@127.0.0.1/nowhere"
"""Comparing models with migration files connects to no database."""

Tell = Callable[[str], None]


async def migrate(url: str, *, tell: Tell | None = None) -> list[str]:
    """Bring the database to this version; the names of the migrations that were applied now."""
    say = tell or (lambda _what: None)
    owner: Connection = await asyncpg.connect(url, server_settings=_owner_settings())
    try:
        # Waiting here for another process's migration has no limit; waiting for tables has.
        await owner.execute("SET lock_timeout = 0")
        await owner.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
        await owner.execute(f"SET lock_timeout = {LOCK_TIMEOUT_MS}")
        applied = await _apply(url, say)
        await _install_queue(owner)
        await _run_sql_files(owner)
        return applied
    finally:
        await owner.close()


async def pending(url: str) -> list[str]:
    """The migrations that this version has and the database lacks. Changes nothing."""
    async with _tortoise(url):
        return [step.migration.name for step in await _executor().plan(_latest())]


async def unwritten_changes() -> list[str]:
    """What models say and no migration does yet: one line an operation; needs no database."""
    async with _tortoise(NOWHERE) as context:
        return [
            _named(operation)
            for writer in await _next_migrations(context)
            for operation in writer.operations
        ]


async def write_migration(name: str) -> str | None:
    """Write the next migration file from the models; its path, or None when nothing changed."""
    async with _tortoise(NOWHERE) as context:
        for writer in await _next_migrations(context):
            number = int(writer.name.split("_", 1)[0])
            writer.name = format_migration_name(number, name)
            return str(writer.write())
    return None


async def _next_migrations(context: TortoiseContext) -> list[MigrationWriter]:
    assert context.apps is not None, "init has just made them"
    detector = MigrationAutodetector(context.apps, _apps())
    writers = await detector.changes()
    before = await detector._project_state()
    for writer in writers:
        writer.operations = [op for op in writer.operations if not _is_imaginary(op, before)]
    return [writer for writer in writers if writer.operations]


def _is_imaginary(operation: Operation, before: State) -> bool:
    """A one-to-one primary key is ``x`` in files and ``x_id`` in models: no SQL differs."""
    if not isinstance(operation, AlterModelOptions):
        return False
    old = before.models[(APP, operation.name)].options
    return {**old, "pk_attr": ""} == {**operation.options, "pk_attr": ""}


def _named(operation: Operation) -> str:
    """Such as ``AddField Notice title``."""
    words = (getattr(operation, name, None) for name in ("model_name", "name"))
    return " ".join([type(operation).__name__, *(str(word) for word in words if word)])


async def _apply(url: str, say: Tell) -> list[str]:
    async with _tortoise(url):
        await _executor().migrate([])  # makes the table of what was applied, and nothing else
        steps: list[PlanStep] = await _executor().plan(_latest())
        for step in steps:
            target = MigrationTarget(app_label=APP, name=step.migration.name)
            say(f"Migrating: {step.migration.name}")
            if step.migration.atomic:
                # The executor records after its own transaction; inside ours, both commit at once.
                async with in_transaction(CONNECTION) as client:
                    await MigrationExecutor(client, _apps()).migrate([target], direction="forward")
            else:
                await _executor().migrate([target], direction="forward")
    return [step.migration.name for step in steps]


async def _install_queue(owner: Connection) -> None:
    queries = Queries(AsyncpgDriver(owner))
    if await queries.schema_is_installed():
        await queries.upgrade()
    else:
        async with owner.transaction():
            await queries.install()


async def _run_sql_files(owner: Connection) -> None:
    """All in one transaction: a policy is never missing, not even for a moment.

    Only when a file or a table has changed: replacing a policy locks its table, and a process that
    starts must not stand in the way of those that serve. A new table needs the files again, since
    the running role's grants stand in them.
    """
    async with owner.transaction():
        await owner.execute("CREATE TABLE IF NOT EXISTS schema_sql_files (digest text NOT NULL)")
        known = await owner.fetchval("SELECT digest FROM schema_sql_files")
        if known == sql_digest(await _tables(owner)):
            return
        for name in SQL_FILES:
            if text := sql_text(name):
                await owner.execute(text)
        await owner.execute("DELETE FROM schema_sql_files")
        # Anew: the files make tables too.
        digest = sql_digest(await _tables(owner))
        await owner.execute("INSERT INTO schema_sql_files VALUES ($1)", digest)


async def _tables(owner: Connection) -> list[str]:
    rows = await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return [row["tablename"] for row in rows]


def sql_digest(tables: Collection[str]) -> str:
    """What the SQL files were run for: their texts, and the tables that there were."""
    there = sorted(set(tables) - {"schema_sql_files"})
    texts = [sql_text(name) for name in SQL_FILES]
    return hashlib.sha256("\0".join([*texts, *there]).encode()).hexdigest()


def _owner_settings() -> dict[str, str]:
    return {"statement_timeout": "0", "timezone": "UTC", "application_name": "unionhall-migrate"}


@asynccontextmanager
async def _tortoise(url: str) -> AsyncIterator[TortoiseContext]:
    config = tortoise_config(url, role=None)
    settings = config["connections"][CONNECTION]["credentials"]["server_settings"]
    settings |= _owner_settings() | {"lock_timeout": str(LOCK_TIMEOUT_MS)}
    async with TortoiseContext() as context:
        await context.init(config=config)
        yield context


def _apps() -> dict[str, dict[str, Any]]:
    apps: dict[str, dict[str, Any]] = tortoise_config("postgresql://")["apps"]
    return apps


def _executor() -> MigrationExecutor:
    return MigrationExecutor(get_connection(CONNECTION), _apps())


def _latest() -> list[MigrationTarget]:
    return [MigrationTarget(app_label=APP, name="__latest__")]
