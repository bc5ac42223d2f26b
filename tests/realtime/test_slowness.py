"""A peer that does not keep up is spared, then left to the log, then closed; nobody notices."""

from __future__ import annotations

import asyncio
import socket

import pytest
from websockets.frames import Frame, Opcode

from gateway import lane as lane_module
from realtime.bounds import LAG_BUFFER_BYTES, SOFT_BUFFER_BYTES
from realtime.presence import PRESENCE_CHANGED
from tests.support.live import SmallClient, SmallNode
from tests.support.sockets import Server, hear, say, serving_sockets
from tests.support.timers import settle


@pytest.fixture
async def pair(node: SmallNode) -> tuple[SmallClient, SmallClient]:
    """One who will be slow and one who is not, subscribed alike."""
    actor = node.sessions.sign_in()
    node.engine.allow(actor, "cv:1")
    slow, quick = await node.client().init(), await node.client().init()
    for client in (slow, quick):
        await client.subscribe("a", "cv:1")
    return slow, quick


async def whisper(node: SmallNode, kind: str, **body: object) -> None:
    node.announcer.whisper("cv:1", kind, body)  # type: ignore[arg-type]  # of JSON values
    await settle()


def whispers(client: SmallClient) -> list[dict[str, object]]:
    told = [f["payload"] for f in client.of("a") if "x" in f["payload"]["extensions"]["rt"]]
    return [payload["data"]["event"] for payload in told]


async def test_a_slow_socket_still_gets_what_is_durable_and_is_spared_typing(
    node: SmallNode, pair: tuple[SmallClient, SmallClient]
) -> None:
    slow, quick = pair
    slow.socket.unread_bytes = SOFT_BUFFER_BYTES + 1
    await node.publish("cv:1")
    await whisper(node, "typing", who="x")
    await node.publish("cv:1")

    assert slow.offsets("a") == quick.offsets("a") == [1, 2]
    assert (len(whispers(slow)), len(whispers(quick))) == (0, 1)
    assert node.hub.node.metrics.soft == 1


async def test_who_is_here_is_kept_for_a_slow_socket_and_told_once(
    node: SmallNode, pair: tuple[SmallClient, SmallClient]
) -> None:
    slow, quick = pair
    slow.socket.unread_bytes = SOFT_BUFFER_BYTES + 1
    await node.publish("cv:1")
    await whisper(node, PRESENCE_CHANGED, joined=["a", "b"], left=["c"])
    await whisper(node, PRESENCE_CHANGED, joined=["c"], left=["a"])
    await whisper(node, "typing", who="x")
    assert whispers(slow) == []
    slow.socket.unread_bytes = 0
    await node.timers.advance(0.2)
    await whisper(node, "typing", who="y")

    assert whispers(slow) == [
        {"kind": PRESENCE_CHANGED, "joined": ["b", "c"], "left": ["a"]},
        {"kind": "typing", "who": "y"},
    ]
    assert len(whispers(quick)) == 4


async def test_after_five_seconds_events_are_left_to_the_log_and_come_from_there(
    node: SmallNode, pair: tuple[SmallClient, SmallClient]
) -> None:
    slow, quick = pair
    slow.socket.unread_bytes = SOFT_BUFFER_BYTES + 1
    await node.publish("cv:1")
    await node.timers.advance(5.2)
    for _ in range(300):  # more than the ring holds
        await node.publish("cv:1")
    assert slow.offsets("a") == [1]
    assert quick.offsets("a") == list(range(1, 302))
    slow.socket.unread_bytes = 0
    await node.timers.advance(1)

    assert slow.offsets("a") == list(range(1, 302))
    assert slow.socket.closed is None
    assert node.hub.node.metrics.lagging == 1


async def test_each_subscription_of_a_slow_socket_knows_it_and_no_other(
    node: SmallNode, pair: tuple[SmallClient, SmallClient]
) -> None:
    slow, quick = pair
    await slow.subscribe("b", "cv:1")
    slow.socket.unread_bytes = SOFT_BUFFER_BYTES + 1
    await node.publish("cv:1")

    def known() -> list[bool]:
        return [
            seat.slow is not None
            for client in (slow, quick)
            for seat in client.connection.operations.seats()
        ]

    assert known() == [True, True, False]
    await slow.subscribe("c", "cv:1")
    slow.socket.unread_bytes = 0
    await node.timers.advance(0.2)
    assert known() == [False] * 4
    await node.publish("cv:1")
    assert [slow.offsets(name) for name in "abc"] == [[1, 2], [1, 2], [2]]


