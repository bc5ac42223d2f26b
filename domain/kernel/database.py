"""The one door to PostgreSQL: the pool, transactions, reads under an actor's row-level security.

The running program takes a non-owner role at connect, so policies bind it. A read without the
transaction-local settings sees no protected row: a mistake fails closed. Nothing of ours outlives
its transaction on a connection (settings and locks are the transaction's), so none is tidied up.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg
from tortoise import Tortoise
from tortoise.exceptions import DBConnectionError

from domain.kernel.actor import Actor
from domain.kernel.context import beginning, context_of, reading
from domain.kernel.pool import Connection as Connection
from domain.kernel.pool import Pool

if TYPE_CHECKING:
    Record: TypeAlias = asyncpg.Record
else:
    Record = Any

UNREACHABLE = (
    *(OSError, DBConnectionError),
    *(asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.CannotConnectNowError),
)
"""What is raised when the database is away: the caller may try again, nothing is wrong with it."""

_CROWDED = (
    *(asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError),
    *(asyncpg.QueryCanceledError, asyncpg.TooManyConnectionsError, TimeoutError),
)

CONNECTION = "default"
APP = "unionhall"
SERVER_ROLE = "unionhall_app"
"""Owns nothing, bypasses nothing: row-level security binds it."""
STATEMENT_TIMEOUT_MS = 15_000
"""Longer than any statement of a request may take; a runaway one ends instead of piling up."""
IDLE_IN_WORK_MS = 30_000
"""Between two statements of a work, twice what a statement may take: then its process hangs, and
nobody must wait for its locks. Its connection is cut and nothing of the work has happened."""
STATEMENTS_KEPT_MAX = 256
"""Prepared statements a connection keeps, for good: some 200 verbs and the plans of common
documents. A statement costs the server about 20 kB, so ten connections stay below 60 MB."""
CONNECT_S = 10.0
"""For opening one connection; a server that is away is told as such, not waited for."""

_pools: list[Pool] = []
_running: ContextVar[Transaction | None] = ContextVar("transaction", default=None)

MODEL_MODULES = (
    "domain.org.models",
    "domain.audit.models",
    "domain.access.models",
    "domain.members.models",
    "domain.vault.models",
    "domain.consultations.models",
    "domain.notices.models",
)


def tortoise_config(url: str, *, role: str | None = SERVER_ROLE) -> dict[str, Any]:
    """Tortoise's configuration for a ``postgresql://`` URL; ``role`` None keeps the URL's own."""
    parts = urlsplit(url)
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    settings = {
        "statement_timeout": str(STATEMENT_TIMEOUT_MS),
        "idle_in_transaction_session_timeout": str(IDLE_IN_WORK_MS),
        "timezone": "UTC",
        "application_name": "unionhall",
    }
    if role is not None:
        settings["role"] = role
    credentials: dict[str, Any] = {
        "host": query.get("host") or parts.hostname or "127.0.0.1",
        "port": int(query.get("port") or parts.port or 5432),
        "user": unquote(parts.username) if parts.username else "postgres",
        "password": unquote(parts.password) if parts.password else None,
        "database": parts.path.lstrip("/") or "postgres",
        "server_settings": settings,
    }
    if "sslmode" in query:
        credentials["ssl"] = query["sslmode"]
    return {
        "connections": {
            CONNECTION: {"engine": "tortoise.backends.asyncpg", "credentials": credentials}
        },
        "apps": {
            APP: {
                "models": list(MODEL_MODULES),
                "default_connection": CONNECTION,
                "migrations": "domain.migrations",
            }
        },
        "use_tz": True,
        "timezone": "UTC",
    }


async def connect(
    url: str, *, role: str | None = SERVER_ROLE, pool_min: int = 1, pool_max: int = 10
) -> None:
    """Make the process's pool. Once a process, before anything else of the domain."""
    config = tortoise_config(url, role=role)
    config["connections"][CONNECTION]["engine"] = "domain.kernel.orm"
    given = config["connections"][CONNECTION]["credentials"]

    async def open_one() -> Connection:
        return await asyncpg.connect(
            **given,
            timeout=CONNECT_S,
            statement_cache_size=STATEMENTS_KEPT_MAX,
            max_cached_statement_lifetime=0,
        )

    await Tortoise.init(config=config, _enable_global_fallback=True)
    _pools.append(Pool(open_one, size_min=pool_min, size_max=pool_max))


async def disconnect() -> None:
    """Close the pool."""
    await _pools.pop().close()
    await Tortoise.close_connections()


