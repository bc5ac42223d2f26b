"""What was written to sockets is taken down in batches, bounded, and never holds up delivery."""

from __future__ import annotations

import asyncio

import pytest

from realtime import receipts
from realtime.bounds import LiveSettings
from tests.support.live import SmallClient, SmallNode
from tests.support.timers import settle

OWING = "subscription receipts"
DELAY_S = LiveSettings().receipt_delay_s


async def two_who_owe(node: SmallNode) -> tuple[SmallClient, SmallClient]:
    clients = []
    for token in ("a", "b"):
        node.engine.allow(node.sessions.sign_in(token), "ou:1")
        client = await node.client().init(token)
        await client.subscribe("s", "ou:1", query=OWING)
        clients.append(client)
    return clients[0], clients[1]


async def test_deliveries_of_many_accounts_are_taken_down_at_once(node: SmallNode) -> None:
    await two_who_owe(node)
    events = [await node.publish("ou:1") for _ in range(3)]
    assert node.deliveries.batches == []

    await node.timers.advance(DELAY_S)

    (batch,) = node.deliveries.batches
    accounts = [live.receipts_of for live in node.engine.lives]
    assert [(each.account_id, each.event) for each in batch] == [
        (account, event) for event in events for account in accounts
    ]
    assert {each.at for each in batch} == {node.clock.now()}
    assert node.hub.node.metrics.receipts == 6


async def test_whispers_and_subscriptions_that_owe_nothing_are_not_noted(node: SmallNode) -> None:
    await two_who_owe(node)
    node.engine.allow(node.sessions.sign_in("c"), "cv:1")
    other = await node.client().init("c")
    await other.subscribe("s", "cv:1")
    await node.publish("cv:1")
    node.announcer.whisper("ou:1", "test.whispered", {})
    await node.timers.advance(1)

    assert other.offsets("s") == [1]
    assert node.deliveries.batches == []
    assert len(node.hub.node.receipts) == 0


async def test_a_failure_is_counted_and_delivery_goes_on(node: SmallNode) -> None:
    first, _ = await two_who_owe(node)
    node.deliveries.is_down = True
    await node.publish("ou:1")
    await node.timers.advance(DELAY_S)
    node.deliveries.is_down = False
    await node.publish("ou:1")
    await node.timers.advance(DELAY_S)

    assert first.offsets("s") == [1, 2]
    assert [each.event.offset for each in node.deliveries.batches[0]] == [2, 2]
    metrics = node.hub.node.metrics
    assert (metrics.receipts, metrics.receipts_lost) == (2, 2)


async def test_the_queue_is_bounded_and_written_in_bounded_batches(
    node: SmallNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "RECEIPTS_WAITING_MAX", 5)
    monkeypatch.setattr(receipts, "RECEIPTS_BATCH_MAX", 3)
    await two_who_owe(node)
    for _ in range(4):
        await node.publish("ou:1")
    assert len(node.hub.node.receipts) == 5
    await node.timers.advance(DELAY_S)

    assert [len(batch) for batch in node.deliveries.batches] == [3, 2]
    assert node.hub.node.metrics.receipts_lost == 3


async def test_stopping_does_not_wait_for_a_database_that_never_answers(
    node: SmallNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "FLUSH_S_MAX", 0.01)
    answers = asyncio.Event()
    monkeypatch.setattr(node.deliveries, "record", lambda _: answers.wait())
    await two_who_owe(node)
    await node.publish("ou:1")
    async with asyncio.timeout(5):
        await node.hub.stop()

    assert node.hub.node.metrics.receipts == 0
    answers.set()  # else the node would wait once more when it is stopped after the test
    await settle()


async def test_stopping_takes_down_what_waits(node: SmallNode) -> None:
    await two_who_owe(node)
    await node.publish("ou:1")
    await node.hub.stop()

    assert [len(batch) for batch in node.deliveries.batches] == [2]
