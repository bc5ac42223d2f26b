"""Many who send at the same time share a call, and each of them gets what they would get alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
import pytest_asyncio

from domain.consultations import messages, places, service
from domain.consultations.facts import MessageSent
from domain.consultations.models import Role, Service
from domain.consultations.rules import ConversationClosed, KeyReused
from domain.kernel import joint
from domain.kernel.actor import Actor
from domain.kernel.database import is_passing, pool
from domain.kernel.errors import NotFound
from domain.kernel.ids import new_id
from domain.kernel.streams import LoggedEvent
from domain.kernel.work import Works
from tests.conftest import POOL_MAX
from tests.support.announcing import RememberedAnnouncements
from tests.support.consultations import a_person, say, texts
from tests.support.crowds import MANY, Talk, a_crowd, dense, owner_of, until_it_waits
from tests.support.statements import counted_round_trips

ALONE = "SELECT * FROM consultation_send("

pytestmark = pytest.mark.usefixtures("test_keyring")


@pytest.fixture(autouse=True)
def one_call_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is asked for first goes alone, and all others share the next call."""
    monkeypatch.setattr(joint, "JOINT_AT_ONCE_MAX", 1)


@pytest_asyncio.fixture(autouse=True)
async def every_connection_is_open(database: str) -> None:
    """So that none is opened later, whose round trips nobody would count."""
    held = pool()
    for conn in [await held.take() for _ in range(POOL_MAX)]:
        held.give(conn)


async def all_say(works: Works, talks: list[Talk], text: str) -> list[int]:
    return await asyncio.gather(*(say(works, t.member, t.id, text) for t in talks))


def told_once_and_in_order(told: list[LoggedEvent], logged: dict[str, list[LoggedEvent]]) -> bool:
    return all(
        [(e.offset, e.kind, e.body) for e in told if e.stream == stream]
        == [(e.offset, e.kind, e.body) for e in events]
        for stream, events in logged.items()
    )


