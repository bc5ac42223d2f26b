"""Durable jobs: deferred in the same transaction, run by the worker, idempotent by key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import orjson
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries

from domain.kernel.pool import Connection
from domain.kernel.streams import Json


@dataclass(frozen=True, slots=True)
class Job:
    """A call to make later: ``name`` is a row of ``domain.reactions.JOBS``; ids only as payload."""

    name: str
    payload: Mapping[str, Json]
    key: str | None = None
    """While a job with this key waits, another with the same key is not added."""
    after: timedelta = timedelta(0)


async def enqueue(conn: Connection, jobs: Sequence[Job]) -> None:
    """Put the jobs into the queue on this connection, so that they commit with its transaction."""
    driver = AsyncpgDriver(conn)
    await Queries(driver).enqueue(
        [job.name for job in jobs],
        [orjson.dumps(job.payload) for job in jobs],
        [0 for _ in jobs],
        [job.after for job in jobs],
        [job.key for job in jobs],
        on_conflict="skip",
    )
