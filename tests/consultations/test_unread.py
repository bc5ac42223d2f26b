"""What waits unread: the account's own stream comes to what the rows count, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextvars import Context
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.consultations import messages, queries, service, unread
from domain.consultations.unread import QUIET_S, TOLD_S_MAX, UnreadTeller, tell_unread, unread_key
from domain.kernel.actor import Actor
from domain.kernel.ids import new_id
from domain.kernel.streams import account_stream, read_events, stream_states
from domain.kernel.work import Works
from tests.support.announcing import RememberedAnnouncements
from tests.support.clock import FrozenClock
from tests.support.consultations import a_consultant, a_person, handed_over, running, say

pytestmark = pytest.mark.usefixtures("test_keyring")

PEOPLE = ("member", "first", "second")
STEPS = ("say", "say", "say", "read", "read", "close", "reopen", "pass on", "share", "wait")
_steps = st.lists(
    st.tuples(st.sampled_from(STEPS), st.sampled_from(PEOPLE), st.integers(1, 8)), max_size=20
)


@pytest.fixture
def teller(database: str, clock: FrozenClock, announcements: RememberedAnnouncements) -> Told:
    return Told(clock, announcements)


class Told:
    """Units of work whose nudges reach a teller."""

    def __init__(self, clock: FrozenClock, announcements: RememberedAnnouncements) -> None:
        self.clock = clock
        self.works = Works(clock, announcements, self._nudge)
        self.teller = UnreadTeller(self.works)
        self.nudged: list[str] = []

    def _nudge(self, what: str, key: str) -> None:
        assert what == unread.UNREAD_NUDGE
        self.nudged.append(key)
        self.teller.nudge(key)

    async def quieten(self) -> None:
        """Talk pauses, and what waits is told."""
        self.clock.advance(seconds=QUIET_S)
        await self.teller.tick()


async def counts_told(actor: Actor) -> dict[str, int]:
    """What a home page shows that has applied every event of the account's stream."""
    stream = account_stream(actor.account())
    shown: dict[str, int] = {}
    for event in await read_events((await stream_states([stream]))[stream], 0):
        if "unread_count" in event.body:
            shown[event.body["conversation_id"]] = event.body["unread_count"]
    return {talk: count for talk, count in shown.items() if count}


async def counted(actor: Actor) -> dict[str, int]:
    """What a home page reads when it is opened."""
    rows = await queries.unread_conversations(actor)
    return {str(row["id"]): row["unread_count"] for row in rows}


@dataclass
class Run:
    """One conversation, beside the simplest model of it."""

    told: Told
    people: Mapping[str, Actor]
    case: UUID
    talk: UUID
    consultant: str = "first"
    is_open: bool = True
    said: list[str] = field(default_factory=list)
    read: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PEOPLE, 0))

    async def step(self, step: str, who: str, seq: int) -> None:
        """Do it where it is allowed; what is not is another test's business."""
        works, actor = self.told.works, self.people[who]
        is_party = who in ("member", self.consultant)
        match step:
            case "say" if is_party and self.is_open:
                await say(works, actor, self.talk, f"{len(self.said)}")
                self.said.append(who)
            case "read" if is_party:
                async with works.open(actor) as w:
                    await messages.mark_read(w, self.talk, seq)
                self.read[who] = max(self.read[who], min(seq, len(self.said)))
            case "close" | "reopen" if (step == "close") == self.is_open:
                async with works.open(self.people["member"]) as w:
                    await getattr(service, step)(w, self.case)
                self.is_open = step == "reopen"
            case "pass on" | "share" if self.is_open:
                await self.pass_on(shares_past=step == "share")
            case "wait":
                await self.told.quieten()

    async def pass_on(self, *, shares_past: bool) -> None:
        to = "second" if self.consultant == "first" else "first"
        member, old, new = (self.people[name] for name in ("member", self.consultant, to))
        await handed_over(self.told.works, member, old, new, self.case, shares_past=shares_past)
        self.consultant = to
        self.read[to] = max(self.read[to], 0 if shares_past else len(self.said))

    def expected(self, who: str) -> dict[str, int]:
        if who not in ("member", self.consultant):
            return {}
        unread = [by for by in self.said[self.read[who] :] if by != who]
        return {str(self.talk): len(unread)} if unread else {}


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=_steps)
async def test_what_is_told_equals_what_is_counted_and_the_model(
    teller: Told, steps: list[tuple[str, str, int]]
) -> None:
    first, second = await a_consultant(teller.works), await a_consultant(teller.works)
    people = dict(zip(PEOPLE, (a_person(), first, second), strict=True))
    run = Run(teller, people, *await running(teller.works, people["member"], first))

    for step in steps:
        await run.step(*step)

    await teller.quieten()
    for who, actor in people.items():
        assert await counted(actor) == run.expected(who)
        assert await counts_told(actor) == run.expected(who)


