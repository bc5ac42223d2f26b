"""A Work is one transaction with its facts and jobs: all or nothing."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

import asyncpg
import pytest

from domain.access.models import Account, AccountKind
from domain.kernel.actor import NOBODY, Actor
from domain.kernel.database import IDLE_IN_WORK_MS, fetch, is_passing, pool
from domain.kernel.ids import new_id
from domain.kernel.streams import Fact, read_events, stream_states
from domain.kernel.work import Work, Works
from tests.support.announcing import RememberedAnnouncements
from tests.support.clock import FrozenClock
from tests.support.redis_server import eventually
from tests.support.statements import counted_round_trips


@dataclass(frozen=True, slots=True)
class SomethingHappened(Fact):
    kind: ClassVar[str] = "test.happened"
    number: int
    where: tuple[str, ...] = ("te:1",)

    def streams(self) -> tuple[str, ...]:
        return self.where


async def test_facts_are_appended_densely_in_commit_order(works: Works) -> None:
    async def write(number: int) -> None:
        async with works.open(NOBODY) as w:
            w.record(SomethingHappened(number, ("te:b", "te:a")))
            w.record(SomethingHappened(number, ("te:a",)))

    await asyncio.gather(*(write(n) for n in range(20)))

    state = (await stream_states(["te:a"]))["te:a"]
    events = await read_events(state, 0)
    assert [event.offset for event in events] == list(range(1, 41))
    assert state.top == 40


async def test_a_rollback_leaves_no_row_fact_job_or_hint(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    async def fail_late() -> None:
        async with works.open(NOBODY) as w:
            w.record(SomethingHappened(1))
            w.defer("test.job", {"n": 1}, key="once")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_late()

    assert (await stream_states(["te:1"]))["te:1"].top == 0
    assert not await fetch("SELECT 1 FROM pgqueuer")
    assert announcements.events == []


async def test_jobs_commit_with_the_work_and_a_key_keeps_them_single(works: Works) -> None:
    for _ in range(2):
        async with works.open(NOBODY) as w:
            w.defer("test.job", {"n": 1}, key="once")
            w.defer("test.other", {"n": 2})

    rows = await fetch("SELECT entrypoint FROM pgqueuer ORDER BY entrypoint")
    assert [row["entrypoint"] for row in rows] == ["test.job", "test.other", "test.other"]


async def test_hints_go_out_only_after_the_commit(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    async with works.open(NOBODY) as w:
        w.record(SomethingHappened(1))
        assert announcements.events == []

    assert [(e.stream, e.offset) for e in announcements.events] == [("te:1", 1)]


async def test_a_work_inside_a_work_is_an_assertion(works: Works) -> None:
    with pytest.raises(AssertionError):
        async with works.open(NOBODY), works.open(NOBODY):
            pass


async def test_a_reaction_writes_in_the_same_work_and_may_cause_another(
    database: str, clock: FrozenClock, announcements: RememberedAnnouncements
) -> None:
    async def repeat(w: Work, fact: SomethingHappened) -> None:
        if fact.number < 3:
            w.record(SomethingHappened(fact.number + 1))

    works = Works(clock, announcements, reactions={"test.happened": (repeat,)})
    async with works.open(NOBODY) as w:
        w.record(SomethingHappened(1))

    assert [event.body["number"] for event in announcements.events] == [1, 2, 3]


async def test_a_work_that_says_nothing_sends_nothing(works: Works) -> None:
    async with counted_round_trips() as trips, works.open(NOBODY):
        pass

    assert trips == []


async def test_a_work_begins_with_its_context_in_one_round_trip(works: Works) -> None:
    actor = Actor(account_id=new_id())
    async with counted_round_trips() as trips, works.open(actor) as w:
        (row,) = await w.fetch("SELECT current_setting('app.account', true) AS account")
        w.record(SomethingHappened(1))

    assert row["account"] == str(actor.account_id)
    begin, _, append, commit = trips
    assert begin.startswith("BEGIN;SET LOCAL app.account=")
    assert "stream_append" in append
    assert commit == "COMMIT"


async def test_a_work_that_failed_and_passed_over_it_does_not_pretend_to_commit(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    async def pass_over() -> None:
        async with works.open(NOBODY) as w:
            await w.execute("INSERT INTO stream (id, epoch) VALUES ('te:1', '')")
            with suppress(asyncpg.UndefinedTableError):
                await w.fetch("SELECT 1 FROM nowhere")

    with pytest.raises(asyncpg.InFailedSQLTransactionError):
        await pass_over()
    assert not await fetch("SELECT 1 FROM stream")


async def test_a_cancelled_work_leaves_nothing_and_no_connection_behind(works: Works) -> None:
    begun = asyncio.Event()

    async def hang() -> None:
        async with works.open(NOBODY) as w:
            await w.execute("INSERT INTO stream (id, epoch) VALUES ('te:1', '')")
            begun.set()
            await w.execute("SELECT pg_sleep(60)")

    before = pool().in_use
    hanging = asyncio.create_task(hang())
    await begun.wait()
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging

    assert pool().in_use == before
    assert not await fetch("SELECT 1 FROM stream")


async def test_models_of_the_orm_belong_to_the_work_they_are_used_in(works: Works) -> None:
    async def undone() -> None:
        async with works.open(NOBODY) as w:
            await Account.create(kind=AccountKind.MEMBER, created_at=w.now)
            assert await Account.all().count() == 1
            assert len(await w.fetch("SELECT 1 FROM access_account")) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await undone()
    assert await Account.all().count() == 0


async def test_a_statement_after_the_end_of_its_work_is_an_assertion(works: Works) -> None:
    async with works.open(NOBODY) as w:
        await w.fetch("SELECT 1")

    with pytest.raises(AssertionError):
        await w.fetch("SELECT 1")


async def test_a_work_that_hangs_lets_go_of_its_locks_and_leaves_nothing(works: Works) -> None:
    (row,) = await fetch("SELECT current_setting('idle_in_transaction_session_timeout') AS bound")
    assert row["bound"] == f"{IDLE_IN_WORK_MS // 1000}s"

    async def hang() -> None:
        async with works.open(NOBODY) as w:
            w.record(SomethingHappened(1))
            await w.execute("INSERT INTO stream (id, epoch) VALUES ('te:1', 'held')")
            await w.execute("SET LOCAL idle_in_transaction_session_timeout = 10")
            assert w._transaction._conn is not None
            await eventually(w._transaction._conn.is_closed)

    with pytest.raises(Exception) as failed:  # noqa: PT011 - whichever it is, it passes
        await hang()
    assert is_passing(failed.value)
    assert (await stream_states(["te:1"]))["te:1"].top == 0
    async with works.open(NOBODY) as w:
        w.record(SomethingHappened(2))
    assert [event.offset for event in w.events] == [1]
    assert pool().in_use == 0


async def test_a_turn_is_a_works_own_until_it_has_ended_however_it_ends(works: Works) -> None:
    turn, told = asyncio.Lock(), list[str]()

    async def work(name: str, error: type[Exception] | None = None) -> None:
        async with works.open(NOBODY) as w:
            await w.take_turn(turn)
            told.append(f"{name} has it")
            w.record(SomethingHappened(1))
            await w.fetch("SELECT 1")
            if error is not None:
                raise error
        told.append(f"{name} has ended")

    with suppress(ZeroDivisionError):
        await asyncio.gather(work("a"), work("b", ZeroDivisionError), return_exceptions=True)
    await work("c")

    assert told == ["a has it", "a has ended", "b has it", "c has it", "c has ended"]
    assert not turn.locked()


async def test_a_turn_is_taken_before_everything_else(works: Works) -> None:
    """Who waited for it with a connection in hand could wait for whoever has it and has none."""
    for before in ("statement", "turn"):
        async with works.open(NOBODY) as w:
            if before == "statement":
                await w.fetch("SELECT 1")
            else:
                await w.take_turn(asyncio.Lock())
            with pytest.raises(AssertionError):
                await w.take_turn(asyncio.Lock())
