"""Every figure that the operator reads is moved by its cause, and by its cause alone.

Each cause is brought about on a node of its own, and what is exposed compared: all that has moved
is named with it, and by how much. A figure that no cause moves fails the last test.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from gateway.metrics import Figures
from realtime.bounds import (
    HARD_BUFFER_BYTES,
    LAG_BUFFER_BYTES,
    LAGGING_OPENED_PER_S,
    SOFT_BUFFER_BYTES,
)
from realtime.bus import Hint
from realtime.metrics import LiveMetrics
from realtime.redis_bus import RedisBus
from tests.support.figures import CAUSES, LIVE, RENDERED, SOME, Scene, moves, samples
from tests.support.live import POISON, SmallNode, running
from tests.support.redis_server import eventually, some_redis
from tests.support.sockets import hear, ringed, say, serving_sockets
from tests.support.timers import settle


@moves(connections=1)
async def a_socket_is_opened(scene: Scene) -> None:
    scene.look()
    scene.node.client()


@moves(
    operations=1,
    groups=1,
    tails=1,
    live_resumes_total__live=1,
    live_authority_checks_total=1,
    live_bytes_out_total=SOME,
)
async def a_subscription_begins_now(scene: Scene) -> None:
    await scene.begin()
    await scene.client.subscribe("a", "cv:1")


@moves(
    operations=1,
    sharing_ratio=1,
    live_resumes_total__live=1,
    live_authority_checks_total=1,
    live_bytes_out_total=SOME,
)
async def a_second_one_is_alike(scene: Scene) -> None:
    await scene.begin(count=1)
    await scene.client.subscribe("b", "cv:1")


@moves(**LIVE)
async def an_event_reaches_one_subscription(scene: Scene) -> None:
    await scene.begin(count=1)
    await scene.node.publish("cv:1")


@moves(**LIVE | {"live_deliveries_total": 3, "live_commit_to_socket_seconds_count": 3})
async def an_event_reaches_three_who_are_alike(scene: Scene) -> None:
    await scene.begin(count=3)
    await scene.node.publish("cv:1")


@moves(**LIVE, live_commit_to_socket_seconds_sum=0.25)
async def an_event_arrives_late(scene: Scene) -> None:
    await scene.begin(count=1)
    scene.node.clock.advance(seconds=0.25)
    await scene.node.publish("cv:1")


@moves(live_refusals_total__lagging=1)
async def a_socket_comes_while_the_loop_lags(scene: Scene) -> None:
    scene.look()
    scene.node.hub._loop_watch.recent_s = 1.0
    for _ in range(LAGGING_OPENED_PER_S):
        assert scene.node.hub.refusal() is None
    assert scene.node.hub.refusal() == "lagging"


@moves(draining=1, live_refusals_total__draining=1)
async def a_socket_comes_while_the_node_is_drained(scene: Scene) -> None:
    scene.look()
    await scene.node.hub.drain()
    assert scene.node.hub.refusal() == "draining"


@moves(live_refusals_total__full=1)
async def a_socket_comes_to_a_full_node(scene: Scene) -> None:
    scene.look()
    full = replace(scene.node.hub.node.settings, connections_max=0)
    scene.node.hub.node.registry._settings = full
    assert scene.node.hub.refusal() == "full"


@moves(live_refusals_total__pending=1)
async def a_socket_comes_from_where_nobody_signs_in(scene: Scene) -> None:
    scene.look()
    full = replace(scene.node.hub.node.settings, pending_per_client_max=0)
    scene.node.hub.node.registry._settings = full
    assert scene.node.hub.refusal("somewhere") == "pending"


@moves(live_refusals_total__origin=1)
async def a_socket_comes_from_a_foreign_page(scene: Scene) -> None:
    scene.look()
    async with serving_sockets(scene.node, has_lane=True) as server:
        with pytest.raises(InvalidStatus):
            await server.connect(origin=Origin("https://elsewhere.example"))


@moves(**RENDERED)
async def a_whisper_reaches_one_subscription(scene: Scene) -> None:
    await scene.begin(count=1)
    scene.node.announcer.whisper("cv:1", "typing", {})
    await settle()


@moves(live_bytes_out_total=SOME)
async def a_query_is_answered(scene: Scene) -> None:
    await scene.begin()
    await scene.client.say(type="subscribe", id="q", payload={"query": "query"})


@moves(mutations=1)
async def a_mutation_takes_its_time(scene: Scene) -> None:
    await scene.begin()
    scene.node.engine.execute_gate = asyncio.Event()
    await scene.client.say(type="subscribe", id="m", payload={"query": "mutation"})


@moves(
    live_share_poison_total=1,
    groups=1,
    sharing_ratio=-1,
    live_renders_total=3,
    live_deliveries_total=2,
    live_bytes_out_total=SOME,
    live_replay_events_total=2,
    live_replay_bytes_total=SOME,
    live_ring_bytes=SOME,
)
async def a_shared_rendering_touches_a_viewer(scene: Scene) -> None:
    await scene.begin(count=2)
    await scene.node.publish("cv:1", POISON)


@moves(**LIVE, live_soft_total=1)
async def a_socket_is_found_slow(scene: Scene) -> None:
    await scene.begin(count=1)
    scene.client.socket.unread_bytes = SOFT_BUFFER_BYTES + 1
    await scene.node.publish("cv:1")


@moves(live_lagging_total=1, live_renders_total=1, live_ring_bytes=SOME)
async def a_slow_socket_misses_its_turn(scene: Scene) -> None:
    await scene.begin(count=1)
    scene.client.socket.unread_bytes = LAG_BUFFER_BYTES + 1
    await scene.node.publish("cv:1")
    scene.look()
    await scene.node.publish("cv:1")


@moves(live_closed_slow_total=1, live_close_codes_total__1013=1, live_bytes_out_total=SOME)
async def a_socket_has_too_much_unsent(scene: Scene) -> None:
    await scene.begin()
    scene.client.socket.unread_bytes = HARD_BUFFER_BYTES + 1
    await scene.client.say(type="ping")


REPLAYED = {
    "operations": 1,
    "live_authority_checks_total": 1,
    **RENDERED,
    "live_replay_events_total": 1,
    "live_replay_bytes_total": SOME,
}


@moves(**REPLAYED, groups=1, live_resumes_total__ring=1)
async def what_was_missed_is_in_the_ring(scene: Scene) -> None:
    await scene.begin("subscription private", count=1)
    event = await scene.node.publish("cv:1")
    scene.look()
    await scene.client.subscribe("a", "cv:1", since={"cv:1": [event.epoch, event.offset - 1]})


@moves(**REPLAYED, groups=1, tails=1, live_resumes_total__log=1)
async def what_was_missed_is_in_the_log(scene: Scene) -> None:
    await scene.begin()
    await scene.client.subscribe("a", "cv:1", since={"cv:1": [scene.epoch, 0]})


@moves(
    tails=1,
    live_resumes_total__lagged=1,
    live_authority_checks_total=1,
    live_bytes_out_total=SOME,
)
async def too_much_was_missed(scene: Scene) -> None:
    await scene.begin(is_written=5_001)
    await scene.client.subscribe("a", "cv:1", since={"cv:1": [scene.epoch, 0]})


@moves(
    tails=1,
    live_resumes_total__unrecoverable=1,
    live_authority_checks_total=1,
    live_bytes_out_total=SOME,
)
async def what_was_missed_is_no_longer_known(scene: Scene) -> None:
    await scene.begin()
    await scene.client.subscribe("a", "cv:1", since={"cv:1": ["another", 0]})


TWO = {
    "live_deliveries_total": 2,
    "live_renders_total": 2,
    "live_commit_to_socket_seconds_count": 2,
}


@moves(**LIVE | TWO, live_gap_fills_total__hint_lost=1)
async def a_hint_is_lost_and_the_next_tells(scene: Scene) -> None:
    await scene.begin(count=1)
    await scene.node.publish("cv:1", hint=False)
    await scene.node.publish("cv:1")


@moves(**LIVE, live_gap_fills_total__sweep=1)
async def a_hint_is_lost_and_a_sweep_tells(scene: Scene) -> None:
    await scene.begin(count=1)
    await scene.node.publish("cv:1", hint=False)
    await scene.node.hub.node.tails.look(["cv:1"])
    await settle()


@moves(live_gap_fills_total__epoch=1)
async def a_hint_tells_of_another_history(scene: Scene) -> None:
    await scene.begin(count=1)
    scene.node.bus.publish(Hint("cv:1", "another", 1))
    await settle()


@moves(
    live_authority_checks_total=1,
    **RENDERED,
    live_replay_events_total=1,
    live_replay_bytes_total=SOME,
    live_ring_bytes=SOME,
)
async def who_may_read_has_changed(scene: Scene) -> None:
    await scene.begin(count=1)
    await scene.node.publish("cv:1", authority=True)


@moves(**LIVE, receipts_waiting=1)
async def a_delivery_owes_a_receipt(scene: Scene) -> None:
    await scene.begin("subscription receipts", count=1)
    await scene.node.publish("cv:1")


@moves(receipts_waiting=-1, live_receipts_total=1)
async def a_receipt_is_taken_down(scene: Scene) -> None:
    await a_delivery_owes_a_receipt(scene)
    scene.look()
    await scene.node.hub.node.receipts.flush()


@moves(receipts_waiting=-1, live_receipts_lost_total=1)
async def a_receipt_cannot_be_taken_down(scene: Scene) -> None:
    await a_delivery_owes_a_receipt(scene)
    scene.node.deliveries.is_down = True
    scene.look()
    await scene.node.hub.node.receipts.flush()


@moves(
    live_write_buffer_bytes_count=1,
    live_write_buffer_bytes_sum=100,
    live_loop_lag_seconds_count=1,
    live_loop_lag_seconds_sum=24,
    live_bytes_out_total=SOME,
)
async def a_heart_beats_and_a_timer_is_late(scene: Scene) -> None:
    await scene.begin()
    scene.client.socket.unread_bytes = 100
    (connection,) = scene.node.hub.node.registry
    scene.node.hub._slot = connection.id.int % 25 - 1
    scene.node.timers.fire(25)
    await settle()


@moves(bus_healthy=-1)
async def the_bus_stops(scene: Scene) -> None:
    scene.look()
    await scene.node.bus.stop()


@moves(draining=1)
async def the_node_is_drained(scene: Scene) -> None:
    scene.look()
    await scene.node.hub.drain()


@moves(**LIVE, live_sent_together_total=1)
async def a_frame_goes_out_by_the_ring(scene: Scene) -> None:
    scene.node.log.append("cv:1")
    with ringed(scene.node):
        async with serving_sockets(scene.node, has_lane=True) as server:
            ws = await server.sign_in()
            payload = {"query": "subscription", "variables": {"streams": ["cv:1"]}}
            await say(ws, {"type": "subscribe", "id": "a", "payload": payload})
            await hear(ws)
            scene.look()
            await scene.node.publish("cv:1")
            await hear(ws)
            scene.stop()
            await ws.close()
        await eventually(lambda: not len(scene.node.hub.node.registry))


@pytest_asyncio.fixture
async def scene() -> AsyncIterator[Scene]:
    async with running(SmallNode()) as node:
        yield Scene(node)


@pytest.mark.parametrize("cause", CAUSES)
async def test_a_cause_moves_its_figures_and_no_others(scene: Scene, cause: str) -> None:
    bring_about, expected = CAUSES[cause]
    await bring_about(scene)
    assert scene.moved() == expected


async def test_a_canary_that_comes_back_tells_the_bus_s_lag() -> None:
    metrics = LiveMetrics()
    figures = Figures(metrics, dict)
    with some_redis() as url:
        bus = RedisBus(url, prefix=f"test-{secrets.token_hex(4)}", metrics=metrics)
        await bus.start()
        await eventually(lambda: metrics.bus_lag_s.count)
        told = samples(figures)
        await bus.stop()
    moved = {name for name, value in told.items() if value}
    assert moved == {"live_bus_lag_seconds_count", "live_bus_lag_seconds_sum"}
    assert 0 < told["live_bus_lag_seconds_sum"] < 5


def test_no_figure_is_without_its_cause() -> None:
    node = SmallNode()
    told = samples(Figures(node.hub.node.metrics, node.hub.gauges))
    caused = {name for _, expected in CAUSES.values() for name in expected}
    elsewhere = {"live_bus_lag_seconds_count", "live_bus_lag_seconds_sum"}
    assert {*told} - caused - elsewhere == set()
