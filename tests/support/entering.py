"""Very many rows into one table, fast: no triggers, no foreign keys asked, indexes made afterwards.

What is entered must be right by itself; primary keys, checks and every index hold as before.
"""

from __future__ import annotations

from typing import TypeAlias

import asyncpg

Owner: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
REBUILT_FROM_ROWS = 50_000
"""From so many rows on, making the indexes anew is cheaper than keeping them row by row."""
SORTING_MEMORY = "512MB"
"""A million digests are sorted in it without touching the disk."""

_INDEXES_SQL = """
SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS made_by,
       c.conname AS constraint, pg_get_constraintdef(c.oid) AS constrained_by
  FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype = 'u'
 WHERE i.indrelid = $1::regclass AND NOT i.indisprimary
   AND NOT EXISTS (SELECT 1 FROM pg_constraint f
                    WHERE f.conindid = i.indexrelid AND f.contype = 'f')
 ORDER BY 1
"""


async def enter(owner: Owner, table: str, count: int, sql: str, *args: object) -> None:
    """So many rows by this INSERT, all or none."""
    async with owner.transaction():
        await owner.execute("SET LOCAL session_replication_role = replica")
        await owner.execute("SET LOCAL synchronous_commit = off")
        await owner.execute(f"SET LOCAL maintenance_work_mem = '{SORTING_MEMORY}'")
        dropped = await owner.fetch(_INDEXES_SQL, table) if count >= REBUILT_FROM_ROWS else []
        for each in dropped:
            if each["constraint"]:
                await owner.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{each["constraint"]}"')
            else:
                await owner.execute(f"DROP INDEX {each['name']}")
        done = await owner.execute(sql, *args)
        assert done == f"INSERT 0 {count}", (table, done)
        for each in dropped:
            constrained = f'ADD CONSTRAINT "{each["constraint"]}" {each["constrained_by"]}'
            await owner.execute(
                f"ALTER TABLE {table} {constrained}" if each["constraint"] else each["made_by"]
            )


async def settle(owner: Owner) -> None:
    """What autovacuum would do in its time: statistics, and which pages are seen by everybody."""
    await owner.execute("VACUUM (ANALYZE)")
