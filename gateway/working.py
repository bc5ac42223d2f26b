"""The worker: runs the jobs that works have left, at least once, each by its handler's name."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import asyncpg
import orjson
from pgqueuer import PgQueuer
from pgqueuer.models import Job

from domain import reactions
from domain.kernel.database import SERVER_ROLE
from domain.kernel.work import Works

if TYPE_CHECKING:
    from gateway.wiring import House

log = logging.getLogger("unionhall.worker")

JOBS_AT_ONCE_MAX = 4
"""Each may hold a connection of the pool; requests need the rest."""


async def work(house: House, database_url: str) -> None:
    """Run jobs until cancelled or told to stop. Nothing is lost by stopping: they stay queued."""
    if not reactions.JOBS:
        return
    settings = {"role": SERVER_ROLE, "timezone": "UTC", "application_name": "unionhall-worker"}
    queue_connection = await asyncpg.connect(database_url, server_settings=settings)
    try:
        queue = PgQueuer.from_asyncpg_connection(queue_connection)
        for name, handler in reactions.JOBS.items():
            _register(queue, name, handler, house.works)
        await queue.run(max_concurrent_tasks=JOBS_AT_ONCE_MAX)
    finally:
        await queue_connection.close()


def _register(queue: PgQueuer, name: str, handler: reactions.JobHandler, works: Works) -> None:
    @queue.entrypoint(name)
    async def run(job: Job) -> None:
        try:
            await handler(works, orjson.loads(job.payload or b"{}"))
        except Exception as bug:
            # The queue keeps the job for another try; its payload must not reach the log.
            log.error("job failed: %s %s (%s)", name, job.id, type(bug).__name__)
            raise
