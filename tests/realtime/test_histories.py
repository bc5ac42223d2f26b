"""The log becomes another one (a restore, a promotion): nothing of the lost history goes on."""

from __future__ import annotations

import asyncio

import pytest

from realtime.bus import Hint
from tests.support.live import SmallClient, SmallNode
from tests.support.timers import settle


@pytest.fixture
async def client(node: SmallNode) -> SmallClient:
    """A signed-in client that may follow cv:1."""
    node.engine.allow(node.sessions.sign_in(), "cv:1")
    return await node.client().init()


def told(client: SmallClient, id_: str) -> list[tuple[str, str]]:
    """Epoch and text of each event that one operation got."""
    payloads = [frame["payload"] for frame in client.of(id_) if frame["type"] == "next"]
    return [(p["extensions"]["rt"]["e"], p["data"]["event"]["text"]) for p in payloads]


async def test_who_comes_with_the_new_history_to_a_node_still_in_the_old_gets_the_new_alone(
    node: SmallNode, client: SmallClient
) -> None:
    await client.subscribe("live", "cv:1")
    for n in range(1, 7):
        await node.publish("cv:1", text=f"old {n}")
    node.log.restore("cv:1", "new", 3)
    for n in range(4, 9):
        node.log.append("cv:1", text=f"new {n}")
    other = await node.client().init()
    await other.subscribe("a", "cv:1", since={"cv:1": ["new", 4]})
    await node.timers.advance(2)

    assert told(other, "a") == [("new", f"new {n}") for n in range(5, 9)]
    assert client.code("live") == "RT_UNRECOVERABLE"


async def test_an_event_that_is_lost_while_one_group_renders_reaches_no_other(
    node: SmallNode, client: SmallClient
) -> None:
    other, third = await node.client().init(), await node.client().init()
    await client.subscribe("a", "cv:1", query="subscription private")
    for n in range(1, 5):
        await node.publish("cv:1", text=f"old {n}")
    await other.subscribe("b", "cv:1")
    rendering: list[asyncio.Event] = []
    node.engine.rendering.held = rendering
    await node.publish("cv:1", text="old 5")  # the private group's turn
    await _join_in_the_new_history(node, third, top=4)
    rendering[0].set()
    await settle()
    for n in (5, 6):
        await node.publish("cv:1", text=f"new {n}")

    assert other.code("b") == "RT_UNRECOVERABLE"
    assert told(third, "b") == [("new", "new 5"), ("new", "new 6")]


async def test_a_lost_event_that_cannot_be_rendered_ends_nobody_in_the_new_history(
    node: SmallNode, client: SmallClient
) -> None:
    third = await node.client().init()
    await client.subscribe("b", "cv:1")
    await node.publish("cv:1", text="old 1")
    rendering: list[asyncio.Event] = []
    node.engine.rendering.held = rendering
    await node.publish("cv:1", "test.broken")
    await _join_in_the_new_history(node, third, top=1)
    rendering[0].set()
    await settle()
    await node.publish("cv:1", text="new 2")

    assert client.code("b") == "RT_UNRECOVERABLE"
    assert told(third, "b") == [("new", "new 2")]


async def test_a_log_that_is_down_while_a_place_is_looked_for_is_asked_again(
    node: SmallNode, client: SmallClient
) -> None:
    await client.subscribe("live", "cv:1")
    for n in range(1, 4):
        event = await node.publish("cv:1", hint=n == 1, text=str(n))
    other = await node.client().init()
    node.log.is_down = True
    await other.subscribe("a", "cv:1", since={"cv:1": [event.epoch, 2]})
    node.log.is_down = False
    await node.timers.advance(8)

    assert told(other, "a") == [(event.epoch, "3")]


async def test_a_log_that_stays_down_while_a_place_is_looked_for_is_told_as_unavailable(
    node: SmallNode, client: SmallClient
) -> None:
    await client.subscribe("live", "cv:1")
    event = await node.publish("cv:1", text="1")
    node.log.is_down = True
    other = await node.client().init()
    await other.subscribe("a", "cv:1", since={"cv:1": [event.epoch, 2]})
    await node.timers.advance(3)

    assert other.code("a") == "RT_UNAVAILABLE"


async def test_the_first_events_of_a_stream_hinted_at_while_its_tail_opens_have_their_history(
    node: SmallNode, client: SmallClient
) -> None:
    node.log.held, node.log.is_stale = [], True  # it is seen as it was: nobody has written to it
    await client.subscribe("a", "cv:1")
    first = await node.publish("cv:1", text="first")
    node.log.is_stale = False
    node.log.release()
    await settle()
    assert client.lives() == [{"a": {"cv:1": ["", 0]}}]
    await node.publish("cv:1", text="second")

    assert told(client, "a") == [(first.epoch, "first"), (first.epoch, "second")]


async def test_a_hint_at_a_stream_that_nobody_has_written_to_is_forgotten(
    node: SmallNode, client: SmallClient
) -> None:
    node.log.held = []
    await client.subscribe("a", "cv:1")
    node.bus.publish(Hint("cv:1", "wrong", 7))
    await settle()
    node.log.release()
    await settle()
    assert node.hub.node.tails.is_quiet
    event = await node.publish("cv:1", text="first")

    assert told(client, "a") == [(event.epoch, "first")]


async def _join_in_the_new_history(node: SmallNode, client: SmallClient, *, top: int) -> None:
    """Restore the log up to ``top``; meanwhile the client joins operation b's group, at its end."""
    node.engine.rendering.held = None
    looks: list[asyncio.Event] = []
    node.log.held = looks
    await client.subscribe("b", "cv:1", since={"cv:1": ["new", top]})  # in the group, not placed
    node.log.restore("cv:1", "new", top)
    node.hub.heard(Hint("cv:1", "new", top))
    await settle()
    for look in reversed(looks):  # the tail's own first
        look.set()
        await settle()
    node.log.held = None
    assert client.lives() == [{"b": {"cv:1": ["new", top]}}]
