"""What a node does is counted where it happens."""

from __future__ import annotations

from realtime.close_codes import CloseCode
from tests.support.live import SmallNode


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
