"""What follows from what: a seat's end takes its roles along; the worker runs what was left."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from domain import reactions
from domain.access import grants
from domain.access import service as access
from domain.access.models import AccountKind
from domain.access.roles import Role
from domain.access.rules import TooManyHolders
from domain.kernel.actor import SYSTEM, Actor, Hierarchy, Reach
from domain.kernel.capabilities import Capability
from domain.kernel.database import fetch
from domain.kernel.ids import new_id
from domain.kernel.work import Works
from domain.org import service as org
from domain.org.models import Level, Post
from domain.org.rules import federation_day
from gateway.working import work
from tests.support.access import a_grant, an_account, signed_in, the_actor
from tests.support.announcing import RememberedAnnouncements
from tests.support.clock import FrozenClock
from tests.support.matrix import a_union

KEEPER = Actor(
    account_id=new_id(),
    reaches=(Reach("x", frozenset({Capability.ORG_WRITE}), Hierarchy.TERRITORY, "/", new_id()),),
)


@pytest.fixture
def works(
    test_keyring: object, clock: FrozenClock, announcements: RememberedAnnouncements
) -> Works:
    return Works(clock, announcements, reactions=reactions.REACTIONS)


async def test_an_outgoing_chair_loses_office_and_role_in_the_same_commit(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    city = await a_union(level=Level.FEDERATION)
    union = await a_union(city)
    chair = await an_account(works, kind=AccountKind.STAFF)
    async with works.open(KEEPER) as w:
        seat = await org.appoint(
            w, union.id, chair.id, post=Post.CHAIR, from_on=federation_day(w.now)
        )
    await a_grant(works, chair.id, Role.CHAIR, union)
    session = await signed_in(works, chair)
    before = await the_actor(works, session)
    assert before.may(Capability.NOTICE_RECEIVE, union.place)
    assert before.offices == {union.id}
    announcements.events.clear()

    async with works.open(KEEPER) as w:
        await org.end_seat(w, seat)

    after = await the_actor(works, session)
    assert (after.offices, after.reaches) == (frozenset(), ())
    assert {"org.seat_ended", "access.authority_changed"} <= set(announcements.kinds)


def test_every_post_says_what_comes_with_it() -> None:
    assert set(reactions.ROLES_OF_POSTS) == set(Post)
    assert set(reactions.SCHEDULE) <= set(reactions.JOBS)


async def test_the_worker_runs_a_deferred_job_once_it_is_committed(
    works: Works, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = asyncio.Event()
    seen: list[Any] = []

    async def remember(_works: Works, payload: Any) -> None:
        seen.append(payload)
        ran.set()

    monkeypatch.setattr(reactions, "JOBS", {"test.remember": remember})
    monkeypatch.setattr(reactions, "SCHEDULE", {})
    async with works.open(SYSTEM) as w:
        w.defer("test.remember", {"n": 7}, key="once")
        w.defer("test.remember", {"n": 8}, key="once")

    working = asyncio.create_task(work(works, database))
    try:
        async with asyncio.timeout(20):
            await ran.wait()
    finally:
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working

    assert seen == [{"n": 7}]


async def test_purging_is_repeatable_and_keeps_what_lives(works: Works) -> None:
    account = await an_account(works)
    await signed_in(works, account)

    for _ in range(2):
        await reactions.purge_expired(works, {})

    assert (await fetch("SELECT count(*) AS n FROM access_session"))[0]["n"] == 1


async def moved_with_told(works: Works, announcements: RememberedAnnouncements) -> dict[str, bool]:
    """Who is told in the own stream when a union moves from one zone to another."""
    city = await a_union(level=Level.FEDERATION)
    east, west = await a_union(city, level=Level.ZONE), await a_union(city, level=Level.ZONE)
    union = await a_union(east)
    below, beside = await a_union(union), await a_union(east)
    people = {}
    for name, role, at in [
        ("here", Role.CHAIR, union),
        ("below", Role.UNION_ASSISTANT, below),
        ("left", Role.ZONE_CADRE, east),
        ("above both", Role.AUDITOR, city),
        ("beside", Role.CHAIR, beside),
        ("past", Role.CHAIR, union),
        ("revoked", Role.CHAIR, union),
        ("seated", Role.CHAIR, union),
    ]:
        people[name] = await an_account(works, kind=AccountKind.STAFF)
        grant = await a_grant(works, people[name].id, role, at)
        async with works.open(SYSTEM) as w:
            if name == "past":
                await w.execute("UPDATE access_grant SET valid_to = $2 WHERE id = $1", grant, w.now)
            if name == "revoked":
                await access.revoke_grant(w, grant)
    async with works.open(KEEPER) as w:
        today = federation_day(w.now)
        await org.appoint(w, union.id, people["seated"].id, post=Post.CHAIR, from_on=today)
    announcements.events.clear()
    async with works.open(KEEPER) as w:
        await org.move_union(w, union.id, territory_parent_id=west.id, line_parent_id=None)
    told = [event.stream for event in announcements.events if event.is_authority]
    assert len(told) == len(set(told))
    return {name: f"me:{account.id}" in told for name, account in people.items()}


async def test_a_moved_union_is_told_to_those_whose_grants_reach_it_now_or_did(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    told = await moved_with_told(works, announcements)

    assert {name for name, is_told in told.items() if is_told} == {
        "here", "below", "left", "above both", "seated"
    }  # fmt: skip


async def test_a_move_that_concerns_too_many_is_refused_whole(
    works: Works, announcements: RememberedAnnouncements, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grants, "MOVED_HOLDERS_MAX", 2)
    with pytest.raises(TooManyHolders):
        await moved_with_told(works, announcements)

    assert announcements.events == []
