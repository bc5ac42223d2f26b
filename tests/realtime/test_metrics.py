"""What a node does is counted where it happens."""

from __future__ import annotations

from realtime.close_codes import CloseCode
from tests.support.live import SmallNode
from tests.support.timers import settle


async def test_a_node_counts_what_it_does(node: SmallNode) -> None:
    actor = node.sessions.sign_in()
    node.engine.allow(actor, "cv:1")
    client = await node.client().init()
    await client.subscribe("a", "cv:1")
    gauges = node.hub.gauges()
    assert (gauges["connections"], gauges["operations"], gauges["tails"]) == (1, 1, 2)

    await node.timers.advance(25)
    live = node.hub.node.metrics
    assert live.authority_checks == 1
    assert live.write_buffer_bytes.count == 1
    assert (live.loop_lag_s.count, live.loop_lag_s.total) == (25, 0)
    client.connection.close(CloseCode.RESTART)
    assert live.close_codes == {CloseCode.RESTART: 1}
    client.connection.lost()
    assert node.hub.gauges()["connections"] == 0


async def test_every_frame_counts_as_bytes_and_only_what_was_committed_as_late(
    node: SmallNode,
) -> None:
    node.engine.allow(node.sessions.sign_in(), "cv:1")
    client = await node.client().init()
    await client.subscribe("a", "cv:1")
    await client.say(type="subscribe", id="q", payload={"query": "query"})
    await client.say(type="ping")
    node.announcer.whisper("cv:1", "typing", {"who": "x"})
    await settle()
    live = node.hub.node.metrics
    assert live.commit_to_socket_s.count == 0

    node.clock.advance(seconds=0.2)
    event = await node.publish("cv:1")
    await client.subscribe("b", "cv:1", since={"cv:1": [event.epoch, 0]})
    assert live.bytes_out == sum(map(len, client.socket.raw))
    assert live.commit_to_socket_s.count == 1
    assert live.commit_to_socket_s.counts[live.commit_to_socket_s.bounds.index(0.25)] == 1
    assert live.replay_events == 1
    assert live.replay_bytes == len(client.socket.raw[-2])  # before the announcement
