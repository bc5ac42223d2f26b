"""The log's generation: what makes positions of a lost history unmistakable.

A database restored from a backup, or a standby promoted before it had everything, gives offsets out
again for other events. Every position holds the generation, so after a change each of them is
refused (``RT_UNRECOVERABLE``), and clients take a snapshot instead of believing what never was.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os

import asyncpg

from domain.kernel.actor import SYSTEM
from domain.kernel.database import fetch, is_passing
from domain.kernel.work import Work, Works

logger = logging.getLogger(__name__)

LOOK_S = 5.0
"""Between two looks at the database's timeline: as late as a lost hint."""

_TIMELINE_SQL = (
    "SELECT ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint AS t"
)
_RENEW_SQL = """
INSERT INTO log_generation AS g (generation, timeline, renewed_at) VALUES ($1, $2, $3)
ON CONFLICT (id) DO UPDATE
    SET generation = EXCLUDED.generation, timeline = EXCLUDED.timeline,
        renewed_at = EXCLUDED.renewed_at
"""


async def timeline_here() -> int | None:
    """The database's timeline; None where the server does not tell: then a person renews."""
    try:
        return int((await fetch(_TIMELINE_SQL))[0]["t"])
    except (asyncpg.InsufficientPrivilegeError, asyncpg.FeatureNotSupportedError):
        return None


async def renew(w: Work, timeline: int | None) -> str:
    """Make every position that was ever given out unrecoverable; the new generation.

    Random and not counted: the same backup may be restored twice.
    """
    assert w.actor.is_system, "only the program renews the log"
    generation = base64.b32encode(os.urandom(5)).decode().lower()
    await w.execute(_RENEW_SQL, generation, timeline, w.now)
    return generation


async def renew_if_promoted(works: Works) -> bool:
    """Renew when the database goes on on another timeline: promoted, or recovered to a point.

    A synchronous standby has lost nothing, and costs one needless snapshot a client.
    """
    timeline = await timeline_here()
    rows = await fetch("SELECT timeline FROM log_generation")
    if timeline is None or (rows and rows[0]["timeline"] == timeline):
        return False
    async with works.open(SYSTEM) as w:
        # Of processes that look at the same time the first renews, and the others see that.
        await w.execute(
            "INSERT INTO log_generation (timeline) VALUES ($1) ON CONFLICT DO NOTHING", timeline
        )
        known = (await w.fetch("SELECT timeline FROM log_generation FOR UPDATE"))[0]["timeline"]
        if known == timeline:
            return False
        generation = await renew(w, timeline)
    logger.warning("on another timeline: positions begin anew (%s)", generation)
    return True


async def watch(works: Works) -> None:
    """Look again and again, until cancelled."""
    while True:
        try:
            await renew_if_promoted(works)
        except Exception as error:
            if not is_passing(error):  # look again all the same: nobody else does
                logger.error("the timeline cannot be read: %s", type(error).__name__)
        await asyncio.sleep(LOOK_S)
