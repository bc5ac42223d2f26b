"""A writer that dies after its commit, a log that was cut, a schema that moves on."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import asyncpg
import orjson
import pytest_asyncio

from domain.kernel import streams
from domain.kernel.actor import NOBODY, Actor
from domain.kernel.ports import GraphQLAnswer, GraphQLRequest
from domain.kernel.streams import LoggedEvent, position_of
from domain.kernel.work import Works
from realtime.bus import LocalBus
from tests.support.clock import FrozenClock
from tests.support.live import SmallClient, SmallEngine, SmallLive, SmallNode, running
from tests.support.log_facts import Said
from tests.support.redis_server import eventually
from tests.support.server import ROOT
from tests.support.small_log import SmallLog
from tests.support.timers import settle


@pytest_asyncio.fixture
async def node(database: str) -> AsyncIterator[SmallNode]:
    """A node whose log is the database."""
    async with running(SmallNode(log=streams)) as started:
        yield started


async def follower(node: SmallNode) -> SmallClient:
    actor: Actor = node.sessions.sign_in()
    node.engine.allow(actor, "cv:1")
    client = await node.client().init()
    await eventually(lambda: client.connection.is_ready)
    return client


async def test_what_a_writer_committed_before_it_was_killed_arrives_within_a_sweep(
    database: str, node: SmallNode, clock: FrozenClock
) -> None:
    client = await follower(node)
    await client.subscribe("a", "cv:1")
    await eventually(client.lives)
    async with Works(clock, node.announcer).open(NOBODY) as w:
        w.record(Said("before"))
    await eventually(lambda: client.offsets("a") == [1])
    writer = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.dying_writer", database), cwd=ROOT
    )
    assert await writer.wait() == -signal.SIGKILL
    assert client.offsets("a") == [1]

    await node.timers.advance(node.hub.node.settings.sweep_s)
    await eventually(lambda: client.offsets("a") == [1, 2])
    assert client.of("a")[-1]["payload"]["data"]["event"]["text"] == "committed"
    assert node.hub.node.metrics.gap_fills["sweep"] == 1


async def test_a_position_below_what_was_kept_is_refused_whole_and_one_at_it_is_served(
    database: str, node: SmallNode, clock: FrozenClock
) -> None:
    works = Works(clock, node.announcer)
    for number in range(6):
        async with works.open(NOBODY) as w:
            w.record(Said(str(number)))
    _, epoch, _ = (await position_of("cv:1")).rsplit(":", 2)
    owner = await asyncpg.connect(database)
    await owner.execute('DELETE FROM event WHERE "offset" < 4; UPDATE stream SET floor = 4')
    await owner.close()

    client = await follower(node)
    await client.subscribe("below", "cv:1", since={"cv:1": [epoch, 2]})
    await client.subscribe("at", "cv:1", since={"cv:1": [epoch, 3]})
    await eventually(lambda: client.of("below") and client.lives())
    assert (client.code("below"), client.offsets("below")) == ("RT_UNRECOVERABLE", [])
    assert client.offsets("at") == [4, 5, 6]


class Revised(SmallEngine):
    """An engine of one revision of the schema; the same text has the same key in every revision."""

    def __init__(self, revision: str) -> None:
        super().__init__()
        self.revision = revision

    async def subscribe(self, request: GraphQLRequest, actor: Actor) -> SmallLive | GraphQLAnswer:
        live = await super().subscribe(request, actor)
        return RevisedLive(**vars(live)) if isinstance(live, SmallLive) else live


class RevisedLive(SmallLive):
    """Renders as its revision does."""

    async def render(self, event: LoggedEvent) -> bytes | None:
        assert isinstance(self.engine, Revised)
        return orjson.dumps({"data": {"event": {"revision": self.engine.revision}}})


def revisions(client: SmallClient) -> list[str]:
    answers = [frame for frame in client.of("a") if frame["type"] == "next"]
    return [frame["payload"]["data"]["event"]["revision"] for frame in answers]


async def test_two_revisions_of_the_schema_side_by_side_never_mix() -> None:
    log, bus = SmallLog(), LocalBus()
    async with AsyncExitStack() as stack:
        nodes = [SmallNode(log=log, bus=bus, engine=Revised(name)) for name in ("old", "new")]
        for node in nodes:
            await stack.enter_async_context(running(node))
        old, new = [[await follower(node), await follower(node)] for node in nodes]
        for client in (*old, *new):
            await client.subscribe("a", "cv:1")
        for node in nodes:
            event = await node.publish("cv:1")
        late = await follower(nodes[1])
        await late.subscribe("a", "cv:1", since={"cv:1": [event.epoch, 1]})
        await settle()
        groups = [node.hub.gauges()["groups"] for node in nodes]
    assert [revisions(client) for client in old] == [["old"] * 2] * 2
    assert [revisions(client) for client in new] == [["new"] * 2] * 2
    assert revisions(late) == ["new"]
    assert groups == [1, 1]
