"""A node is emptied in bounded time: told first, closed in slices, no mutation lost."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from realtime.drain import DrainTimes
from tests.support.live import SmallNode
from tests.support.redis_server import eventually
from tests.support.sockets import Server, closed
from tests.support.timers import settle


async def test_clients_are_told_and_then_closed_in_slices(node: SmallNode) -> None:
    clients = []
    for n in range(40):
        node.sessions.sign_in(f"t{n}")
        clients.append(await node.client().init(f"t{n}"))
    draining = asyncio.create_task(node.hub.drain(DrainTimes(20, 30)))
    await settle()
    assert node.hub.refusal() == "draining"
    told = {"type": "ping", "payload": {"rt": {"drain": {"in": 20_000, "spread": 30_000}}}}
    assert all(client.socket.frames[-1] == told for client in clients)

    closed = []
    for _ in range(51):
        await node.timers.advance(1)
        closed.append(sum(client.socket.closed is not None for client in clients))
    assert closed[18] == 0
    assert closed[-1] == 40
    assert all(client.socket.closed == (1012, "Service restart") for client in clients)
    assert max(after - before for before, after in itertools.pairwise(closed)) <= 4
    await node.timers.advance(1)
    assert draining.done()


async def test_a_socket_in_its_handshake_when_the_drain_begins_is_sent_elsewhere_too(
    server: Server, node: SmallNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    def let_in_and_drain_then(client_key: str) -> None:
        node.hub.is_draining = True

    monkeypatch.setattr(node.hub, "refusal", let_in_and_drain_then)
    ws = await server.connect()
    assert await closed(ws) == (1012, "Service restart")
    await eventually(lambda: not len(node.hub.node.registry))


async def test_who_moves_by_itself_is_not_waited_for(node: SmallNode) -> None:
    node.sessions.sign_in()
    client = await node.client().init()
    draining = asyncio.create_task(node.hub.drain())
    await settle()
    client.connection.lost()
    await node.timers.advance(1)
    assert draining.done()


async def test_a_socket_is_closed_when_its_operations_are_answered(node: SmallNode) -> None:
    node.sessions.sign_in()
    client, idle = await node.client().init(), await node.client().init()
    node.engine.execute_gate = asyncio.Event()
    await client.say(type="subscribe", id="m", payload={"query": "mutation"})
    draining = asyncio.create_task(node.hub.drain(DrainTimes(0, 0, 10)))
    await node.timers.advance(5)
    assert idle.socket.closed == (1012, "Service restart")
    assert client.socket.closed is None
    node.engine.execute_gate.set()
    await node.timers.advance(0.1)
    assert [frame["type"] for frame in client.of("m")] == ["next", "complete"]
    assert client.socket.closed == (1012, "Service restart")
    assert draining.done()


@pytest.mark.parametrize("is_left", [False, True])
async def test_a_mutation_is_not_waited_for_for_ever(node: SmallNode, is_left: bool) -> None:
    node.sessions.sign_in()
    client = await node.client().init()
    node.engine.execute_gate = asyncio.Event()
    await client.say(type="subscribe", id="m", payload={"query": "mutation"})
    if is_left:
        client.connection.lost()
    draining = asyncio.create_task(node.hub.drain(DrainTimes(0, 0, 10)))
    await node.timers.advance(9.5)
    assert not draining.done()
    await node.timers.advance(1)
    assert draining.done()
    assert is_left or client.socket.closed == (1012, "Service restart")
    stopping = asyncio.create_task(node.hub.stop())
    await settle()
    assert stopping.done()
    node.engine.execute_gate.set()
    await settle()
    assert node.engine.finished == 1


async def test_closes_are_even_however_many_there_are(node: SmallNode) -> None:
    clients = []
    for n in range(150):
        node.sessions.sign_in(f"t{n}")
        clients.append(await node.client().init(f"t{n}"))
    draining = asyncio.create_task(node.hub.drain(DrainTimes(0, 20, 0)))
    closed = []
    for _ in range(21):
        await settle()
        closed.append(sum(client.socket.closed is not None for client in clients))
        await node.timers.advance(1)
    slices = [after - before for before, after in itertools.pairwise([0, *closed[:20]])]
    assert draining.done()
    assert set(slices) == {7, 8}


async def test_draining_an_empty_node_takes_no_time(node: SmallNode) -> None:
    await node.hub.drain()


async def test_stopping_waits_for_a_mutation_under_way(node: SmallNode) -> None:
    node.sessions.sign_in()
    client = await node.client().init()
    node.engine.execute_gate = asyncio.Event()
    await client.say(type="subscribe", id="m", payload={"query": "mutation"})
    stopping = asyncio.create_task(node.hub.stop())
    await settle()
    assert client.socket.closed == (1001, "Going away")
    assert not stopping.done()
    node.engine.execute_gate.set()
    await node.timers.advance(1)
    assert stopping.done()
    assert node.engine.finished == 1
