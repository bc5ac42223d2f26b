"""From a token to the Actor: what is in force now, and nothing else."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from uuid import uuid4

import pytest

from domain.access import pledges
from domain.access import service as access
from domain.access.models import AccountKind
from domain.access.roles import ROLES, Role
from domain.access.tokens import new_token
from domain.kernel.actor import SYSTEM, Hierarchy
from domain.kernel.capabilities import Capability
from domain.kernel.clock import FEDERATION_ZONE
from domain.kernel.database import fetch
from domain.kernel.ids import new_id
from domain.kernel.streams import stream_states
from domain.kernel.work import Works
from domain.org.models import Post, Seat
from tests.support.access import APP, BROWSER, a_grant, an_account, signed_in, the_actor
from tests.support.clock import FrozenClock
from tests.support.matrix import a_matrix

pytestmark = pytest.mark.usefixtures("test_keyring")


async def test_a_token_leads_to_its_account_and_no_other_token_does(
    works: Works, clock: FrozenClock
) -> None:
    account = await an_account(works, member_id=uuid4())
    session = await signed_in(works, account)

    actor = await access.actor_of_token(session.token.text, clock.now())

    assert actor is not None
    assert (actor.account_id, actor.member_id) == (account.id, account.member_id)
    assert actor.session_id == session.session_id
    assert actor.reaches == ()
    for other in ["", "u1_", session.token.text[:-1], new_token().text, "u1_" + "é" * 43]:
        assert await access.actor_of_token(other, clock.now()) is None
    assert await access.actor_of_session(uuid4(), clock.now()) is None


async def test_the_database_holds_no_token(works: Works) -> None:
    session = await signed_in(works, await an_account(works), client=APP)
    assert session.refresh_token is not None
    rows = await fetch(
        "SELECT s::text AS s, r::text AS r FROM access_session s, access_refresh_token r"
    )

    text = "".join(f"{row['s']}{row['r']}" for row in rows)
    for token in (session.token, session.refresh_token):
        assert token.secret.hex() not in text
        assert token.text not in text
        assert token.text not in repr(session)


async def test_grants_in_force_become_reaches_joined_to_the_unions_paths(
    works: Works, clock: FrozenClock
) -> None:
    matrix = await a_matrix()
    account = await an_account(works, kind=AccountKind.STAFF)
    await a_grant(works, account.id, Role.DEPARTMENT_CADRE, matrix.east)
    await a_grant(works, account.id, Role.LINE_CADRE, matrix.metal, hierarchy=Hierarchy.LINE)
    soon, later = clock.now() + timedelta(minutes=5), clock.now() + timedelta(minutes=10)
    await a_grant(works, account.id, Role.AUDITOR, matrix.city, valid_from=soon, valid_to=later)
    session = await signed_in(works, account)

    actor = await the_actor(works, session)
    assert {(r.role, r.hierarchy, r.path) for r in actor.reaches} == {
        ("department_cadre", "territory", matrix.east.place.territory_path),
        ("line_cadre", "line", matrix.metal.place.line_path),
    }
    assert actor.may(Capability.NOTICE_PUBLISH, matrix.d.place)
    assert not actor.may(Capability.NOTICE_RECEIVE, matrix.c.place)

    for minutes, is_auditor in [(4, False), (1, True), (4, True), (1, False)]:
        clock.advance(minutes=minutes)
        assert (await the_actor(works, session)).has(Capability.AUDIT_READ) is is_auditor


async def test_a_moved_union_takes_its_grants_along(works: Works, database: str) -> None:
    matrix = await a_matrix()
    account = await an_account(works)
    await a_grant(works, account.id, Role.CHAIR, matrix.c)
    session = await signed_in(works, account)
    async with works.open(SYSTEM) as w:
        await w.execute(
            "UPDATE org_union SET territory_path = '/1/moved/' WHERE id = $1", matrix.c.id
        )

    assert [r.path for r in (await the_actor(works, session)).reaches] == ["/1/moved/"]


async def test_seats_of_the_day_are_offices(works: Works, clock: FrozenClock) -> None:
    matrix = await a_matrix()
    account = await an_account(works)
    today = clock.now().astimezone(FEDERATION_ZONE).date()
    day = timedelta(days=1)
    for union, from_on, to_on in [
        (matrix.a, today, None),
        (matrix.b, today - day, today + day),
        (matrix.c, today - day, today),  # ended today: no longer
        (matrix.d, today + day, None),
    ]:
        await Seat.create(
            id=new_id(), union_id=union.id, account_id=account.id, post=Post.CHAIR,
            from_on=from_on, to_on=to_on,
        )  # fmt: skip
    actor = await the_actor(works, await signed_in(works, account))

    assert actor.offices == {matrix.a.id, matrix.b.id}


async def test_collecting_sleeps_until_the_current_pledge_is_signed(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix = await a_matrix()
    account = await an_account(works)
    await a_grant(works, account.id, Role.COLLECTOR, matrix.a)
    session = await signed_in(works, account)
    assert not (await the_actor(works, session)).has(Capability.MEMBER_COLLECT)
    assert (await the_actor(works, session)).has(Capability.ORG_READ)

    async with works.open(await the_actor(works, session)) as w:
        await access.sign_pledge(w, pledges.VERSION)
    assert (await the_actor(works, session)).may(Capability.MEMBER_COLLECT, matrix.a.place)

    monkeypatch.setattr(pledges, "VERSION", pledges.VERSION + 1)
    assert not (await the_actor(works, session)).has(Capability.MEMBER_COLLECT)


async def test_a_role_that_no_longer_exists_allows_nothing(works: Works) -> None:
    matrix = await a_matrix()
    account = await an_account(works)
    grant_id = await a_grant(works, account.id, Role.CHAIR, matrix.a)
    async with works.open(SYSTEM) as w:
        await w.execute("UPDATE access_grant SET role = 'emperor' WHERE id = $1", grant_id)

    assert (await the_actor(works, await signed_in(works, account))).reaches == ()


@pytest.mark.parametrize(
    ("kind", "idle", "absolute"),
    [
        (AccountKind.STAFF, timedelta(minutes=30), timedelta(hours=12)),
        (AccountKind.MEMBER, timedelta(days=7), timedelta(days=30)),
    ],
)
async def test_a_browser_session_ends_when_idle_and_at_the_latest_in_any_case(
    works: Works, clock: FrozenClock, kind: AccountKind, idle: timedelta, absolute: timedelta
) -> None:
    account = await an_account(works, kind=kind)
    left_alone, used = [await signed_in(works, account) for _ in range(2)]
    step = idle - timedelta(minutes=2)
    spent = timedelta(0)
    while spent + step < absolute:
        clock.advance(seconds=step.total_seconds())
        spent += step
        assert await access.actor_of_token(used.token.text, clock.now()) is not None
    assert await access.actor_of_token(left_alone.token.text, clock.now()) is None

    clock.advance(seconds=(absolute - spent).total_seconds())
    assert await access.actor_of_token(used.token.text, clock.now()) is None


async def test_looking_at_a_session_is_not_using_it(works: Works, clock: FrozenClock) -> None:
    session = await signed_in(works, await an_account(works, kind=AccountKind.STAFF))

    for _ in range(6):
        clock.advance(minutes=5)
        await access.actor_of_session(session.session_id, clock.now())

    assert await access.actor_of_session(session.session_id, clock.now()) is None


async def test_use_is_written_at_most_once_a_minute(works: Works, clock: FrozenClock) -> None:
    session = await signed_in(works, await an_account(works))

    async def version() -> tuple[str, object]:
        (row,) = await fetch("SELECT xmin::text AS xmin, seen_at FROM access_session")
        return row["xmin"], row["seen_at"]

    before = await version()
    clock.advance(seconds=59)
    await access.actor_of_token(session.token.text, clock.now())
    assert await version() == before

    clock.advance(seconds=1)
    await access.actor_of_token(session.token.text, clock.now())
    assert (await version())[1] == clock.now()


async def test_an_apps_access_token_lives_ten_minutes(works: Works, clock: FrozenClock) -> None:
    session = await signed_in(works, await an_account(works), client=APP)

    clock.advance(minutes=9, seconds=59)
    assert await access.actor_of_token(session.token.text, clock.now()) is not None
    clock.advance(seconds=1)
    assert await access.actor_of_token(session.token.text, clock.now()) is None


async def test_admission_tells_when_the_session_ends(works: Works, clock: FrozenClock) -> None:
    account = await an_account(works, kind=AccountKind.STAFF)
    for client, life in [(APP, timedelta(minutes=10)), (BROWSER, timedelta(minutes=30))]:
        session = await signed_in(works, account, client=client)
        admitted = await access.admit_token(session.token.text, clock.now())
        assert admitted is not None
        assert admitted.expires_at == clock.now() + life


async def test_loading_an_actor_is_one_round_trip(
    works: Works, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from domain.access import actors

    session = await signed_in(works, await an_account(works))
    asked: list[str] = []

    async def counting(sql: str, *args: object) -> object:
        asked.append(sql)
        return await fetch(sql, *args)

    monkeypatch.setattr(actors, "fetch", counting)
    await access.actor_of_token(session.token.text, clock.now())

    assert len(asked) == 1


def test_no_role_has_everything_and_each_is_in_the_table() -> None:
    assert set(ROLES) == set(Role)
    for role, held in ROLES.items():
        assert held, role
        assert Capability.SELF not in held
        assert Capability.PUBLIC not in held
        # Who works a window governs nobody; who governs works no window.
        assert not {Capability.CONSULT, Capability.GRANT_WRITE} <= held


async def test_admission_tells_when_rights_next_change_by_date(
    works: Works, clock: FrozenClock
) -> None:
    matrix = await a_matrix()
    account = await an_account(works, kind=AccountKind.STAFF)
    session = await signed_in(works, account, client=APP)
    hour = timedelta(hours=1)
    now = clock.now()

    async def changes_at() -> object:
        admitted = await access.admit_session(session.session_id, clock.now())
        assert admitted is not None
        return admitted.changes_at

    assert await changes_at() is None
    begun, to_come = now - hour, now + 6 * hour
    await a_grant(works, account.id, Role.AUDITOR, matrix.city, valid_from=to_come)
    assert await changes_at() == to_come
    await a_grant(
        works, account.id, Role.CHAIR, matrix.a, valid_from=begun, valid_to=now + 5 * hour
    )
    assert await changes_at() == now + 5 * hour
    revoked = await a_grant(
        works, account.id, Role.CHAIR, matrix.b, valid_from=begun, valid_to=now + hour
    )
    assert await changes_at() == now + hour
    async with works.open(SYSTEM) as w:
        await access.revoke_grant(w, revoked)
    assert await changes_at() == now + 5 * hour


@pytest.mark.parametrize(("first", "end"), [(1, None), (-1, 1), (0, 1), (1, 9)])
async def test_seats_change_rights_at_midnight_in_the_federation(
    works: Works, clock: FrozenClock, first: int, end: int | None
) -> None:
    matrix = await a_matrix()
    account = await an_account(works)
    session = await signed_in(works, account)
    today, day = clock.now().astimezone(FEDERATION_ZONE).date(), timedelta(days=1)
    await Seat.create(
        id=new_id(), union_id=matrix.a.id, account_id=account.id, post=Post.CHAIR,
        from_on=today + first * day, to_on=None if end is None else today + end * day,
    )  # fmt: skip
    admitted = await access.admit_session(session.session_id, clock.now())

    assert admitted is not None
    assert admitted.changes_at == datetime.combine(today + day, time(), FEDERATION_ZONE)
    clock.advance(seconds=(admitted.changes_at - clock.now()).total_seconds() - 1)
    before = await access.actor_of_session(session.session_id, clock.now())
    clock.advance(seconds=1)
    after = await access.actor_of_session(session.session_id, clock.now())

    assert before is not None
    assert after is not None
    assert before.offices != after.offices


async def test_an_admission_tells_where_the_accounts_own_stream_stood(
    works: Works, clock: FrozenClock
) -> None:
    account = await an_account(works)
    session = await signed_in(works, account)
    async with works.open(SYSTEM) as w:
        await w.execute("INSERT INTO log_generation (generation) VALUES ('g2')")
    admitted = await access.admit_token(session.token.text, clock.now())

    assert admitted is not None
    me = f"me:{account.id}"
    state = (await stream_states([me]))[me]
    assert (admitted.watched.id, admitted.watched.epoch) == (me, state.epoch)
    assert (admitted.watched.top, admitted.watched.floor) == (1, 0)
