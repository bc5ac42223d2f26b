"""The one door to PostgreSQL: connection settings, reads under an actor's row-level security.

The running program takes a non-owner role at connect, so policies bind it. A read without the
transaction-local settings sees no protected row: a mistake fails closed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg
from tortoise import Tortoise
from tortoise.connection import get_connections
from tortoise.exceptions import DBConnectionError

from domain.kernel.actor import Actor
from domain.kernel.capabilities import Capability

if TYPE_CHECKING:
    Connection: TypeAlias = (
        asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    )
    Record: TypeAlias = asyncpg.Record
else:
    Connection = Any
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

_bound: ContextVar[Actor | None] = ContextVar("bound_actor", default=None)

MODEL_MODULES = (
    "domain.org.models",
    "domain.audit.models",
    "domain.access.models",
    "domain.members.models",
    "domain.vault.models",
    "domain.consultations.models",
    "domain.notices.models",
)

_CONTEXT_SQL = (
    "SELECT set_config('app.account', $1, true), set_config('app.member', $2, true),"
    " set_config('app.consultant', $3, true), set_config('app.territory', $4, true),"
    " set_config('app.line', $5, true), set_config('app.system', $6, true)"
)


class _Connection(asyncpg.Connection):
    """A pooled connection that is handed back without a round trip for tidying up.

    Nothing of ours outlives its transaction on one: settings are transaction-local, locks too.
    """

    def get_reset_query(self) -> str:
        """Nothing to reset."""
        return ""


def tortoise_config(
    url: str, *, role: str | None = SERVER_ROLE, pool_min: int = 1, pool_max: int = 10
) -> dict[str, Any]:
    """Tortoise's configuration for a ``postgresql://`` URL; ``role`` None keeps the URL's own."""
    parts = urlsplit(url)
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    settings = {
        "statement_timeout": str(STATEMENT_TIMEOUT_MS),
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
        "minsize": pool_min,
        "maxsize": pool_max,
        "server_settings": settings,
        "connection_class": _Connection,
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
    """Open the process's pool. Once a process, before anything else of the domain."""
    await Tortoise.init(
        config=tortoise_config(url, role=role, pool_min=pool_min, pool_max=pool_max),
        _enable_global_fallback=True,
    )


async def disconnect() -> None:
    """Close the pool."""
    await Tortoise.close_connections()


@asynccontextmanager
async def connection() -> AsyncIterator[Connection]:
    """The current Work's connection inside one, else one from the pool."""
    client = get_connections().get(CONNECTION)
    async with client.acquire_connection() as conn:
        yield conn


async def fetch(sql: str, *args: object) -> Sequence[Record]:
    """Rows of tables that no policy protects."""
    async with connection() as conn:
        rows: Sequence[Record] = await conn.fetch(sql, *args)
        return rows


async def fetch_as(actor: Actor, sql: str, *args: object) -> Sequence[Record]:
    """Rows as the actor may see them under row-level security."""
    async with connection() as conn:
        if conn.is_in_transaction():
            # Inside a Work: its opening has set the context, for its own actor and no other.
            assert _bound.get() == actor, "another actor's context"
            rows: Sequence[Record] = await conn.fetch(sql, *args)
            return rows
        async with conn.transaction(readonly=True):
            await set_context(conn, actor)
            return await conn.fetch(sql, *args)


def is_passing(error: BaseException) -> bool:
    """Whether the database failed for a reason that passes: away, crowded, or a lost race.

    What was asked for did not happen (at a commit: may have happened); trying again is right.
    """
    if isinstance(error, asyncpg.DataError):
        return False  # a value that does not fit, although it is an InterfaceError too
    return isinstance(error, (*UNREACHABLE, *_CROWDED))


@contextmanager
def bound_to(actor: Actor) -> Iterator[None]:
    """Inside the block every ``fetch_as`` of this task must be this actor's. For ``Works.open``."""
    token = _bound.set(actor)
    try:
        yield
    finally:
        _bound.reset(token)


async def set_context(conn: Connection, actor: Actor) -> None:
    """Tell the policies who asks, until the transaction ends."""
    scope = actor.scope(Capability.MEMBER_READ)
    await conn.execute(
        _CONTEXT_SQL,
        str(actor.account_id or ""),
        str(actor.member_id or ""),
        str(actor.consultant_id or ""),
        ",".join(scope.territory),
        ",".join(scope.line),
        "on" if actor.is_system else "",
    )
