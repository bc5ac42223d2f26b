"""Migrating arrives at what the models say, once, whoever else tries at the same time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

import asyncpg
import pytest_asyncio

from domain.kernel.database import SERVER_ROLE
from gateway.migrate import migrate, pending, unwritten_changes
from tests.support.database import drop_database, generate_schema, with_database

COLUMNS = """
SELECT table_name, column_name, data_type, character_maximum_length, collation_name, is_nullable,
       column_default IS NOT NULL AS has_default
  FROM information_schema.columns WHERE table_schema = 'public'
   AND table_name NOT IN ('tortoise_migrations', 'schema_sql_files') ORDER BY 1, 2
"""
INDEXES = """
SELECT tablename, regexp_replace(indexdef, ' INDEX \\S+ ', ' INDEX ') AS definition
  FROM pg_indexes WHERE schemaname = 'public'
   AND tablename NOT IN ('tortoise_migrations', 'schema_sql_files') ORDER BY 1, 2
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text AS on_table, contype::text, pg_get_constraintdef(oid) AS definition
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace
   AND conrelid::regclass::text NOT IN ('tortoise_migrations', 'schema_sql_files')
   AND contype <> 'n' ORDER BY 1, 2, 3
"""
POLICIES = "SELECT tablename, policyname, cmd, qual, with_check FROM pg_policies ORDER BY 1, 2"
PROTECTED = """
SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class
 WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
   AND relname NOT IN ('tortoise_migrations', 'schema_sql_files') ORDER BY 1
"""


@pytest_asyncio.fixture
async def empty_database(database_server: str) -> AsyncIterator[str]:
    url = await _create(database_server, "migrated")
    yield url
    await drop_database(database_server, url)


async def _create(server: str, name: str) -> str:
    name = f"unionhall_{name}_{os.getpid()}"
    url = with_database(server, name)
    await drop_database(server, url)
    admin = await asyncpg.connect(server)
    try:
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    finally:
        await admin.close()
    return url


async def _ask(url: str, query: str) -> list[tuple[object, ...]]:
    server = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await server.fetch(query)]
    finally:
        await server.close()


async def test_models_and_migrations_agree() -> None:
    assert await unwritten_changes() == []


async def test_three_processes_at_once_migrate_once(empty_database: str) -> None:
    expected = await pending(empty_database)
    assert expected

    outcomes = await asyncio.gather(*(migrate(empty_database) for _ in range(3)))

    assert sorted(outcomes) == [[], [], expected]
    assert await pending(empty_database) == []
    assert await migrate(empty_database) == []


async def test_the_migrated_schema_is_the_generated_one(
    database_server: str, empty_database: str
) -> None:
    generated = await _create(database_server, "generated")
    try:
        await asyncio.create_task(generate_schema(generated))
        await migrate(empty_database)
        for query in (COLUMNS, INDEXES, CONSTRAINTS, POLICIES, PROTECTED):
            assert await _ask(empty_database, query) == await _ask(generated, query)
    finally:
        await drop_database(database_server, generated)


async def test_a_table_that_comes_later_gets_the_running_roles_grants(
    empty_database: str,
) -> None:
    await migrate(empty_database)
    owner = await asyncpg.connect(empty_database)
    may = "SELECT has_table_privilege('unionhall_app', 'later', 'SELECT')"
    try:
        # As a migration of its own would, with no SQL file changed.
        await owner.execute("CREATE TABLE later (id int)")
        assert not await owner.fetchval(may)
        await migrate(empty_database)
        assert await owner.fetchval(may)
    finally:
        await owner.close()


async def test_migrating_again_takes_no_lock_that_a_reader_would_wait_for(
    empty_database: str,
) -> None:
    await migrate(empty_database)
    reader = await asyncpg.connect(empty_database)
    try:
        async with reader.transaction():
            await reader.fetch("SELECT 1 FROM consultation_message, member, notice LIMIT 1")
            async with asyncio.timeout(10):
                assert await migrate(empty_database) == []
    finally:
        await reader.close()


async def test_the_running_program_owns_nothing(empty_database: str) -> None:
    await migrate(empty_database)

    owned = f"SELECT count(*) FROM pg_class WHERE relowner = '{SERVER_ROLE}'::regrole"
    power = (
        f"SELECT rolsuper, rolbypassrls, rolcanlogin FROM pg_roles WHERE rolname='{SERVER_ROLE}'"
    )
    assert await _ask(empty_database, owned) == [(0,)]
    assert await _ask(empty_database, power) == [(False, False, False)]
