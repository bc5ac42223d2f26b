"""One socket: signing in, operations, limits, heartbeat, slowness, the end."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from domain.kernel.actor import Actor
from domain.kernel.ports import Edge
from realtime.bounds import HARD_BUFFER_BYTES, LAG_BUFFER_BYTES, SOFT_BUFFER_BYTES, LiveSettings
from tests.support.live import SmallClient, SmallNode, running
from tests.support.timers import settle


@pytest.fixture
def actor(node: SmallNode) -> Actor:
    """An account that may follow cv:1."""
    actor = node.sessions.sign_in()
    node.engine.allow(actor, "cv:1")
    return actor


@pytest.fixture
async def client(node: SmallNode, actor: Actor) -> SmallClient:
    """Its signed-in client."""
    return await node.client().init()


def run(query: str, id_: str = "q") -> dict[str, object]:
    return {"type": "subscribe", "id": id_, "payload": {"query": query}}


async def test_signing_in_says_what_the_client_needs_to_know(client: SmallClient) -> None:
    (ack,) = client.socket.frames
    rt = ack["payload"]["rt"]
    assert ack["type"] == "connection_ack"
    assert rt.pop("conn") == str(client.connection.id)
    assert rt == {"v": 1, "exp": None, "hb": 25_000, "maxBytes": 65_536, "maxOps": 64}


@pytest.mark.parametrize("payload", [None, {}, {"token": "wrong"}, {"token": 1}, {"token": ""}])
async def test_who_is_nobody_is_forbidden(node: SmallNode, actor: Actor, payload: object) -> None:
    client = node.client()
    await client.say(type="connection_init", payload=payload)
    assert client.socket.closed == (4403, "Forbidden")


async def test_an_overlong_token_is_not_even_looked_up(node: SmallNode) -> None:
    client = await node.client().init("x" * 513)
    assert client.socket.closed == (4403, "Forbidden")
    assert node.sessions.cookies_seen == []


async def test_the_cookie_signs_in_unless_a_token_is_given(node: SmallNode, actor: Actor) -> None:
    by_cookie = node.client(cookie="t")
    await by_cookie.say(type="connection_init")
    by_token = await node.client(cookie="other").init("t")

    assert by_cookie.connection.is_ready
    assert by_token.connection.is_ready
    assert node.sessions.cookies_seen == ["t", None]


async def test_a_silent_socket_is_closed_after_the_init_timeout(node: SmallNode) -> None:
    client = node.client()
    await node.timers.advance(4.9)
    assert client.socket.closed is None
    await node.timers.advance(0.2)
    assert client.socket.closed == (4408, "Connection initialisation timeout")


async def test_a_database_that_is_away_at_sign_in_asks_to_come_back(
    node: SmallNode, actor: Actor
) -> None:
    node.sessions.is_down = True
    client = await node.client().init()
    assert client.socket.closed is not None
    assert client.socket.closed[0] == 1013


@pytest.mark.parametrize("word", ["query", "mutation"])
async def test_an_answer_passes_untouched_and_completes(
    node: SmallNode, client: SmallClient, word: str
) -> None:
    await client.say(**run(word))
    assert client.of("q") == [
        {
            "id": "q",
            "type": "next",
            "payload": {"data": {"done": True}, "extensions": {"rt": {"pos": {}}}},
        },
        {"id": "q", "type": "complete"},
    ]


@pytest.mark.parametrize("query", ["nonsense", "", "subscription bad"])
async def test_a_request_error_is_an_error_frame_without_complete(
    node: SmallNode, client: SmallClient, query: str
) -> None:
    await client.say(**run(query))
    (error,) = client.of("q")
    assert error["type"] == "error"
    assert client.socket.closed is None


async def test_the_engine_is_told_the_edge(node: SmallNode, actor: Actor) -> None:
    edge = Edge(client_key="k", user_agent="browser")
    client = await node.client(edge=edge).init()
    await client.say(**run("mutation"))
    assert node.engine.executed[-1][1:] == (actor, edge)


async def test_a_completed_query_is_cancelled_and_a_mutation_runs_to_its_end(
    node: SmallNode, client: SmallClient
) -> None:
    node.engine.execute_gate = asyncio.Event()
    await client.say(**run("query", "q"))
    await client.say(**run("mutation", "m"))
    await client.say(type="complete", id="q")
    await client.say(type="complete", id="m")
    node.engine.execute_gate.set()
    await settle()

    assert len(node.engine.executed) == 2
    assert node.engine.finished == 1
    assert client.of("q") == client.of("m") == []


async def test_a_mutation_outlives_its_socket(node: SmallNode, client: SmallClient) -> None:
    node.engine.execute_gate = asyncio.Event()
    await client.say(**run("mutation"))
    client.connection.lost()
    node.engine.execute_gate.set()
    await settle()

    assert node.engine.finished == 1
    assert not node.hub.node.mutations


async def test_an_id_in_use_closes_and_a_finished_one_may_be_used_again(
    node: SmallNode, client: SmallClient
) -> None:
    await client.say(**run("query"))
    await client.say(**run("query"))
    assert [frame["type"] for frame in client.of("q")] == ["next", "complete"] * 2
    await client.subscribe("s", "cv:1")
    await client.subscribe("s", "cv:1")
    assert client.socket.closed == (4409, "Subscriber for s already exists")


async def test_complete_while_replaying_stops_the_replay(
    node: SmallNode, client: SmallClient
) -> None:
    events = [node.log.append("cv:1") for _ in range(700)]
    node.log.held = []
    await client.subscribe("a", "cv:1", since={"cv:1": [events[0].epoch, 0]})
    await client.say(type="complete", id="a")
    node.log.release()
    await settle()
    await client.subscribe("a", "cv:1")
    await node.publish("cv:1")

    assert client.offsets("a") == [701]


@pytest.mark.parametrize("turns", range(8))
async def test_an_id_used_again_at_once_belongs_to_the_new_operation(
    node: SmallNode, client: SmallClient, actor: Actor, turns: int
) -> None:
    node.engine.allow(actor, "cv:2")
    events = [node.log.append("cv:1") for _ in range(3)]
    since = {"rt": {"since": {"cv:1": [events[0].epoch, 0]}}}
    former = {"query": "subscription", "variables": {"streams": ["cv:1"]}, "extensions": since}
    later = {"query": "subscription", "variables": {"streams": ["cv:2"]}}

    def receive(**message: object) -> None:
        client.connection.receive_text(json.dumps({"id": "a", **message}).encode())

    receive(type="subscribe", payload=former)
    for _ in range(turns):  # it is being prepared, asks, replays
        await asyncio.sleep(0)
    before = len(client.of("a"))
    receive(type="complete")
    receive(type="subscribe", payload=later)
    await settle()
    await node.publish("cv:1")
    await node.publish("cv:2")

    assert [frame["payload"]["extensions"]["rt"]["s"] for frame in client.of("a")[before:]] == [
        "cv:2"
    ]


async def test_too_many_operations_get_an_error_each_and_no_close(
    node: SmallNode, client: SmallClient
) -> None:
    for n in range(41):
        await client.say(**run("query", f"q{n}"))
    assert client.code("q40") == "RT_LIMIT"
    assert client.of("q40")[0]["payload"][0]["extensions"]["retryAfterS"] == 0.05

    await node.timers.advance(0.06)
    await client.say(**run("query", "later"))
    assert client.of("later")[-1]["type"] == "complete"
    assert client.socket.closed is None


@pytest.mark.parametrize(
    "said",
    [{"type": "ping"}, {"type": "pong"}, {"type": "complete", "id": "x"}, run("query", "q")],
    ids=["pings", "pongs", "completions", "operations"],
)
async def test_who_says_far_more_than_any_client_is_closed(
    node: SmallNode, client: SmallClient, said: dict[str, Any]
) -> None:
    settings = LiveSettings()
    heard = 1  # connection_init
    while heard < settings.frames_burst:
        client.connection.receive_text(json.dumps(said | {"id": f"{heard}"}).encode())
        heard += 1
    assert client.socket.closed is None
    await node.timers.advance(1 / settings.frames_per_s)
    client.connection.receive_text(b'{"type":"pong"}')
    assert client.socket.closed is None, "what is used up comes back"
    client.connection.receive_text(b'{"type":"pong"}')
    assert client.socket.closed == (4403, "too many messages")
    assert len(client.connection.operations) == 0 or said["type"] == "subscribe"


async def test_more_than_64_operations_at_once_get_an_error(
    node: SmallNode, client: SmallClient
) -> None:
    for n in range(65):
        await node.timers.advance(0.06)
        await client.subscribe(f"s{n}", "cv:1")
    assert client.code("s64") == "RT_LIMIT"
    await client.say(type="complete", id="s0")
    await client.subscribe("again", "cv:1")
    assert client.of("again") == []


async def test_more_than_64_streams_in_one_subscription_are_an_error(
    node: SmallNode, client: SmallClient
) -> None:
    await client.subscribe("a", *(f"cv:{n}" for n in range(65)))
    await client.subscribe("b")
    assert client.code("a") == client.code("b") == "RT_LIMIT"
    assert len(node.hub.node.tails) == 1


async def test_the_eleventh_socket_of_an_account_is_one_too_many(
    node: SmallNode, actor: Actor
) -> None:
    clients = [await node.client().init() for _ in range(11)]
    assert clients[10].socket.closed == (4290, "Too many connections")
    clients[10].connection.lost()
    clients[0].connection.lost()
    assert (await node.client().init()).connection.is_ready
    assert actor.account_id is not None
    assert len(node.hub.node.registry.of_account(actor.account_id)) == 10


async def test_a_full_node_and_a_client_with_too_many_pending_sockets_have_no_room() -> None:
    settings = LiveSettings(connections_max=3, pending_per_client_max=2)
    async with running(SmallNode(settings=settings)) as node:
        node.sessions.sign_in()
        first = node.client(edge=Edge(client_key="k"))
        node.client(edge=Edge(client_key="k"))
        assert node.hub.refusal("k") == "pending"
        assert node.hub.refusal("other") is None
        await first.init()
        assert node.hub.refusal("k") is None
        node.client(edge=Edge(client_key="k"))
        assert node.hub.refusal("other") == "full"
        first.connection.lost()
        assert node.hub.refusal("other") is None


# Heartbeat


async def test_a_peer_that_answers_pings_stays(node: SmallNode, client: SmallClient) -> None:
    for _ in range(10):
        await node.timers.advance(25)
        await client.say(type="pong")
    assert not client.socket.is_aborted
    assert client.socket.frames.count({"type": "ping"}) == 10


async def test_a_dead_peer_is_cut_not_closed(node: SmallNode, client: SmallClient) -> None:
    await node.timers.advance(51)
    assert client.socket.is_aborted
    assert client.socket.closed is None


# Slow readers


async def test_a_reader_that_lags_is_passed_over_and_catches_up_without_a_gap(
    node: SmallNode, client: SmallClient, actor: Actor
) -> None:
    other = await node.client().init()
    await client.subscribe("a", "cv:1")
    await other.subscribe("a", "cv:1")
    client.socket.unread_bytes = LAG_BUFFER_BYTES + 1
    for _ in range(300):
        await node.publish("cv:1")
    node.announcer.whisper("cv:1", "typing", {})
    await settle()
    assert other.offsets("a") == list(range(1, 301))
    assert client.offsets("a") == [1]  # after which its buffer was looked at

    client.socket.unread_bytes = 0
    await node.timers.advance(1)
    assert client.offsets("a") == list(range(1, 301))
    assert client.socket.closed is None


async def test_a_reader_that_lags_for_long_is_closed_to_come_back(
    node: SmallNode, client: SmallClient
) -> None:
    await client.subscribe("a", "cv:1")
    client.socket.unread_bytes = SOFT_BUFFER_BYTES + 1
    await node.publish("cv:1")
    for seconds in (20, 14.8):
        await client.say(type="pong")
        await node.timers.advance(seconds)
    assert client.socket.closed is None
    assert all(seat.slow is not None for seat in client.connection.operations.seats())
    await node.timers.advance(0.5)
    assert client.socket.closed is not None
    assert client.socket.closed[0] == 1013
    await node.timers.advance(11)
    assert client.socket.is_aborted  # a peer that reads nothing never answers a close frame


async def test_an_overfull_buffer_closes_at_once(node: SmallNode, client: SmallClient) -> None:
    client.socket.unread_bytes = HARD_BUFFER_BYTES + 1
    await client.say(type="ping")
    assert client.socket.closed is not None
    assert client.socket.closed[0] == 1013


# The end


async def test_a_lost_socket_leaves_nothing_behind(node: SmallNode, client: SmallClient) -> None:
    await client.subscribe("a", "cv:1")
    await client.subscribe("b", "cv:1", query="subscription present")
    client.connection.lost()
    await node.timers.advance(60)

    assert len(node.hub.node.registry) == 0
    assert len(node.hub.node.tails) == 0


async def test_stopping_closes_every_socket_as_going_away(
    node: SmallNode, client: SmallClient
) -> None:
    await node.hub.stop()
    assert client.socket.closed == (1001, "Going away")


async def test_no_text_of_a_client_gets_into_a_log(
    node: SmallNode, client: SmallClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await client.subscribe("secret-id", "cv:1")
    await node.publish("cv:1", "test.broken", text="a secret")
    client.connection.receive_text(b'{"secret')
    await settle()

    ours = [record for record in caplog.records if record.name.startswith("realtime")]
    assert ours
    assert not [record for record in ours if "secret" in record.getMessage()]
    assert not [record for record in ours if record.exc_info]
