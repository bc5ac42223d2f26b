"""Something is committed while a subscription catches up: at every await at which it can stand.

The scheduler is the test's: one turn of the loop at a time, and between two turns the commit comes.
Each scene is played anew for each of its turns, until the subscription is live before the commit.
By its source it is checked that every await of the catching up was stood at.
"""

from __future__ import annotations

import ast
import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CoroutineType
from typing import Any

import pytest

from domain.kernel.actor import Actor
from realtime import catching, subscription
from realtime.bounds import SOFT_BUFFER_BYTES, LiveSettings
from realtime.bus import Hint
from realtime.catching import REPLAY_YIELD_EVERY, RETRY_S
from tests.support.live import SmallClient, SmallNode, running
from tests.support.timers import settle

TURNS_MAX = 200
"""Of a scene; it takes a tenth of them until it is live."""
RECOVERED_AT = 15
"""The turn in which what ailed is over."""
STREAM = "cv:1"
FILES = {str(Path(str(module.__file__))) for module in (catching, subscription)}
TOLD = ("at once", "soon", "twice, from the last on", "never")
"""How the hints are heard: within the commit, by the bus, in disorder, or not at all."""
Point = tuple[str, int]
"""A file and the line of one of its awaits."""


@dataclass
class Scene:
    """A client on its way to live delivery, on a node of its own."""

    node: SmallNode
    actor: Actor
    client: SmallClient
    since: int | None = None
    """Everything above it is the client's; None: above what it is told when it is live."""
    turns: int = 0

    def subscribe(self, client: SmallClient | None = None) -> None:
        """Say so, without giving anybody a turn."""
        epoch = self.node.log.streams.get(STREAM, ("", []))[0]
        since = {} if self.since is None else {"rt": {"since": {STREAM: [epoch, self.since]}}}
        payload = {
            "query": "subscription",
            "variables": {"streams": [STREAM]},
            "extensions": since,
        }
        message = {"type": "subscribe", "id": "a", "payload": payload}
        (client or self.client).connection.receive_text(json.dumps(message).encode())

    def hold(self) -> None:
        """From here on questions and renderings take a turn, and answers tell how it was before."""
        for gates in (self.node.log, self.node.engine, self.node.engine.rendering):
            gates.held, gates.is_stale = [], True

    def meanwhile(self) -> None:
        """What becomes of the world, turn by turn: it answers, the log is back, the peer reads."""
        for gates in (self.node.log, self.node.engine, self.node.engine.rendering):
            while gates.held:
                gates.held.pop().set()
        if self.turns == RECOVERED_AT:
            self.node.log.is_down = False
            self.client.socket.unread_bytes = 0
            self.node.timers.fire(RETRY_S)

    async def turn(self) -> None:
        """Each task that is ready takes one step."""
        self.turns += 1
        self.meanwhile()
        await asyncio.sleep(0)

    def assert_complete(self, *, until: int | None = None) -> None:
        """It has all of the log, once and in order; below ``until`` where it was cut off there."""
        start = self.since
        if start is None and self.client.lives():
            start = self.client.lives()[0]["a"][STREAM][1]
        got = self.client.offsets("a")
        epoch, events = self.node.log.streams[STREAM]
        answers = [frame for frame in self.client.of("a") if frame["type"] == "next"]
        assert {answer["payload"]["extensions"]["rt"]["e"] for answer in answers} <= {epoch}
        if until is None:
            assert start is not None
            assert got == list(range(start + 1, len(events) + 1))
        else:
            assert got == list(range(got[0], got[-1] + 1)) if got else True
            assert not [offset for offset in got if offset >= until]
            assert self.client.code("a") == "RT_FORBIDDEN"


Play = Callable[[Scene], Awaitable[None]]


async def from_now(scene: Scene) -> None:
    scene.subscribe()


async def behind_another_who_asks(scene: Scene) -> None:
    """One question for permission at a time."""
    scene.subscribe(await scene.node.client().init())
    scene.subscribe()


async def from_the_log(scene: Scene) -> None:
    for _ in range(REPLAY_YIELD_EVERY + 3):
        scene.node.log.append(STREAM)
    scene.since = 0
    scene.subscribe()


async def from_the_ring(scene: Scene) -> None:
    other = await scene.node.client().init()
    await other.subscribe("o", STREAM, query="subscription private")
    for _ in range(4):
        await scene.node.publish(STREAM)
    scene.since = 1
    scene.subscribe()