async def test_a_slow_socket_that_leaves_leaves_nothing_behind(
    node: SmallNode, pair: tuple[SmallClient, SmallClient]
) -> None:
    slow, quick = pair
    slow.socket.unread_bytes = LAG_BUFFER_BYTES + 1
    for _ in range(3):
        await node.publish("cv:1")
    slow.connection.lost()
    await node.timers.advance(40)

    assert slow.socket.closed is None
    assert not [task for task in asyncio.all_tasks() if "catch_up" in repr(task)]
    assert quick.offsets("a") == [1, 2, 3]


async def test_who_reads_again_has_missed_nothing(server: Server) -> None:
    slow, quick = await server.sign_in(max_queue=1), await server.sign_in()
    payload = {"query": "subscription", "variables": {"streams": ["cv:1"]}}
    for ws in (slow, quick):
        await say(ws, {"type": "subscribe", "id": "a", "payload": payload})
        assert (await hear(ws))["type"] == "ping"
    slow.transport.pause_reading()
    count = 150
    for n in range(count):
        await server.node.publish("cv:1", text="x" * 60_000, n=n)
        assert (await hear(quick))["payload"]["data"]["event"]["n"] == n
    buffered = [c.buffered_bytes() for c in server.node.hub.node.registry]
    assert SOFT_BUFFER_BYTES < max(buffered) < LAG_BUFFER_BYTES + 70_000

    slow.transport.resume_reading()
    hearing = asyncio.ensure_future(_events(slow, count))
    async with asyncio.timeout(20):
        while not hearing.done():
            await server.node.timers.advance(0.1)
            await asyncio.sleep(0.005)
    assert await hearing == list(range(count))
    assert server.node.hub.node.metrics.closed_slow == 0
    await slow.close()
    await quick.close()


async def test_who_says_goodbye_and_never_reads_is_cut_in_the_end(
    node: SmallNode,
) -> None:
    async with serving_sockets(node, has_lane=True) as server:
        rude = await server.sign_in(max_queue=1)
        payload = {"query": "subscription", "variables": {"streams": ["cv:1"]}}
        await say(rude, {"type": "subscribe", "id": "a", "payload": payload})
        assert (await hear(rude))["type"] == "ping"
        rude.transport.pause_reading()
        (connection,) = node.hub.node.registry
        lane = connection.transport._lane  # type: ignore[attr-defined]  # a LaneTransport
        lane.close_timeout = 0.05
        while not connection.buffered_bytes():
            await node.publish("cv:1", text="x" * 60_000)
            await asyncio.sleep(0)
        rude.protocol.send_close(1000)
        rude.transport.write(b"".join(rude.protocol.data_to_send()))
        async with asyncio.timeout(5):
            while lane in lane.connections:  # noqa: ASYNC110 — uvicorn offers no event
                await asyncio.sleep(0.01)
        assert len(node.hub.node.registry) == 0
        rude.transport.abort()


async def test_who_pings_without_end_and_never_reads_is_cut(
    node: SmallNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "HARD_BUFFER_BYTES", 20_000)
    async with serving_sockets(node, has_lane=True) as server:
        rude = await server.sign_in(max_queue=1)
        (connection,) = node.hub.node.registry
        lane = connection.transport._lane  # type: ignore[attr-defined]  # a LaneTransport
        sender = lane.transport.get_extra_info("socket")
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        rude.transport.pause_reading()
        pings = Frame(Opcode.PING, b"x" * 125).serialize(mask=True) * 200
        async with asyncio.timeout(10):
            while lane in lane.connections:
                assert lane.transport.get_write_buffer_size() < 60_000
                if not rude.transport.get_write_buffer_size():
                    rude.transport.write(pings)
                await asyncio.sleep(0)
        assert len(node.hub.node.registry) == 0
        rude.transport.abort()


async def _events(ws: object, count: int) -> list[int]:
    return [(await hear(ws))["payload"]["data"]["event"]["n"] for _ in range(count)]  # type: ignore[arg-type]  # a ClientConnection
