"""The live layer on the real log: what services commit arrives, whatever becomes of the hints."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import replace

import pytest_asyncio

from domain.kernel import streams
from domain.kernel.actor import NOBODY, Actor
from domain.kernel.streams import StreamState
from domain.kernel.work import Works
from gateway.wiring import Sessions
from realtime.bounds import REPLAY_EVENTS_MAX
from realtime.bus import LocalBus
from tests.support.access import APP, an_account, signed_in
from tests.support.announcing import RememberedAnnouncements
from tests.support.clock import FrozenClock
from tests.support.live import SmallClient, SmallNode, running
from tests.support.log_facts import Removed, Said
from tests.support.redis_server import eventually
from tests.support.small_log import SmallLog
from tests.support.statements import counted_round_trips

WRITERS = 8
FACTS_EACH = 2_000


class TakenBack(Exception):
    """The work does not come to be."""


@pytest_asyncio.fixture
async def node(database: str) -> AsyncIterator[SmallNode]:
    """A node whose log is the database."""
    async with running(SmallNode(log=streams)) as started:
        yield started


async def follower(node: SmallNode) -> tuple[Actor, SmallClient]:
    """A signed-in client that may follow cv:1."""
    actor = node.sessions.sign_in()
    node.engine.allow(actor, "cv:1")
    client = node.client()
    await client.init()
    await eventually(lambda: client.connection.is_ready)
    return actor, client


def texts(client: SmallClient) -> list[str]:
    """What the events said that the client got."""
    answers = [frame["payload"] for frame in client.of("a") if frame["type"] == "next"]
    return [payload["data"]["event"]["text"] for payload in answers]


async def test_committed_facts_arrive_with_their_offsets(
    node: SmallNode, clock: FrozenClock
) -> None:
    _, client = await follower(node)
    works = Works(clock, node.announcer)
    await client.subscribe("a", "cv:1")
    await eventually(client.lives)
    for text in ("你好", "🌏"):
        async with works.open(NOBODY) as w:
            w.record(Said(text))
    await eventually(lambda: len(client.offsets("a")) == 2)

    assert texts(client) == ["你好", "🌏"]
    assert client.offsets("a") == [1, 2]


async def test_a_clock_that_is_set_back_or_runs_ahead_changes_no_order(
    node: SmallNode, clock: FrozenClock
) -> None:
    _, client = await follower(node)
    works = Works(clock, node.announcer)
    await client.subscribe("a", "cv:1")
    await eventually(client.lives)
    for text, hours in (("a", 0), ("b", -1), ("c", 2)):
        clock.advance(hours=hours)
        async with works.open(NOBODY) as w:
            w.record(Said(text))
    await eventually(lambda: len(client.offsets("a")) == 3)

    assert texts(client) == ["a", "b", "c"]
    late_s = node.hub.node.metrics.commit_to_socket_s
    assert (late_s.count, late_s.total) == (3, 3_600)


async def test_many_writers_and_half_the_hints_give_every_reader_the_whole_log(
    database: str, clock: FrozenClock
) -> None:
    bus, told = LocalBus(), RememberedAnnouncements()
    works = Works(clock, told)
    async with AsyncExitStack() as stack:
        nodes = [
            await stack.enter_async_context(running(SmallNode(log=streams, bus=bus)))
            for _ in range(2)
        ]
        early = [(await follower(node))[1] for node in nodes]
        for client in early:
            await client.subscribe("a", "cv:1")
            await eventually(client.lives)
        await asyncio.gather(*(write(works, nodes[0], writer) for writer in range(WRITERS)))
        top = WRITERS * FACTS_EACH
        state = (await streams.stream_states(["cv:1"]))["cv:1"]
        late = await nodes[1].client().init()
        await eventually(lambda: late.connection.is_ready)
        since = top - REPLAY_EVENTS_MAX
        await late.subscribe("a", "cv:1", since={"cv:1": [state.epoch, since]})
        for node in nodes:
            await node.timers.advance(6)
        for client, first in ((early[0], 1), (early[1], 1), (late, since + 1)):
            await eventually(lambda client=client: client.offsets("a")[-1:] == [top], 10)
            assert client.offsets("a") == list(range(first, top + 1))
    assert (state.top, len(told.events)) == (top, top)
    said = {event.offset: event.body["text"] for event in told.events}
    assert texts(early[0]) == texts(early[1]) == [said[offset] for offset in range(1, top + 1)]


async def write(works: Works, node: SmallNode, writer: int) -> None:
    """Many facts, some at a time; now and then all is taken back after the counter has risen."""
    chance, left = random.Random(writer), FACTS_EACH
    while left:
        facts = [Said(f"{writer}.{left - n}") for n in range(min(left, chance.randint(1, 50)))]
        is_taken_back = chance.random() < 0.25
        with suppress(TakenBack):
            async with works.open(NOBODY) as w:
                if is_taken_back:
                    await w.execute(streams.APPEND_SQL, *streams.Entries(facts, w.now).args)
                    raise TakenBack
                for fact in facts:
                    w.record(fact)
            left -= len(facts)
            if chance.random() < 0.5:
                node.announcer.announce(w.events)


async def test_a_removal_is_ordered_against_what_was_said(
    node: SmallNode, clock: FrozenClock
) -> None:
    actor, client = await follower(node)
    works = Works(clock, node.announcer)
    await client.subscribe("a", "cv:1")
    await eventually(client.lives)
    async with works.open(NOBODY) as w:
        w.record(Said("before"))
    await eventually(lambda: client.offsets("a") == [1])
    node.engine.forbid(actor, "cv:1")
    async with works.open(NOBODY) as w:
        w.record(Removed())
        w.record(Said("after"))
    await eventually(lambda: client.of("a")[-1]["type"] == "error")

    assert client.code("a") == "RT_FORBIDDEN"
    assert client.offsets("a") == [1]


async def test_the_small_log_of_the_tests_answers_as_the_real_one(works: Works) -> None:
    small = SmallLog()
    for text in ("a", "b", "c"):
        async with works.open(NOBODY) as w:
            w.record(Said(text))
        small.append("cv:1", Said.kind, text=text)
    real_states = await streams.stream_states(["cv:1", "cv:9"])
    small_states = await small.stream_states(["cv:1", "cv:9"])
    assert real_states["cv:9"] == small_states["cv:9"] == StreamState("cv:9")
    real, twin = real_states["cv:1"], small_states["cv:1"]
    assert (real.top, real.floor) == (twin.top, twin.floor) == (3, 0)
    for known in (("cv:9", "", 0, 0), ("cv:9", "e", 1, 0), ("cv:1", "other", 3, 0)):
        told_moved = [await log.streams_moved([known]) for log in (streams, small)]
        assert [len(moved) for moved in told_moved] in ([0, 0], [1, 1])
        assert [s.top for s in told_moved[0]] == [s.top for s in told_moved[1]]
    for log, state in ((streams, real), (small, twin)):
        assert await log.read_events(replace(state, epoch="another"), 0) == []
    for after, limit in ((0, 500), (1, 500), (1, 1), (3, 500)):
        told = [
            [
                (e.offset, e.kind, e.body, e.epoch == state.epoch)
                for e in await log.read_events(state, after, limit)
            ]
            for log, state in ((streams, real), (small, twin))
        ]
        assert told[0] == told[1]


async def test_connecting_is_one_statement_and_following_one_beside_the_permission(
    node: SmallNode, works: Works, test_keyring: object
) -> None:
    session = await signed_in(works, await an_account(works), client=APP)
    node.hub.node.authenticator = Sessions(works.clock)
    await Sessions(works.clock).authenticate(session.token.text, None)  # the driver learns types
    node.engine.allow(Actor(account_id=session.account_id), "cv:1")
    client = node.client()
    async with counted_round_trips() as trips:
        await client.init(session.token.text)
        await eventually(lambda: client.connection.is_ready)
        await client.subscribe("a", "cv:1")
        await eventually(client.lives)

    assert len(trips) == 2
    assert "access_session" in trips[0]
    assert "FROM stream" in trips[1]
