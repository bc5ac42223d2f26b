"""Many tokens in one statement: each gets the answer that it gets alone, and nobody another's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import Context
from datetime import timedelta
from uuid import uuid4

import pytest

from domain.access import actors
from domain.access import service as access
from domain.access.models import AccountKind
from domain.access.roles import Role
from domain.access.tokens import new_token
from domain.kernel.actor import SYSTEM, Actor
from domain.kernel.database import fetch
from domain.kernel.work import Works
from gateway.wiring import Sessions
from tests.support.access import APP, a_grant, an_account, signed_in, the_actor
from tests.support.clock import FrozenClock
from tests.support.matrix import a_matrix

pytestmark = pytest.mark.usefixtures("test_keyring")


async def crowd(works: Works, clock: FrozenClock) -> Sequence[access.SignedIn]:
    """A member, a chair with a right that ends soon, an app, and two whose sessions are over."""
    matrix = await a_matrix()
    member = await an_account(works, member_id=uuid4())
    chair, idle, out = [await an_account(works, kind=AccountKind.STAFF) for _ in range(3)]
    ends = clock.now() + timedelta(hours=2)
    await a_grant(works, chair.id, Role.CHAIR, matrix.c, valid_to=ends)
    left_alone = await signed_in(works, idle)
    clock.advance(minutes=31)
    people = [await signed_in(works, account) for account in (member, chair)]
    people += [await signed_in(works, member, client=APP), await signed_in(works, out)]
    async with works.open(await the_actor(works, people[-1])) as w:
        await access.sign_out(w)
    return [*people, left_alone]


@pytest.mark.parametrize("minutes", [0, 5])
async def test_many_together_get_what_each_gets_alone(
    works: Works, clock: FrozenClock, minutes: int
) -> None:
    people = await crowd(works, clock)
    clock.advance(minutes=minutes)
    now = clock.now()
    tokens = [person.token.text for person in people]
    tokens += [new_token().text, "", "nonsense", tokens[0]]
    ids = [*(person.session_id for person in people), uuid4()]

    together = await actors.admit_sessions(ids, now)
    assert together == [await access.admit_session(id_, now) for id_ in ids]
    admitted = await actors.admit_tokens(tokens, now)
    assert admitted == [await access.admit_token(token, now) for token in tokens]
    assert [a.actor.session_id if a else None for a in admitted] == [
        *(person.session_id for person in people[:3]), *(None,) * 5, people[0].session_id
    ]  # fmt: skip
    assert await actors.admit_tokens([], now) == []


async def test_use_of_many_is_written_together_and_only_where_it_is_use(
    works: Works, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [await signed_in(works, await an_account(works)) for _ in range(3)]
    begun = clock.now()
    clock.advance(minutes=2)
    asked: list[str] = []

    async def counting(sql: str, *args: object) -> object:
        asked.append(sql)
        return await fetch(sql, *args)

    monkeypatch.setattr(actors, "fetch", counting)
    ids = [person.session_id for person in people]
    await actors.admit_sessions(ids, clock.now(), used=ids[1:])
    assert len(asked) == 2
    assert await seen_at(ids) == [begun, clock.now(), clock.now()]

    await actors.admit_tokens([person.token.text for person in people], clock.now())
    assert len(asked) == 4
    await actors.admit_tokens([person.token.text for person in people], clock.now())
    assert len(asked) == 5
    assert await seen_at(ids) == [clock.now()] * 3


async def test_a_session_that_somebody_holds_locked_holds_up_nobody(
    works: Works, clock: FrozenClock
) -> None:
    people = [await signed_in(works, await an_account(works)) for _ in range(2)]
    ids = [person.session_id for person in people]
    begun = clock.now()
    clock.advance(minutes=2)
    async with works.open(SYSTEM) as w:
        await w.fetch("SELECT 1 FROM access_session WHERE id = $1 FOR UPDATE", ids[0])
        async with asyncio.timeout(5):
            tokens = [person.token.text for person in people]
            # In a context of its own: here statements are the work's.
            both = await asyncio.create_task(
                actors.admit_tokens(tokens, clock.now()), context=Context()
            )
    assert all(both)
    assert await seen_at(ids) == [begun, clock.now()]


async def test_a_stranger_among_many_gets_nothing_and_the_others_their_own(
    works: Works, clock: FrozenClock
) -> None:
    people = [await signed_in(works, await an_account(works)) for _ in range(6)]
    sessions = Sessions(clock)
    tokens = [person.token.text for person in people]
    tokens.insert(3, new_token().text)

    admissions = await asyncio.gather(*(sessions.authenticate(t, None) for t in tokens))
    found: list[Actor | None] = [a.actor if a else None for a in admissions]

    own = [person.session_id for person in people]
    assert [actor.session_id if actor else None for actor in found] == [*own[:3], None, *own[3:]]
    assert await sessions.authenticate(None, tokens[0]) is not None
    assert await sessions.authenticate(None, None) is None


async def test_sessions_looked_at_together_are_as_they_stand(
    works: Works, clock: FrozenClock
) -> None:
    people = [await signed_in(works, await an_account(works)) for _ in range(4)]
    async with works.open(await the_actor(works, people[2])) as w:
        await access.sign_out(w)
    sessions = Sessions(clock)
    looks = [sessions.refresh(p.session_id, is_used=n == 3) for n, p in enumerate(people)]
    clock.advance(minutes=2)

    assert [bool(found) for found in await asyncio.gather(*looks)] == [True, True, False, True]
    used = [at == clock.now() for at in await seen_at([p.session_id for p in people])]
    assert used == [False, False, False, True]


async def seen_at(ids: Sequence[object]) -> list[object]:
    rows = await fetch("SELECT id, seen_at FROM access_session WHERE id = ANY($1)", list(ids))
    found = {row["id"]: row["seen_at"] for row in rows}
    return [found[id_] for id_ in ids]
