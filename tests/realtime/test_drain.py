"""A node is emptied in bounded time: told first, closed in slices, no mutation lost."""

from __future__ import annotations

import asyncio
import itertools

from tests.support.live import SmallNode
from tests.support.timers import settle


async def test_clients_are_told_and_then_closed_in_slices(node: SmallNode) -> None:
    clients = []
    for n in range(40):
        node.sessions.sign_in(f"t{n}")
        clients.append(await node.client().init(f"t{n}"))
    draining = asyncio.create_task(node.hub.drain(in_s=20, spread_s=30))
    await settle()
    assert not node.hub.has_room()
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


async def test_who_moves_by_itself_is_not_waited_for(node: SmallNode) -> None:
    node.sessions.sign_in()
    client = await node.client().init()
    draining = asyncio.create_task(node.hub.drain())
    await settle()
    client.connection.lost()
    await node.timers.advance(1)
    assert draining.done()


async def test_a_mutation_under_way_is_waited_for_but_not_for_ever(node: SmallNode) -> None:
    node.sessions.sign_in()
    client = await node.client().init()
    node.engine.execute_gate = asyncio.Event()
    await client.say(type="subscribe", id="m", payload={"query": "mutation"})
    draining = asyncio.create_task(node.hub.drain(in_s=0, spread_s=0))
    await node.timers.advance(5)
    assert client.socket.closed == (1012, "Service restart")
    assert not draining.done()
    await node.timers.advance(6)
    assert draining.done()
    node.engine.execute_gate.set()
    await settle()
    assert node.engine.finished == 1


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