async def test_who_sends_while_others_do_shares_a_call_with_them(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    talks = await a_crowd(works, 12)
    for talk in talks:  # each reader has read all, so each message waits in their own stream too
        async with works.open(talk.consultant) as w:
            await messages.mark_read(w, talk.id, 1)

    async with counted_round_trips() as trips:
        numbers = await asyncio.gather(
            *(say(works, t.member, t.id, f"{n}, {k}") for n, t in enumerate(talks) for k in "甲乙")
        )

    assert numbers == [2, 3] * 12
    for n, talk in enumerate(talks):
        assert await texts(talk.consultant, talk.id) == [(1, "0"), (2, f"{n}, 甲"), (3, f"{n}, 乙")]
    # The first alone; those of the eleven others; the first one's second, alone or with the rest.
    assert {trip for trip in trips if not trip.startswith(ALONE)} == {MANY}
    assert len(trips) <= 4
    readers = {f"me:{talk.consultant.account_id}" for talk in talks}
    logged = await dense([*(f"cv:{talk.id}" for talk in talks), *readers])
    assert told_once_and_in_order(announcements.events, logged)
    waiting = [e.kind for reader in readers for e in logged[reader]]
    assert waiting.count("consultations.message_waiting") == 12 + 12


async def test_alone_it_is_the_call_that_it_was(works: Works) -> None:
    (talk,) = await a_crowd(works, 1, readers=1)
    async with counted_round_trips() as trips:
        for number in (2, 3):
            assert await say(works, talk.member, talk.id, "一") == number

    assert [trip.startswith(ALONE) for trip in trips] == [True, True]


async def test_who_must_wait_for_a_conversation_holds_up_nobody_else(
    works: Works, database: str
) -> None:
    talks = await a_crowd(works, 5)
    first, held, *others = talks
    async with owner_of(database) as owner, counted_round_trips() as trips:
        async with owner.transaction():
            await owner.execute(
                "SELECT 1 FROM consultation_conversation WHERE id = ANY($1) FOR UPDATE",
                [first.id, held.id],
            )
            waiting = asyncio.create_task(all_say(works, [first, held], "等"))
            await asyncio.sleep(0)  # those two are the first to ask
            assert await all_say(works, others, "不等") == [2, 2, 2]
            assert not waiting.done()
        assert await waiting == [2, 2]
    assert sum("top_seq + 1" in trip for trip in trips) == 2  # those two went the ordinary way


async def test_for_an_ill_writer_of_a_stream_only_its_readers_wait(
    works: Works, database: str
) -> None:
    """A counter is held by whoever hangs before the commit: after a second each goes alone."""
    talks = await a_crowd(works, 4)
    async with owner_of(database) as owner:
        async with owner.transaction():
            await owner.execute("UPDATE stream SET top = top WHERE id = $1", f"cv:{talks[1].id}")
            waiting = asyncio.create_task(all_say(works, talks[:2], "等"))
            await asyncio.sleep(0)
            assert await all_say(works, talks[2:], "不等") == [2, 2]
            assert not waiting.done()
        assert await waiting == [2, 2]
    await dense([f"cv:{talk.id}" for talk in talks])


async def test_whoever_is_special_goes_the_ordinary_way_and_the_others_go_together(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    talks = await a_crowd(works, 8)
    first, repeated, changed, closed, stale, strange, *others = talks
    key = new_id()
    for talk in (repeated, changed):
        await say(works, talk.member, talk.id, "又", key=key)
    async with works.open(closed.consultant) as w:
        await service.close(w, closed.case)
    known = places.find(stale.id)
    assert known is not None
    known.place = replace(known.place, top_seq=0)
    announcements.events.clear()

    async with counted_round_trips() as trips:
        answers = await asyncio.gather(
            say(works, first.member, first.id, "一"),
            say(works, repeated.member, repeated.id, "又", key=key),
            say(works, changed.member, changed.id, "改", key=key),
            say(works, closed.member, closed.id, "?"),
            say(works, stale.member, stale.id, "旧"),
            say(works, a_person(), strange.id, "?"),
            *(say(works, t.member, t.id, "一") for t in others),
            return_exceptions=True,
        )

    assert [answers[n] for n in (0, 1, 4, 6, 7)] == [2, 2, 2, 2, 2]
    assert [type(answers[n]) for n in (2, 3, 5)] == [KeyReused, ConversationClosed, NotFound]
    assert trips.count(MANY) == 1
    sent = [e for e in announcements.events if e.kind == "consultations.message_sent"]
    assert {e.stream for e in sent} == {f"cv:{t.id}" for t in (first, stale, *others)}
    await dense([f"cv:{talk.id}" for talk in talks])


async def try_to_send(works: Works, talk: Talk, actor: Actor) -> bool:
    """As somebody who got past every check of ours."""
    sender, number = talk.member.account(), 2
    sent = MessageSent(
        new_id(), talk.id, Service.COUNSELLING, number, sender, Role.MEMBER, new_id(), b"x",
        works.clock.now(),
    )  # fmt: skip
    async with works.open(actor) as w:
        return await w.at_once(
            "consultation_send", [sent], talk.id, sender, talk.consultant.account(), sender,
            "member", number, sent.id, sent.client_key, b"x", is_joint=True,
        )  # fmt: skip


async def test_each_is_bound_by_their_own_policies_and_nothing_of_them_stays(works: Works) -> None:
    talks = await a_crowd(works, 4)
    who = [talks[0].member, a_person(), talks[2].member, talks[0].member]
    async with counted_round_trips() as trips:
        done = await asyncio.gather(
            *(try_to_send(works, talk, actor) for talk, actor in zip(talks, who, strict=True))
        )

    assert done == [True, False, True, False]
    assert trips.count(MANY) == 1
    held = pool()
    taken = [await held.take() for _ in range(held.size)]
    for conn in taken:
        assert not await conn.fetchval("SELECT current_setting('app.account', true)")
        assert not await conn.fetch("SELECT 1 FROM consultation_conversation")
        assert await conn.fetchval("SHOW lock_timeout") == "0"
        held.give(conn)


async def test_what_one_of_them_breaks_fails_for_that_one_alone(works: Works) -> None:
    """Nobody writes in another's name, and the policies' refusal is not the others' trouble."""
    talks = await a_crowd(works, 4)
    who = [talks[0].member, talks[1].consultant, talks[2].member, talks[3].member]
    done = await asyncio.gather(
        *(try_to_send(works, talk, actor) for talk, actor in zip(talks, who, strict=True))
    )
    assert done == [True, False, False, False]  # nothing has happened: each goes the ordinary way
    assert await all_say(works, talks[1:], "一") == [2, 2, 2]


async def test_when_the_database_fails_all_may_try_again_and_nothing_has_happened(
    works: Works, database: str, announcements: RememberedAnnouncements
) -> None:
    talks = await a_crowd(works, 5)
    keys = [new_id() for _ in talks]

    async def all_send() -> list[int | BaseException]:
        sends = [say(works, t.member, t.id, "一", key=k) for t, k in zip(talks, keys, strict=True)]
        return await asyncio.gather(*sends, return_exceptions=True)

    async with owner_of(database) as owner, owner.transaction():
        await owner.execute("UPDATE stream SET top = top WHERE id = $1", f"cv:{talks[2].id}")
        sending = asyncio.create_task(all_send())
        pid = await until_it_waits(database)
        announcements.events.clear()
        await owner.fetchval("SELECT pg_terminate_backend($1)", pid)
        first, *others = await sending
    assert first == 2
    assert all(isinstance(e, Exception) and is_passing(e) for e in others)
    assert announcements.events == []
    for talk in talks[1:]:
        assert await texts(talk.member, talk.id) == [(1, "0")]
    await dense([f"cv:{talk.id}" for talk in talks])
    assert await all_send() == [2] * 5


async def test_who_leaves_meanwhile_takes_nobody_along(works: Works, database: str) -> None:
    talks = await a_crowd(works, 4)
    keys = [new_id() for _ in talks]
    async with owner_of(database) as owner:
        async with owner.transaction():
            await owner.execute("UPDATE stream SET top = top WHERE id = $1", f"cv:{talks[3].id}")
            sending = [
                asyncio.create_task(say(works, t.member, t.id, "一", key=k))
                for t, k in zip(talks, keys, strict=True)
            ]
            await until_it_waits(database)
            sending[1].cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending[1]
        assert [await sending[n] for n in (0, 2, 3)] == [2, 2, 2]
    gone = talks[1]
    assert await say(works, gone.member, gone.id, "一", key=keys[1]) == 2
    assert await texts(gone.consultant, gone.id) == [(1, "0"), (2, "一")]
    assert await all_say(works, talks, "二") == [3] * 4


async def test_an_ordinary_sender_is_waited_for_without_a_connection(
    works: Works, database: str
) -> None:
    """Else whoever comes meanwhile would find the row taken, go the ordinary way too, and so on."""
    (talk,) = await a_crowd(works, 1, readers=1)
    known = places.find(talk.id)
    assert known is not None
    known.place = replace(known.place, top_seq=0)
    async with counted_round_trips() as trips:
        numbers = await asyncio.gather(
            *(say(works, (talk.member, talk.consultant)[n % 2], talk.id, str(n)) for n in range(9))
        )

    assert numbers == list(range(2, 11))
    assert len([trip for trip in trips if trip.startswith(ALONE)]) == 9
    assert len(trips) == 9 + 5  # the first one's second try
