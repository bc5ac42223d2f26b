"""Sending at once: one round trip where the conversation is known, and never another result."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from domain.consultations import messages, places, queries, service
from domain.consultations.facts import MessageSent
from domain.consultations.models import Role, Service
from domain.consultations.rules import ConversationClosed, KeyReused
from domain.kernel.actor import Actor
from domain.kernel.errors import NotFound
from domain.kernel.ids import new_id
from domain.kernel.streams import Fact
from domain.kernel.work import Work, Works
from tests.support.announcing import RememberedAnnouncements
from tests.support.clock import FrozenClock
from tests.support.consultations import (
    a_consultant,
    a_person,
    everything,
    refused,
    running,
    say,
    texts,
)
from tests.support.statements import counted_round_trips

pytestmark = pytest.mark.usefixtures("test_keyring")


async def test_a_message_in_a_known_conversation_is_one_round_trip(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    member, other = a_person(), await a_consultant(works)
    _, talk = await running(works, member, other)
    await say(works, member, talk, "一")
    async with works.open(member) as w:
        await messages.mark_read(w, talk, 1)
    announcements.events.clear()

    async with counted_round_trips() as trips:
        await say(works, other, talk, "二")

    assert [trip.split("(")[0] for trip in trips] == ["SELECT * FROM consultation_send"]
    assert await texts(member, talk) == [(1, "一"), (2, "二")]
    (sent, waiting) = announcements.events
    assert (sent.kind, sent.stream) == ("consultations.message_sent", f"cv:{talk}")
    assert (waiting.kind, waiting.offset) == ("consultations.message_waiting", 2)
    assert waiting.stream == f"me:{member.account_id}"


async def test_both_ways_leave_the_same(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    told = []
    for is_known in (False, True):
        member, other = a_person(), await a_consultant(works)
        _, talk = await running(works, member, other)
        announcements.events.clear()
        for number, (who, reads) in enumerate([(member, other), (other, member)] * 2, 1):
            if not is_known:
                places._kept.clear()
            await say(works, who, talk, f"第{number}句")
            async with works.open(reads) as w:
                await messages.mark_read(w, talk, number)
        assert await texts(other, talk) == [(n, f"第{n}句") for n in range(1, 5)]
        names = {str(member.account_id): "member", str(other.account_id): "other"}
        told.append(
            [
                (e.kind, e.offset, e.authority_version, names.get(e.stream[3:]), e.body.get("seq"))
                for e in announcements.events
            ]
        )

    assert told[0] == told[1]


async def test_who_knows_wrongly_loses_a_round_trip_and_nothing_else(works: Works) -> None:
    member, other = a_person(), await a_consultant(works)
    _, talk = await running(works, member, other)
    await say(works, member, talk, "一")
    known = places.find(talk)
    assert known is not None
    for wrong in (
        replace(known.place, top_seq=7),
        replace(known.place, top_seq=0),
        replace(known.place, consultant=new_id()),
    ):
        known.place = wrong
        await say(works, member, talk, "又")

    assert [seq for seq, _ in await texts(other, talk)] == [1, 2, 3, 4]
    async with counted_round_trips() as trips:
        await say(works, member, talk, "五")
    assert len(trips) == 1


async def test_many_at_once_from_both_sides_get_dense_numbers_and_keep_their_texts(
    works: Works,
) -> None:
    member, other = a_person(), await a_consultant(works)
    _, talk = await running(works, member, other)
    await say(works, member, talk, "0")

    async with counted_round_trips() as trips:
        seqs = await asyncio.gather(
            *(say(works, (member, other)[n % 2], talk, str(n)) for n in range(1, 31))
        )

    assert sorted(seqs) == list(range(2, 32))
    found = dict(await texts(member, talk))
    assert [found[seq] for seq in seqs] == [str(n) for n in range(1, 31)]
    assert len(trips) == 30


async def test_repeating_a_key_in_a_known_conversation_is_the_same_message(
    works: Works, database: str, announcements: RememberedAnnouncements
) -> None:
    member, other = a_person(), await a_consultant(works)
    _, talk = await running(works, member, other)
    await say(works, member, talk, "一")
    key = new_id()
    seqs = await asyncio.gather(*(say(works, member, talk, "二", key=key) for _ in range(6)))

    assert set(seqs) == {2}
    assert len(await texts(other, talk)) == 2
    async with refused(KeyReused, database, announcements), works.open(member) as w:
        await messages.send_message(w, talk, client_key=key, text="三")


async def test_a_known_conversation_that_was_closed_takes_no_word(
    works: Works, database: str, announcements: RememberedAnnouncements
) -> None:
    member, other = a_person(), await a_consultant(works)
    case, talk = await running(works, member, other)
    await say(works, member, talk, "一")
    async with works.open(other) as w:
        await service.close(w, case)

    async with refused(ConversationClosed, database, announcements), works.open(member) as w:
        await messages.send_message(w, talk, client_key=new_id(), text="?")


async def test_a_stranger_finds_no_difference_between_a_known_conversation_and_none(
    works: Works, database: str, announcements: RememberedAnnouncements
) -> None:
    member, other = a_person(), await a_consultant(works)
    _, talk = await running(works, member, other)
    await say(works, member, talk, "一")
    stranger, counts = a_person(), []
    for conversation_id in (talk, new_id()):
        absent = refused(NotFound, database, announcements)
        async with counted_round_trips() as trips, absent, works.open(stranger) as w:
            await messages.send_message(w, conversation_id, client_key=new_id(), text="?")
        counts.append([trip for trip in trips if "consultation" in trip])

    assert counts[0] == counts[1]
    assert counts[0]


async def test_the_policies_stand_before_the_whole_call(works: Works, database: str) -> None:
    """Who got past every check of ours with a known place would still be nobody to the rows."""
    member, other = a_person(), await a_consultant(works)
    _, talk = await running(works, member, other)
    await say(works, member, talk, "一")
    before = await everything(database)
    sender, people = member.account(), (member.account(), other.account())

    async def send(actor: Actor) -> bool:
        sent = MessageSent(
            new_id(), talk, Service.COUNSELLING, 2, sender, Role.MEMBER, new_id(), b"x",
            works.clock.now(),
        )  # fmt: skip
        async with works.open(actor) as w:
            return await w.at_once(
                "consultation_send", [sent], talk, *people, sender, "member", 2, new_id(),
                new_id(), b"x",
            )  # fmt: skip

    assert not await send(a_person())
    assert await everything(database) == before
    assert await send(member)


async def test_what_reactions_follow_from_goes_the_ordinary_way(
    database: str, clock: FrozenClock, announcements: RememberedAnnouncements
) -> None:
    seen: list[Fact] = []

    async def react(w: Work, fact: MessageSent) -> None:
        seen.append(fact)

    works = Works(clock, announcements, reactions={MessageSent.kind: (react,)})
    member, other = a_person(), await a_consultant(works)
    _, talk = await running(works, member, other)
    for text in ("一", "二"):
        await say(works, member, talk, text)

    assert len(seen) == 2


async def test_after_it_was_done_at_once_a_work_takes_nothing_more(works: Works) -> None:
    member, other = a_person(), await a_consultant(works)
    _, talk = await running(works, member, other)
    await say(works, member, talk, "一")

    async def more() -> None:
        async with works.open(member) as w:
            await messages.send_message(w, talk, client_key=new_id(), text="二")
            await queries.get_conversation(member, talk)

    with pytest.raises(AssertionError):
        await more()
    assert len(await texts(other, talk)) == 2
