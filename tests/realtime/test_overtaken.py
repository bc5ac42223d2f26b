"""A change of authority overtakes what is under way: a question, a rendering, a replay, a look."""

from __future__ import annotations

import asyncio

import pytest

from domain.kernel.actor import Actor
from realtime.authority import Admission
from realtime.bounds import LAG_BUFFER_BYTES, SOFT_BUFFER_BYTES
from realtime.bus import Hint
from realtime.presence import PRESENCE_CHANGED
from tests.support.live import TOKEN, SmallClient, SmallNode
from tests.support.timers import settle


@pytest.fixture
def actor(node: SmallNode) -> Actor:
    """An account that may follow cv:1."""
    actor = node.sessions.sign_in()
    node.engine.allow(actor, "cv:1")
    return actor


@pytest.fixture
async def client(node: SmallNode, actor: Actor) -> SmallClient:
    """Its signed-in client."""
    return await node.client().init()


@pytest.mark.parametrize("stream", ["cv:1", "me"])
async def test_a_removal_overtakes_the_question_for_permission(
    node: SmallNode, client: SmallClient, actor: Actor, stream: str
) -> None:
    event = await node.publish("cv:1")
    await (await node.client().init()).subscribe("other", "cv:1")
    held: list[asyncio.Event] = []
    node.engine.held, node.engine.is_stale = held, True
    await client.subscribe("a", "cv:1", since={"cv:1": [event.epoch, 0]})
    assert len(held) == 1
    node.engine.forbid(actor, "cv:1")
    await node.publish(f"me:{actor.account_id}" if stream == "me" else stream, authority=True)
    await node.publish("cv:1")
    node.engine.release()
    await settle()

    assert client.offsets("a") == []
    assert client.code("a") == "RT_FORBIDDEN"


async def test_a_removal_overtakes_the_rendering_of_a_replayed_event(
    node: SmallNode, client: SmallClient, actor: Actor
) -> None:
    for _ in range(3):
        event = await node.publish("cv:1")
    rendering: list[asyncio.Event] = []
    node.engine.rendering.held = rendering
    await client.subscribe("a", "cv:1", since={"cv:1": [event.epoch, 0]})
    assert len(rendering) == 1
    node.engine.forbid(actor, "cv:1")
    await node.publish("cv:1", authority=True)
    node.engine.rendering.release()
    await settle()

    assert client.offsets("a") == []
    assert client.code("a") == "RT_FORBIDDEN"


async def test_a_change_met_while_catching_up_has_the_account_looked_at_as_well(
    node: SmallNode, client: SmallClient, actor: Actor
) -> None:
    await client.subscribe("a", "cv:1")
    client.socket.unread_bytes = LAG_BUFFER_BYTES + 1
    for _ in range(2):
        await node.publish("cv:1")
    # Its own stream has told of this, too, but not here yet.
    node.sessions.change(TOKEN, None)
    await node.publish("cv:1", authority=True)
    client.socket.unread_bytes = 0
    await node.timers.advance(0.3)

    assert client.offsets("a") == [1]
    assert client.socket.closed == (4403, "revoked")


@pytest.mark.parametrize("kind", ["typing", PRESENCE_CHANGED])
async def test_a_removal_overtakes_the_rendering_of_a_whisper(
    node: SmallNode, client: SmallClient, actor: Actor, kind: str
) -> None:
    await client.subscribe("a", "cv:1")
    node.engine.rendering.held = []
    node.announcer.whisper("cv:1", kind, {"joined": ["x"], "left": []})
    await settle()
    assert len(node.engine.rendering.held) == 1
    node.engine.forbid(actor, "cv:1")
    node.engine.held = []
    await node.publish("cv:1", authority=True)
    node.engine.rendering.release()
    await settle()
    node.engine.release()
    await settle()

    assert [frame["type"] for frame in client.of("a")] == ["error"]
    assert client.code("a") == "RT_FORBIDDEN"


@pytest.mark.parametrize("kind", ["typing", PRESENCE_CHANGED])
@pytest.mark.parametrize("epoch", ["e0", "unheard of"])
async def test_what_is_whispered_after_a_removal_waits_until_that_has_been_read(
    node: SmallNode, client: SmallClient, actor: Actor, kind: str, epoch: str
) -> None:
    node.engine.allow(node.sessions.sign_in("stays"), "cv:1")
    stays = await node.client().init("stays")
    await node.publish("cv:1")
    for each in (client, stays):
        await each.subscribe("a", "cv:1")
    node.log.held = []
    node.engine.forbid(actor, "cv:1")
    event = node.log.append("cv:1", authority=True)
    node.bus.publish(Hint("cv:1", epoch, event.offset))  # without the event
    node.announcer.whisper("cv:1", kind, {"joined": ["x"], "left": []})
    await settle()
    assert stays.of("a") == client.of("a") == []
    node.log.release()
    await settle()

    assert [frame["type"] for frame in client.of("a")] == ["error"]
    kinds = [frame["payload"]["data"]["event"]["kind"] for frame in stays.of("a")]
    # Who stays is asked anew just then: typing is past, who is here is told.
    assert kinds == ["test.happened", kind][: 1 if kind == "typing" else 2]


async def test_a_whisper_does_not_wait_for_a_log_that_never_had_what_was_hinted_at(
    node: SmallNode, client: SmallClient
) -> None:
    await node.publish("cv:1")
    await client.subscribe("a", "cv:1")
    node.log.is_down = True
    node.bus.publish(Hint("cv:1", "e0", 7))
    node.announcer.whisper("cv:1", "typing", {})
    await settle()
    assert client.of("a") == []
    node.log.is_down = False
    await node.timers.advance(6)
    node.announcer.whisper("cv:1", "typing", {})
    await settle()

    assert [frame["type"] for frame in client.of("a")] == ["next", "next"]


async def test_a_removal_overtakes_what_is_held_for_a_slow_socket(
    node: SmallNode, client: SmallClient, actor: Actor
) -> None:
    await client.subscribe("a", "cv:1")
    client.socket.unread_bytes = SOFT_BUFFER_BYTES + 1
    await node.publish("cv:1")
    node.announcer.whisper("cv:1", PRESENCE_CHANGED, {"joined": ["x"], "left": []})
    await settle()
    node.engine.forbid(actor, "cv:1")
    await node.publish("cv:1", authority=True)
    client.socket.unread_bytes = 0
    await node.timers.advance(1)

    assert [frame["type"] for frame in client.of("a")] == ["next", "error"]
    assert (client.offsets("a"), client.code("a")) == ([1], "RT_FORBIDDEN")


async def test_a_revocation_during_a_look_is_doubted_until_a_later_look_has_succeeded(
    node: SmallNode, client: SmallClient, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, found = asyncio.Event(), node.sessions.refresh

    async def late(session_id: object, *, is_used: bool = False) -> Admission | None:
        admission = await found(actor.session_id, is_used=is_used)  # type: ignore[arg-type]  # has one
        await answers.wait()
        return admission

    monkeypatch.setattr(node.sessions, "refresh", late)
    await node.publish(f"me:{actor.account_id}", authority=True)  # a look is under way
    await node.publish(f"me:{actor.account_id}", authority=True)  # and is too early for this
    node.sessions.is_down = True
    answers.set()
    await settle()
    await client.say(type="subscribe", id="m", payload={"query": "mutation"})

    assert client.code("m") == "RT_UNAVAILABLE"
    assert node.engine.executed == []
