"""Marks in quick succession are written together; each answer means committed; typing is cheap."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from domain.consultations import marks, messages
from domain.consultations.marks import MARKS_GAP_MS, Marks
from domain.consultations.rules import BadSeq
from domain.kernel.actor import Actor
from domain.kernel.database import Record
from domain.kernel.errors import NotFound
from domain.kernel.work import Works
from tests.support.announcing import RememberedAnnouncements
from tests.support.clock import FrozenClock
from tests.support.consultations import (
    a_consultant,
    a_person,
    nothing_happens,
    refused,
    running,
    say,
)
from tests.support.statements import counted_round_trips

pytestmark = pytest.mark.usefixtures("test_keyring")


class Pauses:
    """Sleeps that last until a test ends them."""

    def __init__(self, clock: FrozenClock) -> None:
        self.clock, self.asked = clock, list[float]()
        self.began, self.over = asyncio.Event(), asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        self.began.set()
        await self.over.wait()
        self.clock.advance(seconds=seconds)


async def a_talk(works: Works, *texts: str) -> tuple[Actor, Actor, UUID]:
    """A conversation in which the member has said these."""
    member, consultant = a_person(), await a_consultant(works)
    _, talk = await running(works, member, consultant)
    for text in texts:
        await say(works, member, talk, text)
    return member, consultant, talk


def told(announcements: RememberedAnnouncements) -> list[tuple[int, int]]:
    return [
        (event.body["delivered_seq"], event.body["read_seq"])
        for event in announcements.events
        if event.kind == "consultations.marks_advanced"
    ]


async def test_the_first_mark_is_written_at_once_and_those_after_it_together(
    works: Works, clock: FrozenClock, announcements: RememberedAnnouncements
) -> None:
    _, reader, talk = await a_talk(works, *"12345")
    pauses = Pauses(clock)
    writer = Marks(pauses.sleep)

    async def mark(delivered: int, read: int = 0) -> Record:
        return await writer.advance(works, reader, talk, delivered_seq=delivered, read_seq=read)

    assert (await mark(1))["delivered_seq"] == 1
    assert told(announcements) == [(1, 0)]
    waiting = [asyncio.create_task(mark(*seqs)) for seqs in [(2, 2), (5, 0), (3, 3), (4, 0)]]
    await pauses.began.wait()
    assert told(announcements) == [(1, 0)]
    pauses.over.set()
    rows = await asyncio.gather(*waiting)

    assert pauses.asked == [MARKS_GAP_MS / 1_000]
    assert told(announcements) == [(1, 0), (5, 3)]
    assert {(row["delivered_seq"], row["read_seq"]) for row in rows} == {(5, 3)}
    clock.advance(milliseconds=MARKS_GAP_MS)
    await mark(5, 5)
    assert len(pauses.asked) == 1
    assert told(announcements)[-1] == (5, 5)


async def test_a_mark_that_advances_nothing_is_told_to_nobody(
    works: Works, clock: FrozenClock, announcements: RememberedAnnouncements
) -> None:
    _, reader, talk = await a_talk(works, "一")
    writer = Marks()
    for _ in range(2):
        await writer.advance(works, reader, talk, delivered_seq=9, read_seq=9)
        clock.advance(seconds=1)
    kinds = [event.kind for event in announcements.events if "mark" in event.kind]
    assert len(kinds) == 1


async def test_one_who_goes_away_does_not_take_the_others_marks_along(
    works: Works, clock: FrozenClock
) -> None:
    _, reader, talk = await a_talk(works, "一", "二")
    pauses = Pauses(clock)
    writer = Marks(pauses.sleep)
    await writer.advance(works, reader, talk, delivered_seq=1)
    gone, stays = (
        asyncio.create_task(writer.advance(works, reader, talk, delivered_seq=2)) for _ in range(2)
    )
    await pauses.began.wait()
    gone.cancel()
    await asyncio.sleep(0)
    pauses.over.set()

    assert (await stays)["delivered_seq"] == 2
    assert gone.cancelled()


async def test_what_is_refused_is_refused_to_each_and_nothing_happens(
    works: Works, database: str, announcements: RememberedAnnouncements
) -> None:
    _, reader, talk = await a_talk(works, "一")
    writer, stranger = Marks(), a_person()

    async with nothing_happens(database, announcements):
        outcomes = await asyncio.gather(
            *(writer.advance(works, stranger, talk, delivered_seq=1) for _ in range(3)),
            return_exceptions=True,
        )
    assert [type(outcome) for outcome in outcomes] == [NotFound] * 3
    for seq in (0, -1, 2**63):
        async with refused(BadSeq, database, announcements):
            await writer.advance(works, reader, talk, delivered_seq=seq)


async def test_what_is_remembered_is_bounded(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "MARKS_KEPT_MAX", 2)
    _, reader, talk = await a_talk(works, "一")
    writer = Marks()
    for _ in range(4):
        await asyncio.gather(
            writer.advance(works, a_person(), talk, delivered_seq=1), return_exceptions=True
        )
    await writer.advance(works, reader, talk, delivered_seq=1)
    assert len(writer._turns) == 2


async def test_a_typing_signal_that_comes_too_soon_asks_the_database_nothing(
    works: Works, announcements: RememberedAnnouncements, clock: FrozenClock
) -> None:
    member, _, talk = await a_talk(works)
    assert await messages.signal_typing(member, announcements, talk, now=clock.now())
    clock.advance(seconds=1)
    async with counted_round_trips() as trips:
        assert not await messages.signal_typing(member, announcements, talk, now=clock.now())
    assert trips == []
    with pytest.raises(NotFound):
        await messages.signal_typing(a_person(), announcements, talk, now=clock.now())
    assert len(announcements.whispers) == 1