async def test_at_once_and_from_both_sides_it_is_exact_in_the_end(teller: Told) -> None:
    member, consultant = a_person(), await a_consultant(teller.works)
    _, talk = await running(teller.works, member, consultant)

    async def speak(who: Actor) -> None:
        for n in range(6):
            await say(teller.works, who, talk, f"{n}")

    async def read(who: Actor) -> None:
        for seq in range(1, 9, 2):
            async with teller.works.open(who) as w:
                await messages.mark_read(w, talk, seq)

    async def tell() -> None:
        for _ in range(5):
            await teller.quieten()

    both = (member, consultant)
    await asyncio.gather(*map(speak, both), *map(read, both), tell(), tell())

    await teller.quieten()
    for who in both:
        assert await counts_told(who) == await counted(who)


async def test_a_burst_costs_one_count_and_talk_without_a_pause_one_in_ten_seconds(
    teller: Told, announcements: RememberedAnnouncements
) -> None:
    member, consultant = a_person(), await a_consultant(teller.works)
    _, talk = await running(teller.works, member, consultant)
    announcements.events.clear()

    def told() -> list[tuple[str, int]]:
        return [
            (event.kind.removeprefix("consultations."), event.body["unread_count"])
            for event in announcements.events
            if "unread_count" in event.body
        ]

    for n in range(25):
        await say(teller.works, member, talk, f"{n}")
        teller.clock.advance(seconds=0.5)
        await teller.teller.tick()
    assert told() == [("message_waiting", 1), ("unread_changed", 21)]
    assert TOLD_S_MAX == 10
    await teller.quieten()
    assert told()[2:] == [("unread_changed", 25)]
    async with teller.works.open(consultant) as w:
        await messages.mark_read(w, talk, 25)
    await teller.quieten()
    assert told()[3:] == [("unread_changed", 0)]


async def test_the_first_message_is_told_by_itself_and_asks_for_no_count(teller: Told) -> None:
    member, consultant = a_person(), await a_consultant(teller.works)
    _, talk = await running(teller.works, member, consultant)
    await say(teller.works, member, talk, "在吗")

    assert teller.nudged == []
    assert await counts_told(consultant) == {str(talk): 1}
    await say(teller.works, member, talk, "?")
    assert teller.nudged == [unread_key(talk, consultant.account())]


async def test_a_count_goes_to_nobody_who_takes_no_part(
    teller: Told, announcements: RememberedAnnouncements
) -> None:
    member, consultant = a_person(), await a_consultant(teller.works)
    _, talk = await running(teller.works, member, consultant)
    for text in "一二":
        await say(teller.works, member, talk, text)
    announcements.events.clear()
    for stranger in (a_person(), await a_consultant(teller.works), Actor(account_id=new_id())):
        async with teller.works.open(stranger) as w:
            await tell_unread(w, talk)
        assert await queries.unread_conversations(stranger) == []
    assert [e for e in announcements.events if "unread_count" in e.body] == []


async def test_what_waits_is_bounded_takes_no_rubbish_and_is_told_when_the_process_ends(
    teller: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    member, consultant = a_person(), await a_consultant(teller.works)
    _, talk = await running(teller.works, member, consultant)
    for text in "一二":
        await say(teller.works, member, talk, text)
    monkeypatch.setattr(unread, "PENDING_MAX", 2)
    for key in ("rubbish:x", f"{new_id()}:{new_id()}"):
        teller.teller.nudge(key)
    assert len(teller.teller) == 2

    await teller.teller.finish()
    assert len(teller.teller) == 0
    assert await counts_told(consultant) == {str(talk): 2}


async def test_a_process_that_ends_waits_for_nobody_who_holds_a_lock(
    teller: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    member, consultant = a_person(), await a_consultant(teller.works)
    _, talk = await running(teller.works, member, consultant)
    for text in "一二":
        await say(teller.works, member, talk, text)
    monkeypatch.setattr(unread, "FINISH_S_MAX", 0.05)
    async with teller.works.open(consultant) as w:
        await unread.hold_mark(w, talk, consultant.account())
        async with asyncio.timeout(5):
            await asyncio.create_task(teller.teller.finish(), context=Context())

    assert await counts_told(consultant) == {str(talk): 1}
