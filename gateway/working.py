"""The worker: runs the jobs that works have left, at least once, each by its handler's name."""

from __future__ import annotations

import asyncio
import logging

import asyncpg
import orjson
from pgqueuer import PgQueuer
from pgqueuer.models import Job, Schedule

from domain import reactions
from domain.kernel.database import SERVER_ROLE
from domain.kernel.work import Works

log = logging.getLogger("unionhall.worker")

JOBS_AT_ONCE_MAX = 4
"""Each may hold a connection of the pool; requests need the rest."""
BATCH_MAX = JOBS_AT_ONCE_MAX // 2
"""Fetched at once: the queue asks for room for two batches."""
RESTART_S = 5.0
"""After a lost connection; the jobs wait in the database meanwhile."""


class JobFailed(Exception):
    """What the queue may keep and log of a failure: its kind, never what it said of whom."""


async def work(works: Works, database_url: str) -> None:
    """Run jobs until cancelled, whatever becomes of the connection. What was not begun stays."""
    while reactions.JOBS:
        try:
            await _work_on_one_connection(works, database_url)
        except Exception as why:  # a worker that ends silently would be worse than a loud one
            log.error("the worker starts again in %s s: %s", RESTART_S, type(why).__name__)
        await asyncio.sleep(RESTART_S)


async def _work_on_one_connection(works: Works, database_url: str) -> None:
    settings = {"role": SERVER_ROLE, "timezone": "UTC", "application_name": "unionhall-worker"}
    connection = await asyncpg.connect(database_url, server_settings=settings)
    try:
        queue = PgQueuer.from_asyncpg_connection(connection)
        for name, handler in reactions.JOBS.items():
            _register(queue, name, handler, works)
        for name, cron in reactions.SCHEDULE.items():
            _register_schedule(queue, name, cron, works)
        await queue.run(
            batch_size=BATCH_MAX,
            max_concurrent_tasks=JOBS_AT_ONCE_MAX,
            shutdown_on_listener_failure=True,
        )
    finally:
        await connection.close()


def _register(queue: PgQueuer, name: str, handler: reactions.JobHandler, works: Works) -> None:
    @queue.entrypoint(name)
    async def run(job: Job) -> None:
        try:
            await handler(works, orjson.loads(job.payload or b"{}"))
        except Exception as bug:
            log.error("job failed: %s %s (%s)", name, job.id, type(bug).__name__)
            raise JobFailed(type(bug).__name__) from None


def _register_schedule(queue: PgQueuer, name: str, cron: str, works: Works) -> None:
    @queue.schedule(name, cron)
    async def run(_schedule: Schedule) -> None:
        try:
            await reactions.JOBS[name](works, {})
        except Exception as bug:  # it comes again at its next hour
            log.error("scheduled job failed: %s (%s)", name, type(bug).__name__)
