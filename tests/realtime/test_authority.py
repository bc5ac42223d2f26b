"""Losing a right ends delivery at once: in order, in every replay, on open sockets."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.kernel.actor import Actor
from realtime.authority import Admission
from realtime.bus import Hint
from tests.support.live import TOKEN, SmallClient, SmallNode
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


async def test_a_stranger_is_refused_and_learns_nothing(
    node: SmallNode, client: SmallClient
) -> None:
    await client.subscribe("a", "cv:2")
    await client.subscribe("b", "cv:1", "cv:2", since={"cv:2": ["?", 99]})
    await node.publish("cv:2")

    assert client.code("a") == client.code("b") == "RT_FORBIDDEN"
    assert client.of("a")[0]["payload"][0]["extensions"] == {"code": "RT_FORBIDDEN"}


async def test_nothing_after_the_removal_is_delivered(
    node: SmallNode, client: SmallClient, actor: Actor
) -> None:
    await client.subscribe("a", "cv:1")
    await node.publish("cv:1")
    node.engine.forbid(actor, "cv:1")
    node.announcer.announce(
        [
            node.log.append("cv:1"),
            node.log.append("cv:1", "test.removed", authority=True),
            node.log.append("cv:1"),
        ]
    )
    await settle()

    assert 3 not in client.offsets("a")
    assert 4 not in client.offsets("a")
    assert client.code("a") == "RT_FORBIDDEN"
    assert client.socket.closed is None


async def test_those_who_remain_get_everything_in_order(
    node: SmallNode, client: SmallClient
) -> None:
    await client.subscribe("a", "cv:1")
    for n in range(6):
        await node.publish("cv:1", authority=n % 2 == 0)

    assert client.offsets("a") == [1, 2, 3, 4, 5, 6]
    assert len(client.lives()) == 1


async def test_a_change_of_authority_found_in_a_replay_is_checked_before_going_on(
    node: SmallNode, client: SmallClient, actor: Actor
) -> None:
    for _ in range(3):
        event = await node.publish("cv:1")
    await client.subscribe("other", "cv:1")
    # The tail has not heard of these yet; the client has, from another node.
    for n in range(4, 8):
        node.log.append("cv:1", authority=n == 6)
    asked = node.engine.authorised
    node.log.held = []
    await client.subscribe("a", "cv:1", since={"cv:1": [event.epoch, 0]})
    node.engine.forbid(actor, "cv:1")
    node.log.release()
    await node.timers.advance(6)

    assert all(offset < 6 for offset in client.offsets("a"))
    assert client.code("a") == "RT_FORBIDDEN"
    assert node.engine.authorised > asked


async def test_a_counsellor_after_a_hand_over_sees_from_then_on_only(
    node: SmallNode, client: SmallClient, actor: Actor
) -> None:
    for _ in range(4):
        event = await node.publish("cv:1")
    node.engine.allow(actor, "cv:1", first=3)
    await client.subscribe("a", "cv:1", since={"cv:1": [event.epoch, 0]})
    await client.subscribe("b", "cv:1", since={"cv:1": [event.epoch, 2]})
    await client.subscribe("c", "cv:1")
    await node.publish("cv:1")

    assert client.code("a") == "RT_UNRECOVERABLE"
    assert client.of("a")[0]["payload"][0]["extensions"]["rt"]["floor"] == 3
    assert client.offsets("b") == [3, 4, 5]
    assert client.offsets("c") == [5]


async def test_a_right_that_begins_later_is_waited_for(
    node: SmallNode, client: SmallClient, actor: Actor
) -> None:
    node.engine.allow(actor, "cv:1", first=3)
    await client.subscribe("a", "cv:1")
    for _ in range(4):
        await node.publish("cv:1")

    assert client.offsets("a") == [3, 4]


async def test_a_rising_first_offset_ends_the_subscription_honestly(
    node: SmallNode, client: SmallClient, actor: Actor
) -> None:
    await client.subscribe("a", "cv:1")
    await node.publish("cv:1")
    node.engine.allow(actor, "cv:1", first=9)
    await node.publish("cv:1", authority=True)

    assert client.offsets("a") == [1]
    assert client.code("a") == "RT_UNRECOVERABLE"


async def test_a_revoked_session_closes_its_open_sockets_at_once(
    node: SmallNode, client: SmallClient, actor: Actor
) -> None:
    await client.subscribe("a", "cv:1")
    node.sessions.change(TOKEN, None)
    await node.publish(f"me:{actor.account_id}", "access.session_ended", authority=True)

    assert client.socket.closed == (4403, "revoked")
    await node.publish("cv:1")
    assert client.offsets("a") == []


async def test_without_a_bus_a_revocation_reaches_the_socket_within_three_seconds(
    node: SmallNode, client: SmallClient, actor: Actor
) -> None:
    await client.subscribe("a", "cv:1")
    node.sessions.change(TOKEN, None)
    await node.publish(f"me:{actor.account_id}", authority=True, hint=False)
    await node.timers.advance(2.5)

    assert client.socket.closed == (4403, "revoked")


async def test_nothing_is_delivered_while_a_revocation_is_being_looked_at(
    node: SmallNode, client: SmallClient, actor: Actor
) -> None:
    await client.subscribe("a", "cv:1")
    node.sessions.is_down = True
    await node.publish(f"me:{actor.account_id}", authority=True)
    await node.publish("cv:1")
    assert client.offsets("a") == []

    node.sessions.is_down = False
    await node.timers.advance(2)
    assert client.offsets("a") == [1]


async def test_while_no_look_is_possible_nothing_is_done_on_the_strength_of_the_last(
    node: SmallNode, client: SmallClient, actor: Actor
) -> None:
    node.sessions.is_down = True
    await node.publish(f"me:{actor.account_id}", authority=True)
    for kind in ("mutation", "query"):
        await client.say(type="subscribe", id=kind, payload={"query": kind})
        assert client.code(kind) == "RT_UNAVAILABLE"
    assert node.engine.executed == []

    node.sessions.is_down = False
    await client.say(type="subscribe", id="again", payload={"query": "mutation"})
    assert client.of("again")[-1]["type"] == "complete"


async def test_a_revocation_that_could_not_be_looked_at_closes_the_socket_with_the_next_operation(
    node: SmallNode, client: SmallClient, actor: Actor
) -> None:
    node.sessions.is_down = True
    await node.publish(f"me:{actor.account_id}", authority=True)
    node.sessions.change(TOKEN, None)
    node.sessions.is_down = False
    await client.say(type="subscribe", id="m", payload={"query": "mutation"})

    assert node.engine.executed == []
    assert client.socket.closed == (4403, "revoked")


async def test_what_could_not_be_looked_at_is_looked_at_with_the_next_beat(
    node: SmallNode, client: SmallClient, actor: Actor
) -> None:
    node.sessions.is_down = True
    await node.publish(f"me:{actor.account_id}", authority=True)
    node.sessions.change(TOKEN, None)
    node.sessions.is_down = False
    await client.say(type="pong")
    await node.timers.advance(25)

    assert client.socket.closed == (4403, "revoked")


async def test_an_operation_in_the_very_moment_of_a_change_waits_for_the_look(
    node: SmallNode, client: SmallClient, actor: Actor
) -> None:
    await node.publish(f"me:{actor.account_id}")
    node.sessions.change(TOKEN, None)
    event = node.log.append(f"me:{actor.account_id}", authority=True)
    node.hub.heard(Hint(event.stream, event.epoch, event.offset, event))
    assert await client.connection.standing(renew=False) is None


async def test_another_sessions_end_leaves_this_one_alone(
    node: SmallNode, client: SmallClient, actor: Actor
) -> None:
    await client.subscribe("a", "cv:1")
    await node.publish(f"me:{actor.account_id}", "access.session_ended", authority=True)
    await node.publish("cv:1")

    assert client.socket.closed is None
    assert client.offsets("a") == [1]


async def test_changed_grants_are_what_the_next_operation_acts_with(
    node: SmallNode, client: SmallClient, actor: Actor
) -> None:
    changed = replace(actor, authority_version=7)
    node.sessions.change(TOKEN, Admission(changed))
    await node.publish(f"me:{actor.account_id}", authority=True)
    await client.say(type="subscribe", id="m", payload={"query": "mutation"})

    assert node.engine.executed[-1][1] == changed


async def test_an_operation_waits_for_a_look_that_is_under_way(
    node: SmallNode, client: SmallClient, actor: Actor
) -> None:
    await node.publish(f"me:{actor.account_id}")
    node.sessions.change(TOKEN, None)
    node.announcer.announce([node.log.append(f"me:{actor.account_id}", authority=True)])
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await client.say(type="subscribe", id="m", payload={"query": "mutation"})

    assert node.engine.executed == []
    assert client.socket.closed == (4403, "revoked")


async def test_a_sign_out_during_sign_in_is_not_missed(node: SmallNode, actor: Actor) -> None:
    client = node.client()
    node.log.held = []
    await client.init()  # authenticated; the look at the account's own stream is held up
    node.sessions.change(TOKEN, None)
    node.log.held[0].set()
    await settle()

    assert client.socket.closed == (4403, "Forbidden")


async def test_a_revocation_during_the_rendering_of_an_event_stops_that_event(
    node: SmallNode, client: SmallClient, actor: Actor
) -> None:
    await client.subscribe("a", "cv:1")
    node.engine.rendering.held = []
    await node.publish("cv:1")
    node.sessions.change(TOKEN, None)
    await node.publish(f"me:{actor.account_id}", authority=True)
    node.engine.rendering.release()
    await settle()

    assert client.offsets("a") == []
    assert client.socket.closed == (4403, "revoked")


async def test_an_event_that_is_being_rendered_waits_for_a_doubt_from_another_stream(
    node: SmallNode, client: SmallClient, actor: Actor
) -> None:
    node.engine.allow(actor, "cv:2")
    await client.subscribe("a", "cv:1", "cv:2")
    await node.publish("cv:2")
    node.engine.rendering.held = []
    await node.publish("cv:1")
    node.engine.held = []
    node.engine.forbid(actor, "cv:1")
    await node.publish("cv:2", authority=True)
    node.engine.rendering.release()
    await settle()
    assert client.offsets("a") == [1]  # of cv:2, before

    node.engine.held.pop().set()
    await settle()
    assert client.offsets("a") == [1]
    assert client.code("a") == "RT_FORBIDDEN"


async def test_an_event_rendered_twice_because_of_a_doubt_is_written_once(
    node: SmallNode, client: SmallClient, actor: Actor
) -> None:
    await client.subscribe("a", "cv:1", query="subscription private")
    rendering: list[asyncio.Event] = []
    node.engine.rendering.held = rendering
    await node.publish("cv:1")
    await node.publish(f"me:{actor.account_id}", authority=True)
    live, again = rendering
    again.set()
    await settle()
    live.set()
    await settle()

    assert client.offsets("a") == [1]


async def test_an_expired_session_closes_and_a_refreshed_one_goes_on(node: SmallNode) -> None:
    soon = node.clock.now() + timedelta(seconds=60)
    node.sessions.sign_in("ends", expires_at=soon)
    kept_actor = node.sessions.sign_in("kept", expires_at=soon)
    ends = await node.client().init("ends")
    kept = await node.client().init("kept")
    node.sessions.change("kept", Admission(kept_actor, soon + timedelta(hours=1)))
    assert ends.socket.frames[0]["payload"]["rt"]["exp"] == int(soon.timestamp())

    node.clock.advance(seconds=61)
    for _ in range(2):
        for client in (ends, kept):
            await client.say(type="pong")
        await node.timers.advance(25)

    assert ends.socket.closed == (4403, "session expired")
    assert kept.socket.closed is None


async def test_acting_shortly_before_an_idle_session_ends_keeps_it(node: SmallNode) -> None:
    soon = node.clock.now() + timedelta(seconds=100)
    actor = node.sessions.sign_in(expires_at=soon)
    client = await node.client().init()
    node.clock.advance(seconds=90)
    node.sessions.change(TOKEN, Admission(actor, soon + timedelta(seconds=600)))
    await client.say(type="subscribe", id="m", payload={"query": "mutation"})
    assert node.sessions.used == 1
    assert client.of("m")[-1]["type"] == "complete"

    node.clock.advance(seconds=60)
    await node.timers.advance(25)
    assert client.socket.closed is None


async def test_grants_that_end_by_date_are_noticed_without_any_event(
    node: SmallNode, client: SmallClient, actor: Actor
) -> None:
    await client.subscribe("a", "cv:1")
    node.sessions.change(TOKEN, Admission(replace(actor, authority_version=2)))
    node.engine.forbid(actor, "cv:1")
    for _ in range(6):
        await client.say(type="pong")
        await node.timers.advance(25)

    assert client.code("a") == "RT_FORBIDDEN"


async def test_using_the_socket_keeps_the_session_from_being_idle(
    node: SmallNode, client: SmallClient
) -> None:
    async def wait() -> None:
        for _ in range(6):
            await client.say(type="pong")
            await node.timers.advance(25)

    await wait()
    assert node.sessions.used == 0
    await client.say(type="subscribe", id="q", payload={"query": "query"})
    await wait()
    assert node.sessions.used == 1
