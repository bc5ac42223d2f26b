"""Both presences tell who came and who went: in batches, once an account, gone after the grace."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import asyncio as aioredis

from realtime import presence
from realtime.presence import (
    BATCH_S,
    GRACE_S,
    PRESENCE_CHANGED,
    LocalPresence,
    PresenceBook,
)
from realtime.redis_presence import RedisPresence
from tests.support.announcing import RememberedAnnouncements
from tests.support.redis_server import eventually, private_redis
from tests.support.timers import ManualTimers, settle

SCOPE = "cv:1"


class Place:
    """A presence, with what it told."""

    def __init__(self, url: str, prefix: str = "") -> None:
        self.timers = ManualTimers()
        self.announcements = RememberedAnnouncements()
        self.book: PresenceBook = (
            RedisPresence(url, self.announcements, self.timers, prefix=prefix)
            if url
            else LocalPresence(self.announcements, self.timers)
        )

    @property
    def told(self) -> list[str]:
        """What was told of the scope, as ``+a+b-c``."""
        assert {(s, k) for s, k, _ in self.announcements.whispers} <= {(SCOPE, PRESENCE_CHANGED)}
        bodies: list[Any] = [body for _, _, body in self.announcements.whispers]
        return [
            "".join([f"+{who}" for who in body["joined"]] + [f"-{who}" for who in body["left"]])
            for body in bodies
        ]

    async def tells(self, *expected: str) -> None:
        """Within a batch's time, exactly this."""
        await self.timers.advance(BATCH_S)
        await eventually(lambda: len(self.told) >= len(expected))
        await settle()
        assert self.told == list(expected)


@pytest_asyncio.fixture(params=["local", "redis"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """One process's presence."""
    url = request.getfixturevalue("redis_url") if request.param == "redis" else ""
    place = Place(url, f"test-{secrets.token_hex(4)}")
    await place.book.start()
    yield place
    await place.book.stop()


async def test_who_enters_is_present_and_told_once_with_the_others_of_the_moment(
    place: Place,
) -> None:
    place.book.enter(SCOPE, "a")
    place.book.enter(SCOPE, "a")
    await place.timers.advance(BATCH_S - 0.1)
    place.book.enter(SCOPE, "b")
    assert place.told == []
    await place.tells("+a+b")
    place.book.enter(SCOPE, "c")
    await place.tells("+a+b", "+c")
    place.book.leave(SCOPE, "c")
    await place.timers.advance(GRACE_S)
    await place.tells("+a+b", "+c", "-c")
    assert await place.book.present(SCOPE) == {"a", "b"}
    assert await place.book.present("cv:2") == frozenset()


async def test_who_leaves_is_gone_after_the_grace_only(place: Place) -> None:
    place.book.enter(SCOPE, "a")
    place.book.enter(SCOPE, "a")
    place.book.leave(SCOPE, "a")
    await place.timers.advance(GRACE_S + 1)
    assert await place.book.present(SCOPE) == {"a"}

    place.book.leave(SCOPE, "a")
    await place.timers.advance(GRACE_S - 1)
    assert await place.book.present(SCOPE) == {"a"}
    await place.timers.advance(2)
    await place.tells("+a", "-a")
    assert await place.book.present(SCOPE) == frozenset()


async def test_who_comes_back_within_the_grace_never_left(place: Place) -> None:
    place.book.enter(SCOPE, "a")
    place.book.leave(SCOPE, "a")
    await place.timers.advance(GRACE_S - 1)
    place.book.enter(SCOPE, "a")
    await place.timers.advance(GRACE_S + 1)
    await place.tells("+a")
    assert await place.book.present(SCOPE) == {"a"}


async def test_who_is_back_before_it_was_told_never_left(place: Place) -> None:
    place.book.enter(SCOPE, "a")
    await place.tells("+a")
    place.book.leave(SCOPE, "a")
    await place.timers.advance(GRACE_S + BATCH_S - 0.1)
    assert await place.book.present(SCOPE) <= {"a"}
    place.book.enter(SCOPE, "a")
    place.book.enter(SCOPE, "b")
    await place.tells("+a", "+b")
    assert await place.book.present(SCOPE) == {"a", "b"}


async def test_a_scope_shows_no_more_than_its_bound(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "ACCOUNTS_PER_SCOPE_MAX", 2)
    for account in "abc":
        place.book.enter(SCOPE, account)
    await place.tells("+a+b")
    for account in "abc":
        place.book.leave(SCOPE, account)
    await place.timers.advance(GRACE_S)
    await place.tells("+a+b", "-a-b")
    assert await place.book.present(SCOPE) == frozenset()


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from([+1, -1]), st.sampled_from([0, 0.3, 20])),
        max_size=20,
    )
)
async def test_the_differences_add_up_to_who_is_there(
    steps: list[tuple[str, int, float]],
) -> None:
    place, held, shown = Place(""), Counter[str](), set[str]()
    for account, change, wait_s in steps:
        if change > 0 or held[account]:
            held[account] += change
            (place.book.enter if change > 0 else place.book.leave)(SCOPE, account)
        await place.timers.advance(wait_s)
    await place.timers.advance(GRACE_S + BATCH_S)
    for _, _, body in place.announcements.whispers:
        changes: Any = body
        assert not shown & set(changes["joined"])
        assert shown >= set(changes["left"])
        shown = (shown | set(changes["joined"])) - set(changes["left"])
    assert shown == {account for account, count in held.items() if count}
    assert await place.book.present(SCOPE) == shown


