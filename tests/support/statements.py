"""What a unit of work sends to the database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from asyncpg.connection import LoggedQuery

from domain.kernel.database import connection, pool


@asynccontextmanager
async def counted_statements() -> AsyncIterator[list[str]]:
    """Inside a Work: the statements that the block sends, in order, complete when it is left."""
    statements: list[str] = []

    def remember(query: LoggedQuery) -> None:
        statements.append(query.query)

    async with connection() as conn:
        conn.add_query_logger(remember)
    try:
        yield statements
        # The driver calls its loggers in the loop's next round.
        await asyncio.sleep(0)
    finally:
        conn.remove_query_logger(remember)


@asynccontextmanager
async def counted_round_trips() -> AsyncIterator[list[str]]:
    """Everything that this process's pool sends inside the block, of whatever task."""
    statements: list[str] = []

    def remember(query: LoggedQuery) -> None:
        statements.append(query.query)

    held = pool()
    taken = [await held.take() for _ in range(held.size)]
    for conn in reversed(taken):  # the one used last stays the next
        conn.add_query_logger(remember)
        held.give(conn)
    try:
        yield statements
        # The driver calls its loggers in the loop's next round.
        await asyncio.sleep(0)
    finally:
        for conn in taken:
            conn.remove_query_logger(remember)
