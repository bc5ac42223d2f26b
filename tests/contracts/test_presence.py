"""Both presences tell who came and who went, once an account, and gone only after the grace."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from redis import asyncio as aioredis

from realtime.presence import GRACE_S, PRESENCE_CHANGED, LocalPresence, PresenceBook
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
    def told(self) -> list[tuple[object, object]]:
        assert {(s, k) for s, k, _ in self.announcements.whispers} <= {(SCOPE, PRESENCE_CHANGED)}
        return [(body["account"], body["present"]) for _, _, body in self.announcements.whispers]

    async def tells(self, *expected: tuple[str, bool]) -> None:
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


async def test_who_enters_is_present_and_told_once(place: Place) -> None:
    place.book.enter(SCOPE, "a")
    place.book.enter(SCOPE, "a")
    place.book.enter(SCOPE, "b")
    await place.tells(("a", True), ("b", True))
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
    await place.tells(("a", True), ("a", False))
    assert await place.book.present(SCOPE) == frozenset()


async def test_who_comes_back_within_the_grace_never_left(place: Place) -> None:
    place.book.enter(SCOPE, "a")
    place.book.leave(SCOPE, "a")
    await place.timers.advance(GRACE_S - 1)
    place.book.enter(SCOPE, "a")
    await place.timers.advance(GRACE_S + 1)
    await place.tells(("a", True))
    assert await place.book.present(SCOPE) == {"a"}


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
    # The renewal is asked first: the writer has not had its turn yet.
    await place.book.renew()
    await place.tells(("a", True))
    await place.book.stop()


async def test_an_account_on_two_nodes_is_told_once_and_gone_when_both_are_left(
    redis_url: str,
) -> None:
    prefix = f"test-{secrets.token_hex(4)}"
    first, second = Place(redis_url, prefix), Place(redis_url, prefix)
    first.book.enter(SCOPE, "a")
    await first.tells(("a", True))
    second.book.enter(SCOPE, "a")
    second.book.enter(SCOPE, "b")
    await second.tells(("b", True))
    assert await first.book.present(SCOPE) == {"a", "b"}

    first.book.leave(SCOPE, "a")
    await first.timers.advance(GRACE_S + 1)
    await settle()
    assert await second.book.present(SCOPE) == {"a", "b"}
    second.book.leave(SCOPE, "a")
    await second.timers.advance(GRACE_S + 1)
    await second.tells(("b", True), ("a", False))
    assert first.told == [("a", True)]
    await first.book.stop()
    await second.book.stop()


async def test_accounts_of_a_dead_node_are_told_as_gone_when_their_entries_ran_out(
    redis_url: str,
) -> None:
    prefix = f"test-{secrets.token_hex(4)}"
    place = Place(redis_url, prefix)
    place.book.enter(SCOPE, "a")
    await place.tells(("a", True))
    async with aioredis.Redis.from_url(redis_url) as client:
        key = f"{prefix}:presence:{SCOPE}"
        await client.zadd(key, {"dead|node": 1, "a|node": 1})
        assert await place.book.present(SCOPE) == {"a"}
        assert isinstance(place.book, RedisPresence)
        await place.book.renew()
        assert await client.zcard(key) == 1
    await place.tells(("a", True), ("dead", False))
    await place.book.stop()


async def test_without_redis_each_node_tells_what_it_sees() -> None:
    with private_redis() as server:
        place = Place(server.url, "unionhall")
        await place.book.start()
        server.stop()
        place.book.enter(SCOPE, "a")
        await place.tells(("a", True))
        assert await place.book.present(SCOPE) == {"a"}
        server.start()
        assert isinstance(place.book, RedisPresence)
        await place.book.renew()
        other = Place(server.url, "unionhall")
        assert await other.book.present(SCOPE) == {"a"}
        await other.book.stop()
        await place.book.stop()
