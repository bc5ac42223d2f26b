"""Rights that change by date change on open sockets when they are due; signing in looks once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.kernel.actor import Actor
from domain.kernel.streams import StreamState
from realtime.authority import Admission
from realtime.session import DUE_MAX_S
from tests.support.live import TOKEN, SmallClient, SmallNode
from tests.support.timers import settle


async def wait(node: SmallNode, seconds: float) -> None:
    """Both clocks go on together."""
    node.clock.advance(seconds=seconds)
    await node.timers.advance(seconds)


async def signed_in(node: SmallNode, **dates: timedelta) -> tuple[Actor, SmallClient]:
    """A client that follows cv:1, with dates from now."""
    actor = node.sessions.sign_in()
    node.engine.allow(actor, "cv:1")
    at = {name: node.clock.now() + after for name, after in dates.items()}
    node.sessions.change(TOKEN, Admission(actor, at.get("expires_at"), at.get("changes_at")))
    client = await node.client().init()
    await client.subscribe("a", "cv:1")
    return actor, client


async def test_a_right_that_ends_by_date_ends_on_the_open_socket_when_it_is_due(
    node: SmallNode,
) -> None:
    actor, client = await signed_in(node, changes_at=timedelta(seconds=10))
    node.sessions.change(TOKEN, Admission(replace(actor, authority_version=2)))
    node.engine.forbid(actor, "cv:1")

    await wait(node, 9.9)
    await node.publish("cv:1")
    assert client.offsets("a") == [1]

    await wait(node, 0.1)
    await node.publish("cv:1")
    assert client.offsets("a") == [1]
    assert client.code("a") == "RT_FORBIDDEN"


async def test_each_look_says_when_the_next_is_due(node: SmallNode) -> None:
    actor, client = await signed_in(node, changes_at=timedelta(seconds=10))
    later = node.clock.now() + timedelta(seconds=15)
    node.sessions.change(TOKEN, Admission(actor, changes_at=later))
    for seconds, is_due in ((9.9, False), (0.1, True), (4.9, False), (0.1, True)):
        looks = node.sessions.refreshed
        await wait(node, seconds)
        assert (node.sessions.refreshed > looks) is is_due

    await node.publish("cv:1")
    assert client.offsets("a") == [1]


async def test_a_session_that_ends_closes_its_socket_when_it_is_due(node: SmallNode) -> None:
    _, client = await signed_in(node, expires_at=timedelta(seconds=7))

    await wait(node, 6.9)  # a beat may look meanwhile, and finds it in force
    assert client.socket.closed is None
    node.sessions.change(TOKEN, None)
    await wait(node, 0.1)
    assert client.socket.closed is not None
    assert client.socket.closed[0] == 4403


async def test_a_session_refreshed_before_its_end_goes_on(node: SmallNode) -> None:
    actor, client = await signed_in(node, expires_at=timedelta(seconds=7))
    node.sessions.change(TOKEN, Admission(actor, node.clock.now() + timedelta(seconds=600)))

    await wait(node, 8)
    await node.publish("cv:1")
    assert client.socket.closed is None
    assert client.offsets("a") == [1]


async def test_a_date_seen_too_early_by_a_slow_clock_is_looked_at_again_and_not_in_a_spin(
    node: SmallNode,
) -> None:
    await signed_in(node, changes_at=timedelta(seconds=10))
    looks = node.sessions.refreshed
    await node.timers.advance(11)  # the wall clock stands still: the date has not come yet

    assert node.sessions.refreshed == looks + 1
    node.clock.advance(seconds=10)
    await node.timers.advance(10)
    assert node.sessions.refreshed > looks + 1


async def test_a_date_in_many_years_is_no_timer_of_many_years(node: SmallNode) -> None:
    _, client = await signed_in(node, changes_at=timedelta(days=18_000))
    due = client.connection._session._due

    assert due is not None
    assert due.at == DUE_MAX_S  # type: ignore[attr-defined]  # the manual timer's
    client.connection.lost()
    assert due.is_cancelled  # type: ignore[attr-defined]  # the manual timer's


async def test_signing_in_reads_neither_the_stream_nor_the_session_a_second_time(
    node: SmallNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = node.sessions.sign_in()
    me = f"me:{actor.account_id}"
    node.log.append(me)
    node.sessions.change(TOKEN, Admission(actor, watched=node.log._state(me)))
    node.log.is_down = True
    client = await node.client().init()

    assert client.connection.is_ready
    assert node.sessions.refreshed == 0


async def test_a_sign_out_while_the_look_was_under_way_is_found_by_the_next_tick(
    node: SmallNode,
) -> None:
    actor = node.sessions.sign_in()
    me = f"me:{actor.account_id}"
    node.log.append(me)
    node.sessions.change(TOKEN, Admission(actor, watched=node.log._state(me)))
    # Committed and hinted at after the look, before anybody here followed the stream.
    node.log.append(me, authority=True)
    client = await node.client().init()
    node.sessions.change(TOKEN, None)
    assert client.socket.closed is None

    await node.timers.advance(0.5)
    assert client.socket.closed == (4403, "revoked")


@pytest.mark.parametrize("known", ["newer", "another"])
async def test_who_is_known_to_have_changed_meanwhile_is_looked_at_again(
    node: SmallNode, known: str
) -> None:
    actor = node.sessions.sign_in()
    me = f"me:{actor.account_id}"
    node.log.append(me)
    seen = node.log._state(me)
    first = await node.client().init()
    await node.publish(me, authority=True)
    if known == "another":
        seen = StreamState(me, "elsewhere", 9)
    looks = node.sessions.refreshed
    node.sessions.change(TOKEN, Admission(actor, watched=seen))
    second = await node.client().init()
    await settle()

    assert node.sessions.refreshed > looks
    assert first.connection.is_ready
    assert second.connection.is_ready
