"""Making a database fit to be served: migrations and keys, by itself only where that is safe.

Refuses: to migrate a production database or to make its keys unasked; a person runs the commands.
"""

from __future__ import annotations

import asyncpg

from domain.kernel import generations
from domain.kernel.actor import SYSTEM
from domain.kernel.clock import SystemClock
from domain.kernel.database import connect, disconnect
from domain.kernel.work import Works
from domain.vault.custody import KeysExist, RootKeyMissing, RootKeyUnsafe, init_keys
from gateway.migrate import Tell, migrate, pending
from gateway.settings import Settings
from gateway.wiring import root_key_provider
from realtime.announcer import BusAnnouncer
from realtime.bus import LocalBus

PG_VERSION_MIN = 150_000


class NotPrepared(Exception):
    """The database or the key is not fit; the message says what to do."""


async def prepare(settings: Settings, database_url: str, tell: Tell) -> None:
    """The database at this version, with keys. Raises NotPrepared."""
    await ensure_reachable(database_url)
    if not settings.is_production:
        tell("Bringing the database to this version")
        await migrate(database_url, tell=tell)
        tell("Opening the keys")
        await make_keys(settings, database_url)
        return
    if missing := await pending(database_url):
        raise NotPrepared(
            f"The database lacks {', '.join(missing)}. Run `unionhall migrate` first "
            "(as the role that owns the tables)."
        )
    await _ensure_real(database_url)


async def _ensure_real(database_url: str) -> None:
    server = await asyncpg.connect(database_url)
    try:
        if await server.fetchval("SELECT EXISTS (SELECT FROM org_sample_marker)"):
            raise NotPrepared(
                "This database holds the sample federation, whose passwords everybody knows: "
                "refused in the production profile. Start with an empty database."
            )
    finally:
        await server.close()


async def ensure_reachable(database_url: str) -> None:
    """Pass, or raise NotPrepared with the reason in plain words."""
    try:
        server = await asyncpg.connect(database_url, timeout=10)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as why:
        raise NotPrepared(f"The database cannot be reached: {type(why).__name__}.") from None
    try:
        if await server.fetchval("SHOW server_version_num") < str(PG_VERSION_MIN):
            raise NotPrepared("The database is older than PostgreSQL 15.")
    finally:
        await server.close()


async def renew_log(database_url: str) -> None:
    """Positions that were given out before mean nothing any more."""
    await connect(database_url, pool_min=1, pool_max=1)
    try:
        works = Works(SystemClock(), BusAnnouncer(LocalBus()))
        async with works.open(SYSTEM) as w:
            await generations.renew(w, await generations.timeline_here())
    finally:
        await disconnect()


async def make_keys(settings: Settings, database_url: str) -> bool:
    """The federation has keys; whether they were made now. Raises NotPrepared."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    await connect(database_url, pool_min=1, pool_max=1)
    try:
        await init_keys(root_key_provider(settings))
    except KeysExist:
        return False
    except (RootKeyMissing, RootKeyUnsafe) as why:
        raise NotPrepared(
            f"{why.code}: the root key is missing, or others may read its file (mode 0600)."
        ) from None
    finally:
        await disconnect()
    return True
