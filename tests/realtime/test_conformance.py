"""What the suite of npm graphql-ws demands of a server, over real sockets, lane or plain ASGI.

docs/conformance.md lists every behaviour and where it is tested; what needs no socket is in
test_protocol.py and test_connection.py.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection

from realtime.close_codes import CloseCode
from tests.support.live import SmallNode, running
from tests.support.redis_server import eventually
from tests.support.sockets import Server, closed, hear, say, serving_sockets
from tests.support.timers import settle

INIT = {"type": "connection_init", "payload": {"token": "t"}}
LIVE = {"query": "subscription", "variables": {"streams": ["cv:1"]}}


def operation(query: str = "query", id_: str = "a") -> dict[str, Any]:
    return {"type": "subscribe", "id": id_, "payload": {"query": query}}


async def heard_before(ws: ClientConnection, mark: str = "mark") -> list[Any]:
    """Every frame that the server writes without anything more happening."""
    frames = []
    for n in range(2):  # what was said before the first has been done before the second
        await settle()
        await say(ws, {"type": "ping", "payload": {mark: n}})
        while (frame := await hear(ws)) != {"type": "pong", "payload": {mark: n}}:
            frames.append(frame)
    return frames


@pytest_asyncio.fixture(scope="module", params=["lane", "plain ASGI"])
async def one(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    """One server for each transport: starting and stopping it is what takes the time."""
    async with (
        running(SmallNode()) as node,
        serving_sockets(node, has_lane=request.param == "lane") as serving,
    ):
        yield serving


@pytest_asyncio.fixture
async def server(one: Server) -> AsyncIterator[Server]:
    """It, without a trace of the tests before."""
    node, engine = one.node.hub.node, one.node.engine
    yield one
    for connection in list(node.registry):
        connection.close(CloseCode.GOING_AWAY)
    await eventually(lambda: not len(node.registry))
    engine.execute_gate, engine.finished = None, 0
    engine.executed.clear()
    engine.lives.clear()


# Connecting


@pytest.mark.parametrize("payload", [{}, {"payload": None}, {"payload": {"token": "wrong"}}])
async def test_who_is_refused_hears_4403(server: Server, payload: dict[str, Any]) -> None:
    ws = await server.connect()
    await say(ws, {"type": "connection_init", **payload})
    assert await closed(ws) == (4403, "Forbidden")


async def test_who_says_nothing_hears_4408(server: Server) -> None:
    ws = await server.connect()
    await ws.ping()  # a frame of the transport is no sign of life here
    await server.node.timers.advance(5.1)
    assert await closed(ws) == (4408, "Connection initialisation timeout")


async def test_a_second_init_hears_4429_while_the_first_is_looked_at_and_after(
    server: Server,
) -> None:
    early, late = await server.connect(), await server.sign_in()
    await say(early, INIT)
    await say(early, INIT)
    await say(late, INIT)
    for ws in (early, late):
        assert await closed(ws) == (4429, "Too many initialisation requests")


async def test_an_operation_before_the_acknowledgement_hears_4401(server: Server) -> None:
    silent, hasty = await server.connect(), await server.connect()
    await say(silent, operation())
    await say(hasty, INIT)
    await say(hasty, operation())
    assert await closed(silent) == (4401, "Unauthorized")
    assert await closed(hasty) == (4401, "Unauthorized")
    assert server.node.engine.executed == []


async def test_an_operation_that_answers_the_acknowledgement_is_never_too_early(
    server: Server,
) -> None:
    for n in range(20):
        ws = await server.sign_in()
        await say(ws, operation(id_=str(n)))
        assert (await hear(ws))["type"] == "next"
        await ws.close()


@pytest.mark.parametrize("has_lane", [True, False])
async def test_a_stopping_server_says_1001_and_the_socket_ends_cleanly(has_lane: bool) -> None:
    async with (
        running(SmallNode()) as node,
        serving_sockets(node, has_lane=has_lane) as server,
    ):
        ready, waiting = await server.sign_in(), await server.connect()
        await say(ready, {"type": "subscribe", "id": "a", "payload": LIVE})
        await hear(ready)
        await node.hub.stop()
        for ws in (ready, waiting):
            assert await closed(ws) == (1001, "Going away")
        await eventually(lambda: not len(node.hub.node.registry))


async def test_a_client_that_leaves_is_answered_and_forgotten(server: Server) -> None:
    ws = await server.sign_in()
    await say(ws, {"type": "subscribe", "id": "a", "payload": LIVE})
    await hear(ws)
    await ws.close(1000, "Normal Closure")
    assert (ws.close_code, ws.close_reason) == (1000, "Normal Closure")
    await eventually(lambda: not len(server.node.hub.node.registry))


# Ping and pong


async def test_pings_are_answered_in_every_state_and_pongs_are_not(server: Server) -> None:
    ws = await server.connect()
    await say(ws, {"type": "pong", "payload": {"unasked": True}})
    await say(ws, {"type": "ping"})
    assert await hear(ws) == {"type": "pong"}
    await say(ws, {"type": "ping", "payload": {"n": 1, "text": "你好"}})
    assert await hear(ws) == {"type": "pong", "payload": {"n": 1, "text": "你好"}}
    await say(ws, INIT)
    await hear(ws)
    assert await heard_before(ws) == []


async def test_pings_of_the_transport_are_answered_too(server: Server) -> None:
    ws = await server.sign_in()
    await asyncio.wait_for(await ws.ping(b"x" * 125), 5)


# Operations


@pytest.mark.parametrize("word", ["query", "mutation"])
async def test_an_answer_is_one_next_and_complete(server: Server, word: str) -> None:
    ws = await server.sign_in()
    await say(ws, operation(word))
    answered = await heard_before(ws)
    assert [(frame["id"], frame["type"]) for frame in answered] == [
        ("a", "next"),
        ("a", "complete"),
    ]
    assert answered[0]["payload"]["data"] == {"done": True}


@pytest.mark.parametrize("query", ["", "nonsense", "subscription bad"])
async def test_a_bad_document_is_an_error_without_complete_and_the_socket_goes_on(
    server: Server,
    query: str,
) -> None:
    ws = await server.sign_in()
    await say(ws, operation(query))
    (error,) = await heard_before(ws)
    assert (error["id"], error["type"]) == ("a", "error")
    assert [set(each) for each in error["payload"]] == [{"message"}]
    await say(ws, operation())
    assert (await hear(ws))["type"] == "next"


async def test_an_operation_that_breaks_is_an_error_and_its_id_is_free_again(
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def breaks(*_: object) -> None:
        raise ZeroDivisionError("personal")

    ws = await server.sign_in()
    with monkeypatch.context() as patch:
        patch.setattr(server.node.engine, "execute", breaks)
        patch.setattr(server.node.engine, "subscribe", breaks)
        for word in ("query", "mutation", "subscription"):
            await say(ws, operation(word))
            (error,) = await heard_before(ws, word)
            assert error["payload"][0]["extensions"] == {"code": "RT_INTERNAL"}
            assert "personal" not in json.dumps(error)
    await say(ws, operation())
    assert (await hear(ws))["type"] == "next"


async def test_an_event_that_breaks_ends_its_subscription_only(server: Server) -> None:
    ws = await server.sign_in()
    await say(ws, {"type": "subscribe", "id": "a", "payload": LIVE})
    await hear(ws)
    await server.node.publish("cv:1", "test.broken")
    (error,) = await heard_before(ws)
    assert (error["type"], error["payload"][0]["extensions"]["code"]) == ("error", "RT_INTERNAL")
    await say(ws, {"type": "subscribe", "id": "a", "payload": LIVE})
    assert "live" in (await hear(ws))["payload"]["rt"]


async def test_an_id_in_use_hears_4409_while_preparing_and_while_running(server: Server) -> None:
    preparing, running = await server.sign_in(), await server.sign_in()
    server.node.engine.execute_gate = asyncio.Event()
    await say(preparing, operation())
    await say(preparing, operation())
    await say(running, {"type": "subscribe", "id": "a", "payload": LIVE})
    await hear(running)
    await say(running, {"type": "subscribe", "id": "a", "payload": LIVE})
    for ws in (preparing, running):
        assert await closed(ws) == (4409, "Subscriber for a already exists")


async def test_an_id_is_free_again_after_its_end(server: Server) -> None:
    ws = await server.sign_in()
    for query in ("query", "nonsense", "query"):
        await say(ws, operation(query))
        await heard_before(ws)
    for _ in range(2):
        await say(ws, {"type": "subscribe", "id": "a", "payload": LIVE})
        assert "live" in (await hear(ws))["payload"]["rt"]
        await say(ws, {"type": "complete", "id": "a"})
    assert await heard_before(ws) == []


async def test_what_a_client_completes_is_silent_from_then_on(server: Server) -> None:
    ws = await server.sign_in()
    server.node.engine.execute_gate = asyncio.Event()
    await say(ws, operation("query", "q"))
    await say(ws, {"type": "subscribe", "id": "s", "payload": LIVE})
    await hear(ws)
    for id_ in ("q", "s", "unknown"):
        await say(ws, {"type": "complete", "id": id_})
    assert await heard_before(ws) == []
    server.node.engine.execute_gate.set()
    await server.node.publish("cv:1")
    assert await heard_before(ws) == []
    assert server.node.engine.finished == 0


async def test_a_subscription_completed_while_it_is_being_prepared_never_begins(
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    subscribe, stalled = server.node.engine.subscribe, asyncio.Event()

    async def stalls(*given: Any) -> Any:
        await stalled.wait()
        return await subscribe(*given)

    monkeypatch.setattr(server.node.engine, "subscribe", stalls)
    ws = await server.sign_in()
    await say(ws, {"type": "subscribe", "id": "a", "payload": LIVE})
    await say(ws, {"type": "complete", "id": "a"})
    assert await heard_before(ws) == []
    stalled.set()
    await settle()
    await server.node.publish("cv:1")
    assert await heard_before(ws) == []
    assert server.node.engine.lives == []


async def test_a_socket_that_closes_ends_what_runs_and_what_is_only_being_prepared(
    server: Server,
) -> None:
    ws = await server.sign_in()
    server.node.engine.execute_gate = asyncio.Event()
    await say(ws, {"type": "subscribe", "id": "s", "payload": LIVE})
    await hear(ws)
    await say(ws, operation("query", "q"))
    await heard_before(ws)
    await ws.close()
    await eventually(lambda: not len(server.node.hub.node.registry))
    server.node.engine.execute_gate.set()
    await server.node.publish("cv:1")
    await server.node.timers.advance(60)
    assert server.node.engine.finished == 0
    assert len(server.node.hub.node.tails) == 0


# Frames


async def test_a_message_in_fragments_with_a_ping_between_is_one_message(server: Server) -> None:
    ws = await server.connect()
    text = json.dumps({"type": "ping", "payload": {"t": "你好 🌏"}}, ensure_ascii=False)
    answered = asyncio.Event()

    async def fragments() -> Any:
        yield text[:9]
        await (await ws.ping())
        answered.set()
        for character in text[9:]:
            yield character

    await asyncio.wait_for(ws.send(fragments()), 5)
    assert answered.is_set()
    assert (await hear(ws))["payload"] == {"t": "你好 🌏"}
