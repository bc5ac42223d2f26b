"""Random talk, repeats, closes, re-opens and hand-overs: the conversation equals a small model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.consultations import queries, service
from domain.kernel.actor import Actor
from domain.kernel.errors import DomainError, NotFound
from domain.kernel.ids import new_id
from domain.kernel.streams import read_events, stream_states
from domain.kernel.work import Works
from tests.support.consultations import (
    a_consultant,
    a_person,
    handed_over,
    running,
    say,
    texts,
)

pytestmark = pytest.mark.usefixtures("test_keyring")

PEOPLE = ("member", "first", "second", "stranger")
_step = st.tuples(
    st.sampled_from(
        ("say", "say", "say", "repeat", "alter", "close", "reopen", "pass on", "share")
    ),
    st.sampled_from(PEOPLE),
)


@dataclass
class Model:
    """What everybody must see, kept the simplest way."""

    consultant: str = "first"
    is_open: bool = True
    said: list[tuple[str, UUID, str]] = field(default_factory=list)
    from_seq: dict[str, int] = field(default_factory=lambda: {"member": 1, "first": 1})

    @property
    def party(self) -> tuple[str, str]:
        return ("member", self.consultant)

    def last_of(self, who: str) -> tuple[str, UUID, str] | None:
        """The latest own message that the speaker may still see."""
        for seq, message in reversed(list(enumerate(self.said, 1))):
            if message[0] == who and seq >= self.from_seq.get(who, seq + 1):
                return message
        return None

    def visible(self, who: str) -> list[tuple[int, str]] | None:
        if who not in self.party:
            return None
        numbered = [(seq, text) for seq, (_, _, text) in enumerate(self.said, 1)]
        return numbered[self.from_seq[who] - 1 :]


@dataclass
class Run:
    """The program beside the model."""

    works: Works
    people: Mapping[str, Actor]
    case: UUID
    talk: UUID
    model: Model = field(default_factory=Model)

    async def step(self, step: str, who: str) -> None:
        """Do it; the program must allow it exactly when the model does."""
        if self.foresee(step, who):
            await self.do(step, who)
            return
        with pytest.raises(DomainError) as refused:
            await self.do(step, who)
        assert (type(refused.value) is NotFound) == (who not in self.model.party)

    def foresee(self, step: str, who: str) -> bool:
        """Whether it is allowed."""
        model = self.model
        if who not in model.party:
            return False
        match step:
            case "say":
                return model.is_open
            case "repeat":
                return model.is_open or model.last_of(who) is not None
            case "alter":
                return model.is_open and model.last_of(who) is None
            case "reopen":
                return who == "member"
            case "pass on" | "share":
                return model.is_open and who == model.consultant
        return True

    async def do(self, step: str, who: str) -> None:
        """Do it in the program, then in the model."""
        last = self.model.last_of(who)
        match step:
            case "repeat" if last is not None:
                seq = await say(self.works, self.people[who], self.talk, last[2], key=last[1])
                assert self.model.said[seq - 1] == last
            case "alter" if last is not None:
                await say(self.works, self.people[who], self.talk, "!", key=last[1])
            case "say" | "repeat" | "alter":
                await self.say(who)
            case "close" | "reopen":
                async with self.works.open(self.people[who]) as w:
                    await getattr(service, step)(w, self.case)
                self.model.is_open = step == "reopen"
            case _:
                await self.pass_on(who, shares_past=step == "share")

    async def say(self, who: str) -> None:
        """Something new."""
        key, text = new_id(), f"{who} {len(self.model.said)}"
        seq = await say(self.works, self.people[who], self.talk, text, key=key)
        self.model.said.append((who, key, text))
        assert seq == len(self.model.said)

    async def pass_on(self, who: str, *, shares_past: bool) -> None:
        """Ask for a hand-over to the other consultant, to which the member consents."""
        to = "second" if self.model.consultant == "first" else "first"
        member, actor, target = self.people["member"], self.people[who], self.people[to]
        await handed_over(self.works, member, actor, target, self.case, shares_past=shares_past)
        self.model.from_seq[to] = 1 if shares_past else len(self.model.said) + 1
        self.model.consultant = to

    async def compare(self) -> None:
        """Everybody sees exactly what the model lets them see; the log tells the same."""
        for who, actor in self.people.items():
            expected = self.model.visible(who)
            if expected is None:
                with pytest.raises(NotFound):
                    await texts(actor, self.talk)
                with pytest.raises(NotFound):
                    await queries.first_offset(actor, self.talk)
            else:
                assert await texts(actor, self.talk) == expected
        stream = f"cv:{self.talk}"
        events = await read_events((await stream_states([stream]))[stream], 0)
        sent = [e for e in events if e.kind == "consultations.message_sent"]
        assert [e.body["seq"] for e in sent] == list(range(1, len(self.model.said) + 1))
        assert [e.body["client_key"] for e in sent] == [str(key) for _, key, _ in self.model.said]
        for who in self.model.party:
            first = await queries.first_offset(self.people[who], self.talk)
            from_offset = [e.body["seq"] for e in sent if e.offset >= first]
            assert from_offset == [seq for seq, _ in self.model.visible(who) or []]


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(_step, max_size=20))
async def test_the_conversation_equals_the_model(
    works: Works, steps: list[tuple[str, str]]
) -> None:
    first, second = await a_consultant(works), await a_consultant(works)
    people = dict(zip(PEOPLE, (a_person(), first, second, a_person()), strict=True))
    case_id, talk = await running(works, people["member"], first)
    run = Run(works, people, case_id, talk)

    for step, who in steps:
        await run.step(step, who)

    await run.compare()
    loads = [(await queries.get_window(actor))["running_count"] for actor in (first, second)]
    assert sum(loads) == int(run.model.is_open)
