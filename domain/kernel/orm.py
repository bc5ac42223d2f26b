"""The ORM's seat in a Work: models used inside one speak on its connection, in its transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

from tortoise.backends.asyncpg.client import TransactionWrapper
from tortoise.connection import get_connections

from domain.kernel.database import CONNECTION, Transaction
from domain.kernel.pool import Connection


class _Seat(TransactionWrapper):
    """What Tortoise takes for its transaction; begun by its first statement like any other."""

    def __init__(self, parent: Any, transaction: Transaction) -> None:
        super().__init__(parent)
        self._of = transaction

    def acquire_connection(self) -> AbstractAsyncContextManager[Connection]:  # type: ignore[override]  # any context manager does
        return self._held()

    @asynccontextmanager
    async def _held(self) -> AsyncIterator[Connection]:
        async with self._lock:
            yield await self._of.begun()


@contextmanager
def models_in(transaction: Transaction) -> Iterator[None]:
    """Inside the block this task's models belong to the transaction."""
    connections = get_connections()
    token = connections.set(CONNECTION, _Seat(connections.get(CONNECTION), transaction))
    try:
        yield
    finally:
        connections.reset(token)
