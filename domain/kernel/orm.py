"""The ORM's way to the database: ours. Inside a Work models speak in its transaction, else alone.

An engine for Tortoise (``client_class``); migrations, which make the tables, use Tortoise's own.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

from tortoise.backends.asyncpg.client import AsyncpgDBClient

from domain.kernel.database import connection
from domain.kernel.pool import Connection


class Client(AsyncpgDBClient):
    """Takes its connections where everybody does; it never opens a pool of its own."""

    def acquire_connection(self) -> AbstractAsyncContextManager[Connection]:  # type: ignore[override]  # any context manager does
        return connection()

    async def execute_many(self, query: str, values: list[Any]) -> None:
        async with connection() as conn:
            await conn.executemany(query, values)

    def _in_transaction(self) -> Any:
        raise AssertionError("a Work is the transaction")


client_class = Client
