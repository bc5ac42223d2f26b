"""What is kept for who comes back, and what waits, has its bound; nothing durable is lost by it."""

from __future__ import annotations

import asyncio

import pytest

from realtime import canaries, pages, sharing, tail
from realtime.canaries import Canaries
from realtime.metrics import LiveMetrics
from tests.support.live import POISON, SmallClient, SmallNode
from tests.support.timers import settle


@pytest.fixture
async def client(node: SmallNode) -> SmallClient:
    """Somebody who may follow a few streams."""
    actor = node.sessions.sign_in()
    for n in range(1, 5):
        node.engine.allow(actor, f"cv:{n}")
    return await node.client().init()


async def test_of_whispers_that_wait_the_latest_are_told(
    node: SmallNode, client: SmallClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "WHISPERS_MAX", 3)
    await client.subscribe("a", "cv:1")
    held: list[asyncio.Event] = []
    node.engine.rendering.held = held
    for n in range(9):
        node.announcer.whisper("cv:1", "typing", {"n": n})
        await settle()
    node.engine.rendering.release()
    await settle()

    told = [f["payload"]["data"]["event"]["n"] for f in client.of("a")]
    assert told == [0, 6, 7, 8]  # the first was being told


async def test_answers_that_are_kept_take_no_more_than_their_bytes(
    node: SmallNode, client: SmallClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    bytes_max = 40_000
    monkeypatch.setattr(sharing, "RENDERED_BYTES_MAX", bytes_max)
    await client.subscribe("a", "cv:1")
    for _ in range(9):
        epoch = (await node.publish("cv:1", text="x" * 3_000)).epoch
        assert node.hub.node.groups._rendered_bytes <= bytes_max
    assert node.engine.renders == 9
    await client.subscribe("b", "cv:1", since={"cv:1": [epoch, 6]})
    assert node.engine.renders == 9
    await client.subscribe("c", "cv:1", since={"cv:1": [epoch, 0]})

    assert node.engine.renders > 9
    assert node.hub.node.groups._rendered_bytes <= bytes_max
    assert (client.offsets("b"), client.offsets("c")) == ([7, 8, 9], list(range(1, 10)))


async def test_pages_of_the_log_that_are_kept_are_few(
    node: SmallNode, client: SmallClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "PAGES_MAX", 2)
    for n in range(1, 5):
        event = node.log.append(f"cv:{n}")
        await client.subscribe(f"s{n}", f"cv:{n}", since={f"cv:{n}": [event.epoch, 0]})
        assert client.offsets(f"s{n}") == [1]
        assert len(node.hub.node.tails.pages._kept) == min(n, 2)


async def test_of_keys_that_share_no_more_the_oldest_is_tried_again_and_refused_again(
    node: SmallNode, client: SmallClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "POISONED_KEYS_MAX", 2)
    for n in (1, 2, 3):
        await client.subscribe(f"s{n}", f"cv:{n}")
        await node.publish(f"cv:{n}", POISON)
    assert len(node.hub.node.groups._poisoned) == 2
    await client.subscribe("again", "cv:1")
    await node.publish("cv:1", POISON)

    assert node.hub.node.metrics.share_poison == 4
    assert client.offsets("s1") == [1, 2]
    assert client.offsets("again") == [2]
    assert len(node.hub.node.groups._poisoned) == 2


def test_no_more_peers_are_watched_than_their_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canaries, "PEERS_MAX", 2)
    heard = Canaries("me", LiveMetrics().bus_lag_s)
    for peer in (b"a", b"b", b"c"):
        heard.heard(peer + b" 1.0", 10.0)
    heard.heard(b"me 12.4", 12.5)

    assert set(heard._peers) == {"a", "b"}
    assert heard.are_well(12.5)
    assert not heard.are_well(12.6)
