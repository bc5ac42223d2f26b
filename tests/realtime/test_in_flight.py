"""A hand-over among a hundred events in flight, on two nodes: who leaves gets nothing after it, who
comes nothing before it, who stays everything.

The rights are in the log itself, so that they change with the commit, as in the program.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from domain.kernel import streams
from domain.kernel.actor import NOBODY, Actor
from domain.kernel.clock import SystemClock
from domain.kernel.database import fetch
from domain.kernel.errors import NotFound
from domain.kernel.ports import GraphQLAnswer, GraphQLRequest
from domain.kernel.streams import Json, LoggedEvent
from domain.kernel.work import Works
from realtime.bounds import LiveSettings
from realtime.bus import Hint, LocalBus
from tests.support.live import SmallClient, SmallEngine, SmallLive, SmallNode, running
from tests.support.log_facts import Removed, Said
from tests.support.redis_server import eventually

AROUND = 50
"""Events in flight before the hand-over, and as many after it."""
STREAM = "cv:1"


@dataclass(eq=False)
class CaseLive(SmallLive):
    """The stream of a case that one has until it is handed over, and another from then on."""

    async def authorise(self, actor: Actor) -> Mapping[str, int]:
        (row,) = await fetch(
            'SELECT min("offset") AS at FROM event WHERE stream_id = $1 AND kind = $2',
            STREAM,
            Removed.kind,
        )
        assert isinstance(self.engine, CaseEngine)
        if actor == self.engine.leaving and row["at"] is not None:
            raise NotFound
        if actor == self.engine.coming and row["at"] is None:
            raise NotFound
        return {STREAM: row["at"] if actor == self.engine.coming else 1}


class CaseEngine(SmallEngine):
    leaving: Actor = NOBODY
    coming: Actor = NOBODY

    async def subscribe(self, request: GraphQLRequest, actor: Actor) -> SmallLive | GraphQLAnswer:
        live = await super().subscribe(request, actor)
        return CaseLive(**vars(live)) if isinstance(live, SmallLive) else live


@dataclass
class BadHints:
    """An announcer whose hints are lost, doubled and out of order."""

    bus: LocalBus
    chance: random.Random
    kept: list[Hint] = field(default_factory=list)

    def announce(self, events: Sequence[LoggedEvent]) -> None:
        self.kept += [Hint(e.stream, e.epoch, e.offset, e) for e in events]
        for hint in self.chance.sample(self.kept, min(len(self.kept), self.chance.randint(0, 3))):
            self.bus.publish(hint)

    def whisper(self, stream: str, kind: str, body: Mapping[str, Json]) -> None:
        raise AssertionError


@pytest_asyncio.fixture
async def nodes(database: str) -> AsyncIterator[list[SmallNode]]:
    """Two nodes, one log, one bus."""
    bus, engine, settings = LocalBus(), CaseEngine(), LiveSettings(ops_burst=10_000)
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                running(SmallNode(log=streams, bus=bus, engine=engine, settings=settings))
            )
            for _ in range(2)
        ]


class Asking:
    """Somebody who asks for the stream again and again, from somewhere else each time."""

    def __init__(self, client: SmallClient, chance: random.Random, epoch: str) -> None:
        self.client, self._chance, self._epoch = client, chance, epoch
        self.ids: list[str] = []

    async def ask(self) -> None:
        id_ = f"a{len(self.ids)}"
        offset = max([0, *self.offsets()])
        since = {STREAM: [self._epoch, offset]}
        self.ids.append(id_)
        from_now = bool(self.ids[:-1]) and self._chance.random() < 0.3
        await self.client.subscribe(id_, STREAM, since=None if from_now else since)

    async def ask_on(self, *, is_restless: bool) -> None:
        """Ask again when it has ended; the restless also as soon as they have got something."""
        while True:
            await self.ask()
            enough = self._chance.randint(0, 20) if is_restless else 10**6
            await eventually(lambda: self.code is not None or self._got() > enough, 30)  # noqa: B023
            if self.code is None:
                await self.client.say(type="complete", id=self.ids[-1])

    @property
    def code(self) -> str | None:
        """With which the latest of them ended; None: it runs, or nothing was asked yet."""
        frames = self.client.of(self.ids[-1]) if self.ids else []
        if not frames or frames[-1]["type"] != "error":
            return None
        return self.client.code(self.ids[-1])

    def _got(self) -> int:
        return len(self.client.offsets(self.ids[-1]))

    def offsets(self) -> list[int]:
        return [offset for id_ in self.ids for offset in self.client.offsets(id_)]


@pytest.mark.parametrize("seed", range(4))
async def test_a_hand_over_among_a_hundred_events_in_flight_parts_them_on_both_nodes(
    nodes: list[SmallNode], seed: int
) -> None:
    chance = random.Random(seed)
    works = Works(SystemClock(), BadHints(nodes[0].bus, chance))
    async with works.open(NOBODY) as w:
        w.record(Said("first"))
    epoch = w.events[0].epoch
    engine = nodes[0].engine
    assert isinstance(engine, CaseEngine)
    names = ("leaving", "coming", "staying")
    actors = [nodes[0].sessions.sign_in(name) for name in names]
    engine.leaving, engine.coming, _ = actors
    people: dict[str, list[Asking]] = {name: [] for name in names}
    for name in names:
        nodes[1].sessions.copy(name, nodes[0].sessions)
        for node in nodes * 3:
            client = node.client()
            await client.init(name)
            await eventually(lambda client=client: client.connection.is_ready)
            people[name].append(Asking(client, chance, epoch))

    async def write(fact: Said | Removed) -> None:
        async with works.open(NOBODY) as w:
            w.record(fact)

    said = [Said(str(number)) for number in range(2 * AROUND)]
    asking = [
        asyncio.create_task(each.ask_on(is_restless=name == "leaving"))
        for name in names
        for each in people[name]
    ]
    await eventually(
        lambda: all(each.offsets() for name in ("leaving", "staying") for each in people[name])
    )
    await asyncio.gather(*map(write, [*said[:AROUND], Removed(), *said[AROUND:]]))
    top = 2 * AROUND + 2
    (row,) = await fetch('SELECT "offset" AS at FROM event WHERE kind = $1', Removed.kind)
    handed_over_at: int = row["at"]
    for node in nodes:
        await node.timers.advance(6)
    await eventually(lambda: all(top in each.offsets() for each in people["staying"]))
    await eventually(lambda: all(each.code == "RT_FORBIDDEN" for each in people["leaving"]))
    await eventually(lambda: all(each.code is None for each in people["coming"]))
    late = people["coming"][0].client
    await late.subscribe("before", STREAM, since={STREAM: [epoch, handed_over_at - 2]})
    await late.subscribe("after", STREAM, since={STREAM: [epoch, handed_over_at - 1]})
    await eventually(lambda: late.of("before") and top in late.offsets("after"))
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)

    assert 2 < handed_over_at < top
    for each in people["leaving"]:
        assert each.offsets() == sorted(set(each.offsets()))
        assert max(each.offsets()) < handed_over_at
    assert all(min(each.offsets(), default=top) >= handed_over_at for each in people["coming"])
    assert (late.offsets("before"), late.code("before")) == ([], "RT_UNRECOVERABLE")
    assert late.offsets("after") == list(range(handed_over_at, top + 1))
    everything = list(range(1, top + 1))
    for each in people["staying"]:
        assert len(each.ids) == 1
        assert each.offsets() == everything