async def from_a_place_that_only_others_know(scene: Scene) -> None:
    await (await scene.node.client().init()).subscribe("o", STREAM)
    await scene.node.publish(STREAM)
    scene.node.log.append(STREAM)
    scene.since = 2
    scene.subscribe()


async def allowed_anew(scene: Scene) -> None:
    await scene.client.subscribe("a", STREAM)
    scene.node.announcer.announce([scene.node.log.append(STREAM, authority=True)])


async def slow(scene: Scene) -> None:
    await scene.client.subscribe("a", STREAM)
    scene.client.socket.unread_bytes = SOFT_BUFFER_BYTES + 1
    await scene.node.publish(STREAM)
    scene.node.announcer.announce([scene.node.log.append(STREAM, authority=True)])


async def while_the_log_is_away(scene: Scene) -> None:
    scene.node.log.is_down = True
    scene.subscribe()


SCENES: tuple[Play, ...] = (
    *(from_now, behind_another_who_asks, from_the_log, from_the_ring),
    *(from_a_place_that_only_others_know, allowed_anew, slow, while_the_log_is_away),
)


@asynccontextmanager
async def played(play: Play) -> AsyncIterator[Scene]:
    node = SmallNode(settings=LiveSettings(authority_checks_max=1))
    async with running(node):
        actor = node.sessions.sign_in()
        node.engine.allow(actor, STREAM)
        node.log.append(f"me:{actor.account_id}")  # else its first hint would be looked into
        scene = Scene(node, actor, await node.client().init())
        await play(scene)
        scene.hold()
        yield scene


def stood_at() -> set[Point]:
    """Where tasks stand in the files of the catching up."""
    found = set()
    for task in asyncio.all_tasks():
        step: Any = task.get_coro()
        while isinstance(step, CoroutineType):
            if step.cr_frame is not None and step.cr_code.co_filename in FILES:
                found.add((step.cr_code.co_filename, step.cr_frame.f_lineno))
            step = step.cr_await
    return found


def all_awaits() -> set[Point]:
    return {
        (file, node.lineno)
        for file in FILES
        for node in ast.walk(ast.parse(Path(file).read_text(encoding="utf-8")))
        if isinstance(node, (ast.Await, ast.AsyncWith, ast.AsyncFor))
    }


def commit(scene: Scene, what: str, told: str) -> int:
    """Two events, and what belongs to them; the offset of the first."""
    node = scene.node
    if what != "news":
        node.engine.forbid(scene.actor, STREAM)
    is_elsewhere = what == "removal, told in the account's stream"
    events = [
        node.log.append(STREAM, authority=what == "removal"),
        node.log.append(STREAM),
    ]
    if is_elsewhere:
        events.insert(0, node.log.append(f"me:{scene.actor.account_id}", authority=True))
    if told == "at once":
        for event in events:
            node.hub.heard(Hint(event.stream, event.epoch, event.offset, event))
    elif told == "twice, from the last on":
        node.announcer.announce([*reversed(events), *events])
    elif told == "soon":
        node.announcer.announce(events)
    return events[-2].offset


async def commit_at(play: Play, turn: int, what: str, told: str) -> set[Point]:
    """Play it and commit after so many turns; where the subscription stood then."""
    async with played(play) as scene:
        for _ in range(turn):
            await scene.turn()
        where = stood_at()
        first = commit(scene, what, told)
        while scene.turns < turn + RECOVERED_AT:
            await scene.turn()
        for gates in (scene.node.log, scene.node.engine, scene.node.engine.rendering):
            gates.release()
        await scene.node.publish(STREAM)
        scene.node.timers.fire(6)  # whatever no hint has told, a sweep finds
        await settle()
        scene.assert_complete(until=None if what == "news" else first)
    return where


@pytest.mark.parametrize(
    ("what", "told"),
    [
        *((what, told) for what in ("news", "removal") for told in TOLD),
        # Between streams there is no order, unless the hints are heard in one.
        *(("removal, told in the account's stream", told) for told in ("at once", "soon")),
    ],
)
async def test_a_commit_at_every_await_of_the_catching_up_arrives_once_and_in_order(
    what: str, told: str
) -> None:
    reached: set[Point] = set()
    for play in SCENES:
        began = False
        for turn in range(TURNS_MAX):
            where = await commit_at(play, turn, what, told)
            if began and not where:
                break  # it was live before the commit, and so from here on
            began = began or bool(where)
            reached |= where
        else:
            raise AssertionError(f"{play.__name__} is never live")
    assert sorted(all_awaits() - reached) == []
