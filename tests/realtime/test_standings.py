"""Who asks by HTTP is remembered no longer than an open socket would go on: the same bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from domain.kernel.actor import Actor
from realtime import standings as module
from realtime.authority import Admission
from realtime.standings import KEPT_S, Standings
from tests.support.live import TOKEN, SmallNode
from tests.support.timers import settle


@pytest.fixture
def standings(node: SmallNode) -> Iterator[Standings]:
    made = Standings(node.sessions, node.hub.node.tails, node.clock, node.timers)
    yield made
    made.close()


def sign_in(node: SmallNode, token: str = TOKEN, **dates: timedelta) -> Actor:
    """A session whose admission says where the account's stream stands."""
    actor = node.sessions.sign_in(token)
    me = f"me:{actor.account_id}"
    node.log.append(me)
    at = {name: node.clock.now() + after for name, after in dates.items()}
    node.sessions.change(
        token, Admission(actor, at.get("expires_at"), at.get("changes_at"), node.log._state(me))
    )
    return actor


def asked(node: SmallNode) -> int:
    return len(node.sessions.cookies_seen)


async def wait(node: SmallNode, seconds: float) -> None:
    node.clock.advance(seconds=seconds)
    await node.timers.advance(seconds)


async def test_a_second_request_asks_nobody(node: SmallNode, standings: Standings) -> None:
    actor, other = sign_in(node), sign_in(node, "other")
    for _ in range(3):
        assert await standings.actor(TOKEN) == actor
        assert await standings.actor("other") == other

    assert asked(node) == 2


async def test_who_is_unknown_is_asked_for_each_time(node: SmallNode, standings: Standings) -> None:
    for _ in range(2):
        assert await standings.actor("nobody's") is None
    assert asked(node) == 2
    actor = sign_in(node, "nobody's")
    assert await standings.actor("nobody's") == actor


async def test_with_the_bus_a_revocation_counts_at_once(
    node: SmallNode, standings: Standings
) -> None:
    actor = sign_in(node)
    await standings.actor(TOKEN)
    node.sessions.change(TOKEN, None)
    await node.publish(f"me:{actor.account_id}", authority=True)

    assert await standings.actor(TOKEN) is None


async def test_without_the_bus_a_revocation_counts_within_three_seconds(
    node: SmallNode, standings: Standings
) -> None:
    actor = sign_in(node)
    await standings.actor(TOKEN)
    await wait(node, 2)
    node.sessions.change(TOKEN, None)
    await node.publish(f"me:{actor.account_id}", authority=True, hint=False)
    await wait(node, 2.5)

    assert await standings.actor(TOKEN) is None


async def test_a_revocation_while_the_look_was_under_way_counts_by_the_next_tick(
    node: SmallNode, standings: Standings
) -> None:
    actor = sign_in(node)
    node.log.append(f"me:{actor.account_id}", authority=True)  # nobody follows the stream yet
    assert await standings.actor(TOKEN) == actor
    node.sessions.change(TOKEN, None)
    await wait(node, 0.5)

    assert await standings.actor(TOKEN) is None


async def test_what_an_open_socket_knows_already_keeps_an_older_look_from_being_kept(
    node: SmallNode, standings: Standings
) -> None:
    actor = sign_in(node)
    await node.client().init()
    await node.publish(f"me:{actor.account_id}", authority=True)
    before = asked(node)
    for _ in range(2):
        assert await standings.actor(TOKEN) == actor

    assert asked(node) == before + 2
    assert len(standings) == 0


async def test_what_this_process_commits_counts_before_the_bus_says_it(
    node: SmallNode, standings: Standings
) -> None:
    actor, other = sign_in(node), sign_in(node, "other")
    for token in (TOKEN, "other"):
        await standings.actor(token)
    node.sessions.change(TOKEN, None)
    standings.committed([node.log.append(f"me:{actor.account_id}", authority=True)])

    assert await standings.actor(TOKEN) is None
    before = asked(node)
    assert await standings.actor("other") == other
    assert asked(node) == before


async def test_what_this_process_commits_while_a_look_is_under_way_counts_for_the_next_request(
    node: SmallNode, standings: Standings, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = sign_in(node)
    has_committed, found = asyncio.Event(), node.sessions.authenticate

    async def late(token: str | None, cookie: str | None, **_: bool) -> Admission | None:
        admission = await found(token, cookie)
        await has_committed.wait()
        return admission

    monkeypatch.setattr(node.sessions, "authenticate", late)
    asking = asyncio.create_task(standings.actor(TOKEN))
    await settle()
    node.sessions.change(TOKEN, None)
    standings.committed([node.log.append(f"me:{actor.account_id}", authority=True)])
    has_committed.set()

    assert await asking == actor  # it had asked before
    assert await standings.actor(TOKEN) is None


@pytest.mark.parametrize("date", ["expires_at", "changes_at"])
async def test_a_date_counts_at_its_instant(
    node: SmallNode, standings: Standings, date: str
) -> None:
    actor = sign_in(node, TOKEN, **{date: timedelta(seconds=5)})
    await standings.actor(TOKEN)
    node.sessions.change(TOKEN, None)
    await wait(node, 4.9)
    assert await standings.actor(TOKEN) == actor
    await wait(node, 0.1)
    assert await standings.actor(TOKEN) is None


async def test_a_stream_that_is_another_one_now_is_no_assurance(
    node: SmallNode, standings: Standings
) -> None:
    actor = sign_in(node)
    await standings.actor(TOKEN)
    node.sessions.change(TOKEN, None)
    node.log.restore(f"me:{actor.account_id}", "restored", 1)
    await wait(node, 2)

    assert await standings.actor(TOKEN) is None


async def test_who_was_remembered_with_nobody_there_is_asked_for_when_somebody_is(
    node: SmallNode, standings: Standings
) -> None:
    actor = sign_in(node)
    for is_used in (False, False, True, True, False):
        assert await standings.actor(TOKEN, is_used=is_used) == actor

    assert node.sessions.counted == [False, True]


async def test_it_is_asked_again_before_long_and_the_unused_are_let_go(
    node: SmallNode, standings: Standings
) -> None:
    sign_in(node)
    await standings.actor(TOKEN)
    await wait(node, KEPT_S)
    await standings.actor(TOKEN)
    assert asked(node) == 2

    await wait(node, 3 * KEPT_S)
    assert len(standings) == 0
    assert len(node.hub.node.tails) == 0


async def test_no_more_are_kept_than_the_bound(
    node: SmallNode, standings: Standings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT_MAX", 2)
    for token in ("a", "b", "c"):
        sign_in(node, token)
        await standings.actor(token)
    assert len(standings) == 2

    before = asked(node)
    for token in ("c", "b", "a"):
        await standings.actor(token)
    await settle()
    assert asked(node) == before + 1
