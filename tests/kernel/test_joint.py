"""The facts of many works appended in one call are those of the works one after the other."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import asyncpg
import orjson
import pytest

from domain.kernel.database import pool
from domain.kernel.streams import APPEND_SQL, Entries, Fact, read_events, stream_states

MANY = "SELECT * FROM stream_append_many($1, $2, $3)"
STREAMS = [f"te:{n}" for n in range(6)]
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Quiet(Fact):
    kind: ClassVar[str] = "test.quiet"
    number: int
    where: tuple[str, ...]

    def streams(self) -> tuple[str, ...]:
        return self.where


@dataclass(frozen=True, slots=True)
class Grave(Quiet):
    kind: ClassVar[str] = "test.grave"
    is_authority: ClassVar[bool] = True


@dataclass(frozen=True)
class Doing:
    """A work as a function has done it: ``kept`` facts of it."""

    entries: Entries
    kept: int


def some_works(chance: random.Random) -> list[Doing]:
    """Facts in common streams; the last of each, which may be left out, in one of its own."""
    works = []
    for order in range(chance.randint(1, 8)):
        facts: list[Fact] = [
            chance.choice((Quiet, Grave))(
                number, tuple(chance.sample(STREAMS, chance.randint(1, len(STREAMS))))
            )
            for number in range(chance.randint(1, 4))
        ]
        facts.append(Quiet(9, (f"te:last-{order % 3}",)))
        at = NOON + timedelta(microseconds=chance.randrange(10**9))
        works.append(Doing(Entries(facts, at), chance.choice((0, len(facts) - 1, len(facts)))))
    return works


async def append_many(conn: Any, works: Sequence[Doing]) -> list[list[Any]]:
    document = [{"facts": each.entries.plain(), "at": each.entries.at} for each in works]
    kept = [each.kept for each in works]
    rows = await conn.fetch(MANY, orjson.dumps(document).decode(), kept, "e")
    return [[row for row in rows if row["work"] == n] for n in range(1, len(works) + 1)]


async def append_each(conn: Any, works: Sequence[Doing]) -> list[list[Any]]:
    answers = []
    for each in works:
        facts = orjson.dumps(each.entries.plain()[: each.kept]).decode()
        answers.append(await conn.fetch(APPEND_SQL, facts, "e", each.entries.at))
    return answers


@pytest.mark.parametrize("seed", range(20))
async def test_together_they_leave_and_answer_what_they_do_one_by_one(
    database: str, seed: int
) -> None:
    found = []
    for append in (append_many, append_each):
        chance = random.Random(seed)
        held = pool()
        conn = await held.take()
        transaction = conn.transaction()
        await transaction.start()
        try:
            left: list[Any] = []
            for _ in range(6):
                works = some_works(chance)
                answers = await append(conn, works)
                left += [
                    each.entries.logged(rows) for each, rows in zip(works, answers, strict=True)
                ]
            for table in ("stream", "event"):
                left.append(await conn.fetch(f"SELECT t::text FROM {table} AS t ORDER BY 1"))
            found.append(left)
        finally:
            await transaction.rollback()
            held.give(conn)

    assert found[0] == found[1]
    assert any(found[0])


async def test_processes_that_append_many_to_the_same_streams_never_wait_for_each_other(
    database: str,
) -> None:
    """Each call names them in an order of its own; they are locked in one order."""
    chance = random.Random(1)

    async def process() -> int:
        appended = 0
        conn = await asyncpg.connect(database)
        try:
            for _ in range(40):
                works = some_works(chance)
                await append_many(conn, works)
                appended += sum(each.kept > 0 for each in works)
        finally:
            await conn.close()
        return appended

    async with asyncio.timeout(20):
        assert sum(await asyncio.gather(*(process() for _ in range(4)))) > 100
    for stream, state in (await stream_states(STREAMS)).items():
        after, offsets = 0, list[int]()
        while page := await read_events(state, after):
            offsets += [event.offset for event in page]
            after = offsets[-1]
        assert offsets == list(range(1, state.top + 1)), stream
