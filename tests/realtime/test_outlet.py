"""Frames that go past the event loop: in order, whole, and to nobody else."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any
from unittest.mock import Mock

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame, Opcode

from gateway.lane_transport import LaneTransport
from gateway.outlet import RingOutlet
from gateway.ring import LARGEST_BYTES, UNKNOWN
from realtime.bounds import SOFT_BUFFER_BYTES
from realtime.frames import text_frame
from realtime.transport import ONE_BY_ONE
from tests.support.live import SmallNode, SmallTransport
from tests.support.redis_server import eventually
from tests.support.sockets import Server, hear, ringed, say, serving_sockets
from tests.support.timers import settle

FOLLOW = {"query": "subscription", "variables": {"streams": ["cv:1"]}}


@pytest_asyncio.fixture
async def outlet(node: SmallNode) -> AsyncIterator[RingOutlet]:
    with ringed(node) as made:
        yield made


@pytest_asyncio.fixture
async def server(node: SmallNode, outlet: RingOutlet) -> AsyncIterator[Server]:
    async with serving_sockets(node, has_lane=True) as serving:
        yield serving


async def transport_of(server: Server, ws: ClientConnection) -> LaneTransport:
    """The server's side of this client's socket."""
    name = ws.transport.get_extra_info("sockname")
    for connection in server.node.hub.node.registry:
        lane = connection.transport
        assert isinstance(lane, LaneTransport)
        if lane._transport.get_extra_info("peername") == name:
            return lane
    raise AssertionError("the server has no such socket")


async def texts(ws: ClientConnection, count: int) -> list[str]:
    return [str(await asyncio.wait_for(ws.recv(), 5)) for _ in range(count)]


async def test_one_call_reaches_every_follower(server: Server) -> None:
    followers = [await server.sign_in() for _ in range(9)]
    for number, ws in enumerate(followers):
        await say(ws, {"type": "subscribe", "id": f"op{number}", "payload": FOLLOW})
        assert (await hear(ws))["type"] == "ping"
    await server.node.publish("cv:1", text="to all")
    told = [await hear(ws) for ws in followers]
    assert [frame["id"] for frame in told] == [f"op{number}" for number in range(9)]
    assert {frame["payload"]["data"]["event"]["text"] for frame in told} == {"to all"}
    assert server.node.hub.node.metrics.sent_together == 9
    for ws in followers:
        await ws.close()


async def test_two_subscriptions_of_one_socket_get_theirs_in_order(server: Server) -> None:
    ws = await server.sign_in()
    for number in range(5):
        await say(ws, {"type": "subscribe", "id": f"op{number}", "payload": FOLLOW})
        assert (await hear(ws))["type"] == "ping"
    for turn in range(3):
        await server.node.publish("cv:1", n=turn)
    told = [await hear(ws) for _ in range(15)]
    assert [frame["id"] for frame in told] == [f"op{number}" for number in range(5)] * 3
    await ws.close()


async def test_what_a_socket_gets_beyond_its_first_frame_is_one_more_write(
    server: Server, outlet: RingOutlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = [await server.sign_in() for _ in range(2)]
    lanes = [await transport_of(server, ws) for ws in clients]
    writes: list[bytes] = []
    for lane in lanes:
        written = Mock(wraps=lane._transport)
        written.write = lambda data, to=lane._transport: (writes.append(data), to.write(data))
        monkeypatch.setattr(lane, "_transport", written)
    frames = [text_frame(b"%d" % number) for number in range(8)]
    outlet.write([lanes[0]] * 4 + [lanes[1]] * 4, frames)
    assert writes == []
    for ws, numbers in zip(clients, ("0123", "4567"), strict=True):
        assert await texts(ws, 4) == list(numbers)
    assert [len(data) for data in writes] == [9, 9]
    assert server.node.hub.node.metrics.sent_together == 2
    for ws in clients:
        await ws.close()


async def test_what_waits_in_the_transport_goes_first(server: Server, outlet: RingOutlet) -> None:
    ws = await server.sign_in()
    lane = await transport_of(server, ws)
    socket_of(lane).setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    ws.transport.pause_reading()
    long = "x" * 400_000
    assert lane.write_frame(text_frame(long.encode())) > 0
    assert lane.ready_descriptor() == -1
    unsent = outlet.write([lane], [text_frame(b"second")])
    assert unsent == {0: lane.buffered_bytes()}
    ws.transport.resume_reading()
    assert await texts(ws, 2) == [long, "second"]
    assert server.node.hub.node.metrics.sent_together == 0
    await ws.close()


async def test_frames_of_every_length_arrive_whole_however_slowly_they_are_read(
    server: Server, outlet: RingOutlet
) -> None:
    """Batches, frames by the transport and pauses of reading, in a random order."""
    clients = [await server.sign_in(max_queue=None) for _ in range(4)]
    lanes = [await transport_of(server, ws) for ws in clients]
    for lane in lanes:
        socket_of(lane).setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    chance = random.Random(2_026)
    expected: list[list[str]] = [[] for _ in clients]
    for turn in range(400):
        for ws in clients:
            chance.choice([ws.transport.pause_reading, ws.transport.resume_reading])()
        among = [place for place in range(4) for _ in range(chance.choice([0, 1, 1, 1, 3]))]
        said = [f"{turn}.{index}." + "y" * chance.choice([0, 90, 9_000]) for index in among]
        for place, text in zip(among, said, strict=True):
            expected[place].append(text)
        outlet.write([lanes[place] for place in among], [text_frame(t.encode()) for t in said])
        if chance.random() < 0.3:
            place = chance.randrange(4)
            expected[place].append(f"alone {turn}")
            lanes[place].write_frame(text_frame(f"alone {turn}".encode()))
        if turn % 9 == 0:
            for ws in clients:
                ws.transport.resume_reading()
            await eventually(lambda: not any(lane.buffered_bytes() for lane in lanes))
    for ws, texts_of in zip(clients, expected, strict=True):
        ws.transport.resume_reading()
        assert await texts(ws, len(texts_of)) == texts_of
        await ws.close()
    together = server.node.hub.node.metrics.sent_together
    assert 200 < together < sum(map(len, expected)), "both ways were taken"


async def test_a_closing_socket_gets_nothing_and_its_number_is_not_used(
    server: Server, outlet: RingOutlet
) -> None:
    leaving, staying = await server.sign_in(), await server.sign_in()
    lanes = [await transport_of(server, ws) for ws in (leaving, staying)]
    lanes[0].abort()
    assert lanes[0].ready_descriptor() == -1
    assert outlet.write(lanes, [text_frame(b"one"), text_frame(b"two")]) == {}
    assert await texts(staying, 1) == ["two"]
    assert server.node.hub.node.metrics.sent_together == 1
    await staying.close()


@pytest.mark.parametrize("how", ["write", "close", "abort", "frame", "farewell", "cut", "lost"])
async def test_whatever_is_done_to_a_socket_it_is_asked_before_a_frame_goes_past_its_transport(
    server: Server, outlet: RingOutlet, how: str
) -> None:
    ws = await server.sign_in()
    lane = await transport_of(server, ws)
    by_uvicorn = lane._lane.transport
    assert lane.ready == -1, "the handshake has written"
    outlet.write([lane], [text_frame(b"past")])
    assert lane.ready == lane._descriptor == socket_of(lane).fileno()
    assert await texts(ws, 1) == ["past"]
    actions: dict[str, Callable[[], object]] = {
        "write": lambda: by_uvicorn.write(text_frame(b"by uvicorn")),
        "close": by_uvicorn.close,
        "abort": by_uvicorn.abort,
        "frame": lambda: lane.write_frame(text_frame(b"alone")),
        "farewell": lambda: lane.close(1012, ""),
        "cut": lane.abort,
        "lost": lane.lost,
    }
    actions[how]()
    assert lane.ready == -1
    by_uvicorn.abort()
    await eventually(lambda: not len(server.node.hub.node.registry))
    assert lane.ready_descriptor() == lane._descriptor == -1


async def test_a_pong_that_waits_is_not_overtaken(server: Server, outlet: RingOutlet) -> None:
    ws = await server.sign_in()
    lane = await transport_of(server, ws)
    outlet.write([lane], [text_frame(b"first")])
    assert lane.ready != -1
    socket_of(lane).setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    ws.transport.pause_reading()
    pings = Frame(Opcode.PING, b"p" * 125).serialize(mask=True) * 2_000
    ws.transport.write(pings)
    await eventually(lambda: lane.buffered_bytes() > 0)
    assert lane.ready == -1
    outlet.write([lane], [text_frame(b"second")])
    ws.transport.resume_reading()
    assert await texts(ws, 2) == ["first", "second"]
    assert server.node.hub.node.metrics.sent_together == 1
    await ws.close()


async def test_who_takes_nothing_any_more_is_found_slow(server: Server) -> None:
    slow, quick = await server.sign_in(max_queue=1), await server.sign_in()
    for ws in (slow, quick):
        await say(ws, {"type": "subscribe", "id": "a", "payload": FOLLOW})
        assert (await hear(ws))["type"] == "ping"
    lane = await transport_of(server, slow)
    socket_of(lane).setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    slow.transport.pause_reading()
    count = 0
    while lane.buffered_bytes() <= SOFT_BUFFER_BYTES:
        await server.node.publish("cv:1", text="x" * 60_000, n=count)
        assert (await hear(quick))["payload"]["data"]["event"]["n"] == count
        count += 1
        assert count < 100
    assert server.node.hub.node.metrics.soft == 1
    slow.transport.resume_reading()
    numbers = [(await hear(slow))["payload"]["data"]["event"]["n"] for _ in range(count)]
    assert numbers == list(range(count))
    await slow.close()
    await quick.close()


async def test_long_frames_and_other_transports_take_the_ordinary_way(
    server: Server, outlet: RingOutlet
) -> None:
    ws = await server.sign_in()
    lane, other = await transport_of(server, ws), SmallTransport()
    long = "x" * LARGEST_BYTES
    outlet.write([lane, lane], [text_frame(b"1"), text_frame(long.encode())])
    assert await texts(ws, 2) == ["1", long]
    other.unread_bytes = 7
    assert outlet.write([other, lane], [text_frame(b"{}"), text_frame(b"3")]) == {0: 7}
    assert await texts(ws, 1) == ["3"]
    assert other.frames == [{}]
    assert server.node.hub.node.metrics.sent_together == 2, "what was too long too"
    await ws.close()


async def test_an_encrypting_transport_has_no_descriptor_to_send_to(server: Server) -> None:
    ws = await server.sign_in()
    lane = await transport_of(server, ws)

    class Encrypting:
        def get_extra_info(self, name: str) -> Any:
            context = ssl.create_default_context()
            return {"socket": socket_of(lane), "sslcontext": context}[name]

        def is_closing(self) -> bool:
            return False

        def get_write_buffer_size(self) -> int:
            return 0

    assert lane.ready_descriptor() == socket_of(lane).fileno()
    lane._lane.transport = Encrypting()  # type: ignore[assignment]  # what the lane reads of it
    assert LaneTransport(lane._lane).ready_descriptor() == -1
    lane._lane.transport = lane._transport
    await ws.close()


async def test_a_broken_ring_cuts_those_it_said_nothing_of_and_is_used_no_more(
    server: Server, outlet: RingOutlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = [await server.sign_in() for _ in range(2)]
    lanes = [await transport_of(server, ws) for ws in clients]
    ring = outlet._ring
    assert ring is not None
    ring.is_broken = True
    monkeypatch.setattr(ring, "send", lambda *_: {0: UNKNOWN, 1: 0})
    outlet.write(lanes, [text_frame(b"one"), text_frame(b"two")])
    assert await texts(clients[1], 1) == ["two"]
    await settle()
    assert len(server.node.hub.node.registry) == 1
    outlet.write(lanes[1:], [text_frame(b"three")])
    assert await texts(clients[1], 1) == ["three"]
    await clients[1].close()


async def test_without_a_ring_all_go_one_by_one(node: SmallNode) -> None:
    outlet = RingOutlet(None, node.hub.node.metrics)
    transports = [SmallTransport() for _ in range(9)]
    transports[4].unread_bytes = 5
    assert outlet.write(transports, [text_frame(b'{"n":1}')] * 9) == {4: 5}
    assert ONE_BY_ONE.write(transports, [text_frame(b'{"n":2}')] * 9) == {4: 5}
    assert all(transport.frames == [{"n": 1}, {"n": 2}] for transport in transports)


def socket_of(lane: LaneTransport) -> Any:
    return lane._transport.get_extra_info("socket")
