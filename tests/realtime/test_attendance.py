"""A socket that comes back by itself is no use of its session; a person's query or mutation is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain.access.models import AccountKind
from domain.kernel import streams
from domain.kernel.actor import Actor
from domain.kernel.work import Works
from gateway.wiring import Sessions
from realtime.authority import Admission
from tests.support.access import an_account, signed_in
from tests.support.live import TOKEN, SmallClient, SmallNode, running
from tests.support.redis_server import eventually

NOBODY_THERE = {"rt": {"attended": False}}
BEAT_S = 25


async def wait(node: SmallNode, client: SmallClient, seconds: float) -> None:
    """Both clocks go on together, and the client answers each beat."""
    while seconds > 0:
        step = min(seconds, BEAT_S)
        seconds -= step
        node.clock.advance(seconds=step)
        await node.timers.advance(step)
        if client.socket.closed is None:
            await client.say(type="pong")


async def come(node: SmallNode, token: str, **said: Any) -> SmallClient:
    """Connect anew, and resume."""
    client = await node.client().init(token, **said)
    await eventually(lambda: client.connection.is_ready or client.socket.closed)
    if client.connection.is_ready:
        await client.subscribe("a", "cv:1", since={"cv:1": ["", 0]})
    return client


async def test_a_staff_screen_that_only_comes_back_idles_out_and_an_attended_one_does_not(
    works: Works, test_keyring: object
) -> None:
    async with running(SmallNode(log=streams)) as node:
        staff = await an_account(works, kind=AccountKind.STAFF)
        left, used = [(await signed_in(works, staff)).token.text for _ in range(2)]
        node.hub.node.authenticator = Sessions(node.clock)
        node.engine.allow(Actor(account_id=staff.id), "cv:1")
        for _ in range(5):
            node.clock.advance(minutes=5)
            alone, attended = await come(node, left, **NOBODY_THERE), await come(node, used)
            if node.clock.now() < works.clock.now() + timedelta(minutes=25):
                alone.connection.lost()
                attended.connection.lost()
        assert alone.connection._session.expires_at == works.clock.now() + timedelta(minutes=30)

        await wait(node, alone, 299)
        await eventually(lambda: not alone.connection._tasks)
        assert alone.socket.closed is None
        await wait(node, alone, 1)
        await eventually(lambda: alone.socket.closed)
        assert alone.socket.closed == (4403, "session expired")
        assert (await come(node, left, **NOBODY_THERE)).socket.closed == (4403, "Forbidden")
        assert attended.socket.closed is None
        assert (await come(node, used, **NOBODY_THERE)).connection.is_ready


@pytest.mark.parametrize(
    ("said", "is_use"),
    [
        ({}, True),
        ({"rt": None}, True),
        ({"rt": {}}, True),
        ({"rt": {"v": 1, "attended": None}}, True),
        ({"rt": {"attended": True}}, True),
        ({"rt": "ours"}, True),
        (NOBODY_THERE, False),
    ],
)
async def test_coming_and_subscribing_count_unless_the_client_says_that_nobody_is_there(
    node: SmallNode, said: dict[str, Any], is_use: bool
) -> None:
    node.engine.allow(node.sessions.sign_in(), "cv:1")
    client = await node.client().init(**said)
    await client.subscribe("a", "cv:1")
    await wait(node, client, 6 * BEAT_S)

    assert node.sessions.counted == [is_use]
    assert node.sessions.used == is_use
    assert len(client.lives()) == 1


@pytest.mark.parametrize("kind", ["query", "mutation"])
async def test_a_query_or_mutation_counts_on_an_unattended_socket_too(
    node: SmallNode, kind: str
) -> None:
    node.sessions.sign_in()
    client = await node.client().init(**NOBODY_THERE)
    await client.say(type="subscribe", id="a", payload={"query": kind})
    await wait(node, client, 6 * BEAT_S)

    assert node.sessions.used == 1


@pytest.mark.parametrize("kind", ["query", "mutation", "subscription"])
async def test_an_operation_that_says_so_itself_does_not_count_on_any_socket(
    node: SmallNode, kind: str
) -> None:
    node.engine.allow(node.sessions.sign_in(), "cv:1")
    client = await node.client().init()
    payload = {"query": kind, "variables": {"streams": ["cv:1"]}, "extensions": NOBODY_THERE}
    await client.say(type="subscribe", id="a", payload=payload)
    await wait(node, client, 6 * BEAT_S)

    assert client.of("a") or client.lives()
    assert node.sessions.used == 0


async def test_who_acts_on_an_unattended_socket_shortly_before_the_end_keeps_the_session(
    node: SmallNode,
) -> None:
    soon = node.clock.now() + timedelta(seconds=100)
    actor = node.sessions.sign_in(expires_at=soon)
    client = await node.client().init(**NOBODY_THERE)
    node.clock.advance(seconds=90)
    node.sessions.change(TOKEN, Admission(actor, soon + timedelta(seconds=600)))
    await client.say(type="subscribe", id="m", payload={"query": "mutation"})

    assert node.sessions.used == 1


@pytest.mark.parametrize("attended", ["false", 0, [], {}])
async def test_neither_true_nor_false_is_a_mistake_and_is_told(
    node: SmallNode, attended: object
) -> None:
    node.sessions.sign_in()
    wrong = {"rt": {"attended": attended}}
    told = (4400, "Invalid message: 'rt.attended' is true or false")
    arriving = await node.client().init(**wrong)
    assert arriving.socket.closed == told
    assert node.sessions.counted == []

    client = await node.client().init()
    await client.say(type="subscribe", id="a", payload={"query": "query", "extensions": wrong})
    assert client.socket.closed == told
