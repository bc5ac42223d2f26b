"""A Work is one transaction with its facts and jobs: all or nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

import pytest

from domain.kernel.actor import NOBODY
from domain.kernel.database import fetch
from domain.kernel.streams import Fact, read_events, stream_states
from domain.kernel.work import Work, Works
from tests.support.announcing import RememberedAnnouncements
from tests.support.clock import FrozenClock


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