def pool() -> Pool:
    """The process's pool."""
    return _pools[-1]


@asynccontextmanager
async def connection() -> AsyncIterator[Connection]:
    """The current Work's connection inside one, else one from the pool."""
    running = _running.get()
    if running is not None:
        yield await running.begun()
        return
    held = pool()
    conn = await held.take()
    try:
        yield conn
    finally:
        held.give(conn)


async def fetch(sql: str, *args: object, is_urgent: bool = False) -> Sequence[Record]:
    """Rows of tables that no policy protects.

    ``is_urgent``: ahead of everybody who waits for a connection, as what revokes must be.
    """
    rows: Sequence[Record]
    running = _running.get()
    if running is not None:
        rows = await (await running.begun()).fetch(sql, *args)
        return rows
    held = pool()
    conn = await held.take(is_urgent=is_urgent)
    try:
        rows = await conn.fetch(sql, *args)
        return rows
    finally:
        held.give(conn)


async def fetch_apart(sql: str, *args: object) -> Sequence[Record]:
    """Rows of a statement that is a transaction by itself, also inside a Work."""
    held = pool()
    conn = await held.take()
    try:
        rows: Sequence[Record] = await conn.fetch(sql, *args)
        return rows
    finally:
        held.give(conn)


async def fetch_as(actor: Actor, sql: str, *args: object) -> Sequence[Record]:
    """Rows as the actor may see them under row-level security, of a SELECT; one round trip.

    What would write is refused (PostgresSyntaxError, ReadOnlySQLTransactionError), outside a Work.
    """
    running = _running.get()
    if running is None:
        return await fetch(reading(sql, len(args)), *args, *context_of(actor))
    # Inside a Work: its beginning sets the context, for its own actor and no other.
    assert running.actor == actor, "another actor's context"
    return await fetch(sql, *args)


class Transaction:
    """One transaction of one actor, begun by its first statement in the round trip that also sets
    the context. Its statements come one by one."""

    __slots__ = ("_conn", "_is_busy", "_is_over", "_pool", "_token", "actor")

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self._pool = pool()
        self._conn: Connection | None = None
        self._is_busy = False
        self._is_over = False

    def enter(self) -> None:
        """From here on every statement of this task belongs to it, until it is left."""
        self._token: Token[Transaction | None] = _running.set(self)

    def leave(self) -> None:
        """Statements of this task are their own again."""
        _running.reset(self._token)

    @property
    def is_begun(self) -> bool:
        """Whether anything was sent."""
        return self._conn is not None

    async def begun(self) -> Connection:
        """The connection, inside the transaction."""
        assert not self._is_over, "a statement after the end of its work"
        if self._conn is None:
            assert not self._is_busy, "two statements of one work at once"
            self._is_busy = True
            conn = await self._pool.take()
            try:
                await conn.execute(beginning(self.actor))
            except BaseException:
                self._is_busy = False
                conn.terminate()
                self._pool.give(conn)
                raise
            self._conn = conn
        return self._conn

    async def ended_by(self, answer: Awaitable[Sequence[Record]]) -> Sequence[Record]:
        """What a statement answers that sets the context by itself and is the whole transaction.

        No row: it has done nothing, and the transaction may yet be begun. Else it is over.
        """
        assert self._conn is None and not self._is_busy and not self._is_over  # noqa: PT018 - one state
        self._is_over = True  # until it is known; and if it never is
        rows = await answer
        self._is_over = bool(rows)
        return rows

    async def commit(self) -> None:
        """Everything is on disk. Raises what the commit raises; then it may have happened."""
        self._is_over = True
        if self._conn is not None:
            try:
                ended = await self._conn.execute("COMMIT")
            finally:
                self._pool.give(self._conn)
            if ended != "COMMIT":  # a refused statement was passed over: PostgreSQL rolls back
                raise asyncpg.InFailedSQLTransactionError("the work had failed before its commit")

    async def rollback(self) -> None:
        """Nothing has happened. Never raises: a connection that can't say so is cut."""
        self._is_over = True
        if self._conn is not None:
            try:
                await self._conn.execute("ROLLBACK")
            except Exception:
                self._conn.terminate()
            finally:
                self._pool.give(self._conn)


def is_passing(error: BaseException) -> bool:
    """Whether the database failed for a reason that passes: away, crowded, or a lost race.

    What was asked for did not happen (at a commit: may have happened); trying again is right.
    """
    if isinstance(error, asyncpg.DataError):
        return False  # a value that does not fit, although it is an InterfaceError too
    return isinstance(error, (*UNREACHABLE, *_CROWDED))