async def test_leaving_more_often_than_entering_is_a_bug(place: Place) -> None:
    with pytest.raises(AssertionError):
        place.book.leave(SCOPE, "a")


def test_the_twins_have_the_same_public_methods() -> None:
    def public(of: type) -> set[str]:
        return {name for name in dir(of) if not name.startswith("_")}

    own = {"present_here"}  # what the Redis twin builds on
    assert public(LocalPresence) - own == public(RedisPresence) - own - {"renew"}
    assert public(PresenceBook) == public(LocalPresence) - own


# Several processes


async def test_a_renewal_before_the_first_word_does_not_swallow_it(redis_url: str) -> None:
    prefix = f"test-{secrets.token_hex(4)}"
    place = Place(redis_url, prefix)
    assert isinstance(place.book, RedisPresence)
    place.book.enter(SCOPE, "a")
    # The renewal comes first: the batch has not been told yet.
    await place.book.renew()
    await place.tells("+a")
    await place.book.stop()


async def test_an_account_on_two_nodes_is_told_once_and_gone_when_both_are_left(
    redis_url: str,
) -> None:
    prefix = f"test-{secrets.token_hex(4)}"
    first, second = Place(redis_url, prefix), Place(redis_url, prefix)
    first.book.enter(SCOPE, "a")
    await first.tells("+a")
    second.book.enter(SCOPE, "a")
    second.book.enter(SCOPE, "b")
    await second.tells("+b")
    assert await first.book.present(SCOPE) == {"a", "b"}

    first.book.leave(SCOPE, "a")
    await first.timers.advance(GRACE_S + 1)
    await settle()
    assert await second.book.present(SCOPE) == {"a", "b"}
    second.book.leave(SCOPE, "a")
    await second.timers.advance(GRACE_S + 1)
    await second.tells("+b", "-a")
    assert first.told == ["+a"]
    await first.book.stop()
    await second.book.stop()


async def test_accounts_of_a_dead_node_are_told_as_gone_when_their_entries_ran_out(
    redis_url: str,
) -> None:
    prefix = f"test-{secrets.token_hex(4)}"
    place = Place(redis_url, prefix)
    place.book.enter(SCOPE, "a")
    await place.tells("+a")
    async with aioredis.Redis.from_url(redis_url) as client:
        key = f"{prefix}:presence:{SCOPE}"
        await client.zadd(key, {"dead|node": 1, "a|node": 1})
        assert await place.book.present(SCOPE) == {"a"}
        assert isinstance(place.book, RedisPresence)
        await place.book.renew()
        assert await client.zcard(key) == 1
    await place.tells("+a", "-dead")
    await place.book.stop()


async def test_a_scope_of_a_dead_node_alone_is_told_by_any_other(redis_url: str) -> None:
    prefix = f"test-{secrets.token_hex(4)}"
    dead, other, third = (Place(redis_url, prefix) for _ in range(3))
    dead.book.enter(SCOPE, "a")
    await dead.tells("+a")
    assert isinstance(other.book, RedisPresence)
    assert isinstance(third.book, RedisPresence)
    await other.book.renew()
    assert other.told == [], "its entry is in force"
    async with aioredis.Redis.from_url(redis_url) as client:
        # Its entries run out, as nobody renews them: SCOPE is in the index since it was entered.
        entries: Any = await client.zrange(f"{prefix}:presence:{SCOPE}", 0, -1)
        await client.zadd(f"{prefix}:presence:{SCOPE}", {entries[0].decode(): 1})
        await client.zadd(f"{prefix}:presence-scopes", {SCOPE: 1}, xx=True)
    await other.book.renew()
    await third.book.renew()
    await other.tells("-a")
    assert third.told == [], "one of them tells it"
    for place in (dead, other, third):
        await place.book.stop()


async def test_accounts_of_a_node_that_stops_have_their_grace_and_are_then_told_as_gone(
    redis_url: str,
) -> None:
    prefix = f"test-{secrets.token_hex(4)}"
    first, second = Place(redis_url, prefix), Place(redis_url, prefix)
    first.book.enter(SCOPE, "a")
    await first.tells("+a")
    second.book.enter(SCOPE, "b")
    await second.tells("+b")
    await first.book.stop()
    assert await second.book.present(SCOPE) == {"a", "b"}
    async with aioredis.Redis.from_url(redis_url) as client:
        key = f"{prefix}:presence:{SCOPE}"
        entries: Any = await client.zrange(key, 0, -1, withscores=True)
        ((entry, end),) = (each for each in entries if each[0].startswith(b"a|"))
        now: int = (await client.time())[0]
        assert GRACE_S - 2 <= end - now <= GRACE_S
        await client.zadd(key, {entry.decode(): 1})
    assert isinstance(second.book, RedisPresence)
    await second.book.renew()
    await second.tells("+b", "-a")
    await second.book.stop()


async def test_without_redis_each_node_tells_what_it_sees() -> None:
    with private_redis() as server:
        place = Place(server.url, "unionhall")
        await place.book.start()
        server.stop()
        place.book.enter(SCOPE, "a")
        await place.tells("+a")
        assert await place.book.present(SCOPE) == {"a"}
        server.start()
        assert isinstance(place.book, RedisPresence)
        await place.book.renew()
        other = Place(server.url, "unionhall")
        assert await other.book.present(SCOPE) == {"a"}
        await other.book.stop()
        await place.book.stop()
