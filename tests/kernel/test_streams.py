"""The log: offsets dense, in commit order, without deadlock, whole or not at all."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

import asyncpg
import pytest

from domain.kernel.actor import NOBODY, SYSTEM
from domain.kernel.database import fetch
from domain.kernel.generations import renew
from domain.kernel.ids import new_id
from domain.kernel.streams import (
    APPEND_SQL,
    Entries,
    Fact,
    StreamState,
    read_events,
    stream_states,
    streams_moved,
    to_json,
)
from domain.kernel.work import Works
from tests.support.clock import THEN

WRITERS, ROUNDS = 8, 40
ROUNDS_MAX = 1_000
"""Of writers who are to deadlock: they stop at the first time, which is among the first ten."""
NAMES = tuple(f"te:{number}" for number in range(12))


@dataclass(frozen=True, slots=True)
class Ticked(Fact):
    kind: ClassVar[str] = "test.ticked"
    where: tuple[str, ...]
    number: int = 0

    def streams(self) -> tuple[str, ...]:
        return self.where


@dataclass(frozen=True, slots=True)
class Revoked(Ticked):
    kind: ClassVar[str] = "test.revoked"
    is_authority: ClassVar[bool] = True


async def test_a_second_writer_waits_so_that_commit_order_is_offset_order(works: Works) -> None:
    first_wrote, may_commit = asyncio.Event(), asyncio.Event()
    has_waited = False

    async def slow() -> None:
        async with works.open(NOBODY) as w:
            # As closing would: the counter row is locked from here to the commit.
            await w.execute(
                "INSERT INTO stream (id, epoch, top) VALUES ('te:x', 'e', 0)"
                " ON CONFLICT (id) DO UPDATE SET top = stream.top"
            )
            first_wrote.set()
            await may_commit.wait()
            w.record(Ticked(("te:x",), 1))

    async def quick() -> None:
        nonlocal has_waited
        await first_wrote.wait()
        async with works.open(NOBODY) as w:
            w.record(Ticked(("te:x",), 2))
            asyncio.get_running_loop().call_later(0.05, may_commit.set)
        # Whose answer is read first, once both have committed, says nothing.
        has_waited = may_commit.is_set()

    await asyncio.gather(slow(), quick())

    events = await read_events((await stream_states(["te:x"]))["te:x"], 0)
    assert [(event.offset, event.body["number"]) for event in events] == [(1, 1), (2, 2)]
    assert has_waited, "it ended while the first one held the counter"


class _Kind(StrEnum):
    A = "a"


class _Number(UUID):
    """As the driver makes them: a class of its own."""


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (_Number(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime(2026, 2, 3, 4, 5, 6, 7, UTC), "2026-02-03T04:05:06.000007+00:00"),
        (date(2026, 2, 3), "2026-02-03"),
        (b"\x00\xff", "AP8="),
        ((UUID(int=2), _Kind.A), ["00000000-0000-0000-0000-000000000002", "a"]),
        (frozenset({3}), [3]),
        (_Kind.A, "a"),
        (True, True),
        (None, None),
        (0.5, 0.5),
    ],
)
def test_a_fact_s_values_are_written_as_json(value: object, written: object) -> None:
    for _ in range(2):  # a type is looked up once
        assert to_json(value) == written
        assert type(to_json(value)) in (str, int, bool, float, list, type(None), _Kind)


def test_a_fact_cannot_hold_what_json_cannot() -> None:
    for value in (object(), {"a": 1}, 1j):
        with pytest.raises(TypeError, match="a fact cannot hold"):
            to_json(value)


async def test_of_streams_swept_those_are_told_that_stand_otherwise_than_known(
    works: Works,
) -> None:
    async with works.open(NOBODY) as w:
        w.record(Ticked(("te:a", "te:b")))
    a, b = (await stream_states(["te:a", "te:b"])).values()
    as_it_is = [(s.id, s.epoch, s.top, s.floor) for s in (a, b)]
    gone = StreamState("te:y")

    assert await streams_moved([]) == []
    assert await streams_moved([*as_it_is, ("te:x", "", 0, 0)]) == []
    for known, state in (
        (("te:a", a.epoch, a.top - 1, a.floor), a),
        (("te:b", "another", b.top, b.floor), b),
        (("te:b", b.epoch, b.top, b.floor + 1), b),
        (("te:a", "", 0, 0), a),
        (("te:y", "was", 3, 0), gone),
    ):
        assert await streams_moved([known]) == [state]
        assert await streams_moved([*as_it_is, known]) == [state]
    assert await streams_moved([("te:x", "", 0, 0)]) == []


async def test_of_a_history_that_was_lost_nothing_is_read(works: Works) -> None:
    async with works.open(NOBODY) as w:
        w.record(Ticked(("te:a",)))
    state = (await stream_states(["te:a"]))["te:a"]
    assert len(await read_events(state, 0)) == 1
    assert await read_events(replace(state, epoch="another"), 0) == []
    async with works.open(SYSTEM) as w:
        await renew(w, None)

    assert await read_events(state, 0) == [], "its events may be other ones now"
    assert len(await read_events((await stream_states(["te:a"]))["te:a"], 0)) == 1


async def race(
    url: str, append: str, *, rounds: int, prepare: str = ""
) -> tuple[dict[str, int], int]:
    """Eight writers append to random sets of streams, until one of them has met a deadlock.

    How often each stream was written to, and the deadlocks.
    """
    written: Counter[str] = Counter()
    deadlocks = 0

    async def write(number: int) -> None:
        nonlocal deadlocks
        chance = random.Random(number)
        owner = await asyncpg.connect(url)
        try:
            await owner.execute(f"SET deadlock_timeout = 10; {prepare}")
            for _ in range(rounds):
                where = tuple(chance.sample(NAMES, len(NAMES) // 2))
                await owner.execute(append, *Entries([Ticked(where)], THEN).args)
                written.update(where)
                if deadlocks:
                    return
        except asyncpg.DeadlockDetectedError:
            deadlocks += 1
        finally:
            await owner.close()

    await asyncio.gather(*(write(number) for number in range(WRITERS)))
    return written, deadlocks


async def test_writers_of_many_streams_never_deadlock(database: str, works: Works) -> None:
    written, deadlocks = await race(database, APPEND_SQL, rounds=ROUNDS)

    assert deadlocks == 0
    assert sum(written.values()) == WRITERS * ROUNDS * len(NAMES) // 2
    async with works.open(NOBODY) as w:  # as the program writes
        w.record(Ticked(NAMES))
    states = await stream_states(NAMES)
    assert {name: state.top - 1 for name, state in states.items()} == written
    rows = await fetch(
        'SELECT stream_id, count(*) AS n, max("offset") AS top FROM event GROUP BY stream_id'
    )
    assert all(row["n"] == row["top"] for row in rows)


async def test_the_same_writers_do_deadlock_when_streams_are_locked_in_any_order(
    database: str,
) -> None:
    """What the sorting is for: the test above would notice if it were not there."""
    owner = await asyncpg.connect(database)
    sorting: str = await owner.fetchval("SELECT pg_get_functiondef('stream_append'::regproc)")
    await owner.close()
    shuffling = sorting.replace("public.stream_append(", "pg_temp.shuffled(")
    shuffling = shuffling.replace("ORDER BY stream_id", "ORDER BY random()")
    assert shuffling.count("shuffled") == shuffling.count("random()") == 1

    append = "SELECT * FROM pg_temp.shuffled($1, $2, $3)"
    _, deadlocks = await race(database, append, rounds=ROUNDS_MAX, prepare=shuffling)
    assert deadlocks > 0


async def test_authority_changes_are_counted_in_the_stream(works: Works) -> None:
    async with works.open(NOBODY) as w:
        w.record(Ticked(("te:a",)))
        w.record(Revoked(("te:a",)))

    state = (await stream_states(["te:a"]))["te:a"]
    events = await read_events(state, 0)
    assert state.authority_version == 1
    assert [event.is_authority for event in events] == [False, True]
    assert await read_events(state, 1, 1) == events[1:]


async def test_thousands_of_streams_take_one_statement(works: Works) -> None:
    names = tuple(f"te:{n}" for n in range(2_000))
    async with works.open(NOBODY) as w:
        w.record(Ticked(names))

    assert len(w.events) == 2_000
    assert {event.offset for event in w.events} == {1}
    assert (await fetch("SELECT count(*) AS n FROM event"))[0]["n"] == 2_000


async def test_the_running_program_cannot_rewrite_the_log(works: Works) -> None:
    async with works.open(NOBODY) as w:
        w.record(Ticked(("te:a",)))

    for statement in ("UPDATE event SET kind = ''", "DELETE FROM event", "TRUNCATE event"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await fetch(statement)


def test_ids_rise_and_are_version_seven() -> None:
    ids = [new_id() for _ in range(5_000)]

    assert ids == sorted(set(ids))
    assert {(id_.version, id_.variant) for id_ in ids} == {(7, UUID(int=0x8 << 60).variant)}
