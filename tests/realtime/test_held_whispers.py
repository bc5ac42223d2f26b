"""Who is here is told to whoever could not be told at once: merged, in order; or they look anew."""

from __future__ import annotations

import asyncio

import pytest

from domain.kernel.actor import Actor
from realtime.bounds import LAG_BUFFER_BYTES, SOFT_BUFFER_BYTES
from realtime.presence import PRESENCE_CHANGED
from realtime.tail import WHISPERS_MAX
from tests.support.live import POISON, SmallClient, SmallNode
from tests.support.timers import settle


@pytest.fixture
def actor(node: SmallNode) -> Actor:
    """An account that may follow cv:1."""
    actor = node.sessions.sign_in()
    node.engine.allow(actor, "cv:1")
    return actor


@pytest.fixture
async def client(node: SmallNode, actor: Actor) -> SmallClient:
    """Its signed-in client, subscribed."""
    client = await node.client().init()
    await client.subscribe("a", "cv:1")
    return client


async def here(node: SmallNode, *joined: str, left: tuple[str, ...] = ()) -> None:
    body = {"joined": [*joined], "left": [*left]}
    node.announcer.whisper("cv:1", PRESENCE_CHANGED, body)  # type: ignore[arg-type]  # JSON
    await settle()


async def typing(node: SmallNode) -> None:
    node.announcer.whisper("cv:1", "typing", {})
    await settle()


def told(client: SmallClient, id_: str = "a") -> list[tuple[list[str], list[str]]]:
    """Who joined and who left, whisper by whisper; typing is a pair of nobody."""
    payloads = [frame["payload"] for frame in client.of(id_) if frame["type"] == "next"]
    bodies = [p["data"]["event"] for p in payloads if "x" in p["extensions"]["rt"]]
    return [(body.get("joined", []), body.get("left", [])) for body in bodies]


def hold_renderings(node: SmallNode) -> list[asyncio.Event]:
    held: list[asyncio.Event] = []
    node.engine.rendering.held = held
    return held


async def test_who_lags_is_told_when_it_has_caught_up(node: SmallNode, client: SmallClient) -> None:
    client.socket.unread_bytes = LAG_BUFFER_BYTES + 1
    for _ in range(3):
        await node.publish("cv:1")
    await here(node, "x", "y")
    await typing(node)
    await here(node, "z", left=("x",))
    assert told(client) == []
    client.socket.unread_bytes = 0
    await node.timers.advance(1)

    assert client.offsets("a") == [1, 2, 3]
    assert told(client) == [(["y", "z"], ["x"])]


async def test_who_is_being_allowed_anew_is_told_afterwards(
    node: SmallNode, client: SmallClient
) -> None:
    node.engine.held = []
    await node.publish("cv:1", authority=True)
    await here(node, "x")
    assert told(client) == []
    node.engine.release()
    await settle()

    assert client.offsets("a") == [1]
    assert told(client) == [(["x"], [])]


async def test_what_comes_while_the_held_is_rendered_is_told_with_it_never_before(
    node: SmallNode, client: SmallClient
) -> None:
    client.socket.unread_bytes = SOFT_BUFFER_BYTES + 1
    await node.publish("cv:1")
    await here(node, "x")
    renderings = hold_renderings(node)
    client.socket.unread_bytes = 0
    await node.timers.advance(0.2)
    await here(node, left=("x",))
    held, later = renderings
    later.set()
    await settle()
    assert told(client) == []
    held.set()
    node.engine.rendering.release()
    await settle()
    await here(node, "y")

    assert told(client) == [([], ["x"]), (["y"], [])]


async def test_who_stops_reading_again_before_it_is_told_is_told_the_next_time(
    node: SmallNode, client: SmallClient
) -> None:
    client.socket.unread_bytes = SOFT_BUFFER_BYTES + 1
    await node.publish("cv:1")
    await here(node, "x")
    renderings = hold_renderings(node)
    client.socket.unread_bytes = 0
    await node.timers.advance(0.2)
    node.engine.rendering.held = None
    client.socket.unread_bytes = SOFT_BUFFER_BYTES + 1
    await node.publish("cv:1")
    renderings[0].set()
    await settle()
    assert told(client) == []
    client.socket.unread_bytes = 0
    await node.timers.advance(0.2)

    assert told(client) == [(["x"], [])]


async def test_who_falls_behind_while_another_group_renders_is_told_afterwards(
    node: SmallNode, actor: Actor
) -> None:
    first, second = await node.client().init(), await node.client().init()
    await first.subscribe("a", "cv:1", query="subscription private")
    await second.subscribe("a", "cv:1")
    renderings = hold_renderings(node)
    await here(node, "x")
    node.engine.rendering.held = None
    node.engine.held = []
    second.connection.operations.distrust()
    renderings[0].set()
    await settle()
    node.engine.release()
    await settle()

    assert told(first) == told(second) == [(["x"], [])]


async def test_a_whisper_that_takes_a_group_apart_is_told_to_each_alone(
    node: SmallNode, client: SmallClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.support.live.POISON", PRESENCE_CHANGED)
    assert POISON != PRESENCE_CHANGED
    await here(node, "x")

    assert node.hub.node.metrics.share_poison == 1
    assert told(client) == [(["x"], [])]


async def test_more_than_is_kept_makes_the_client_look_anew(
    node: SmallNode, client: SmallClient
) -> None:
    client.socket.unread_bytes = SOFT_BUFFER_BYTES + 1
    await node.publish("cv:1")
    await here(node, *(f"x{n}" for n in range(1_000)))
    assert client.of("a")[-1]["type"] == "next"
    await here(node, left=("y",))

    assert client.code("a") == "RT_LAGGED"


async def test_of_more_whispers_than_may_wait_who_is_here_is_told_all_the_same(
    node: SmallNode, client: SmallClient
) -> None:
    renderings = hold_renderings(node)
    await typing(node)  # is being told; the others wait
    await here(node, "first")
    for n in range(2 * WHISPERS_MAX):
        await (here(node, f"x{n}") if n % 2 else typing(node))
    renderings[0].set()
    node.engine.rendering.release()
    await settle()
    await settle()
    joined = [account for names, _ in told(client) for account in names]

    assert sorted(joined) == sorted(["first", *(f"x{n}" for n in range(1, 2 * WHISPERS_MAX, 2))])
    assert len(told(client)) == 1 + WHISPERS_MAX


async def test_who_has_not_been_live_yet_is_told_nothing_of_before(
    node: SmallNode, client: SmallClient
) -> None:
    node.engine.held = []
    await client.subscribe("b", "cv:1")
    await here(node, "x")
    node.engine.release()
    await settle()

    assert (told(client), told(client, "b")) == ([(["x"], [])], [])
