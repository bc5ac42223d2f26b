"""Grants, pledges, accounts: given by those who may, felt at once, refused without a trace."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from domain.access import pledges
from domain.access import service as access
from domain.access.accounts import AccountExists, BadIdentifier, NewAccount
from domain.access.models import AccountKind
from domain.access.roles import Role
from domain.access.rules import GrantTimes, NoSuchLine, OwnGrant, PledgeOutdated, RoleNotYours
from domain.kernel.actor import NOBODY, SYSTEM, Actor, Hierarchy
from domain.kernel.capabilities import Capability
from domain.kernel.database import connection, fetch
from domain.kernel.errors import DomainError, Forbidden, NotFound, Unauthenticated
from domain.kernel.work import Works
from tests.support.access import (
    a_grant,
    a_phone,
    an_account,
    an_id_number,
    signed_in,
    the_actor,
)
from tests.support.announcing import RememberedAnnouncements
from tests.support.clock import FrozenClock
from tests.support.matrix import Matrix, Spot, a_matrix

pytestmark = pytest.mark.usefixtures("test_keyring")


async def a_person(works: Works, role: Role | None = None, at: Spot | None = None) -> Actor:
    """Somebody signed in, with the pledge signed, perhaps with a role."""
    account = await an_account(works)
    if role is not None and at is not None:
        await a_grant(works, account.id, role, at)
    session = await signed_in(works, account)
    async with works.open(await the_actor(works, session)) as w:
        await access.sign_pledge(w, pledges.VERSION)
    return await the_actor(works, session)


async def now_of(works: Works, actor: Actor) -> Actor:
    assert actor.session_id is not None
    return await access.actor_of_session(actor.session_id, works.clock.now()) or NOBODY


async def grant(works: Works, by: Actor, to: UUID, role: Role, at: UUID) -> UUID:
    async with works.open(by) as w:
        return await access.grant_role(w, access.NewGrant(to, role, at))


async def test_a_grant_is_felt_at_once_told_and_on_the_trail(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    matrix = await a_matrix()
    cadre = await a_person(works, Role.ZONE_CADRE, matrix.east)
    person = await a_person(works)
    grant_id = await grant(works, cadre, person.account(), Role.CHAIR, matrix.a.id)

    after = await now_of(works, person)
    assert after.may(Capability.NOTICE_RECEIVE, matrix.a.place)
    assert after.authority_version == person.authority_version + 1
    told = announcements.events[-1]
    assert (told.stream, told.kind, told.is_authority) == (
        f"me:{person.account_id}", "access.authority_changed", True,
    )  # fmt: skip
    assert told.body["grant_id"] == str(grant_id)
    (entry,) = await fetch(
        "SELECT subject_id FROM audit_entry WHERE action = 'access.granted' AND account_id = $1",
        cadre.account_id,
    )
    assert entry["subject_id"] == grant_id


async def test_granting_twice_is_granting_once(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    matrix = await a_matrix()
    person = await a_person(works)
    first = await grant(works, SYSTEM, person.account(), Role.CHAIR, matrix.a.id)
    count = len(announcements.events)

    assert await grant(works, SYSTEM, person.account(), Role.CHAIR, matrix.a.id) == first
    assert len(announcements.events) == count
    granted = await asyncio.gather(
        *(grant(works, SYSTEM, person.account(), Role.LEADER, matrix.a.id) for _ in range(5))
    )
    assert len(set(granted)) == 1


async def test_a_revoked_grant_is_over_at_once(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    matrix = await a_matrix()
    cadre = await a_person(works, Role.ZONE_CADRE, matrix.east)
    person = await a_person(works)
    grant_id = await grant(works, cadre, person.account(), Role.CHAIR, matrix.a.id)
    async with works.open(cadre) as w:
        await access.revoke_grant(w, grant_id)

    assert (await now_of(works, person)).reaches == ()
    assert announcements.events[-1].body["change"] == "revoked"
    async with works.open(cadre) as w:
        with pytest.raises(NotFound):
            await access.revoke_grant(w, grant_id)
    again = await grant(works, cadre, person.account(), Role.CHAIR, matrix.a.id)
    assert again != grant_id


async def refusals(
    matrix: Matrix, works: Works, person: Actor
) -> list[tuple[Actor, Role, UUID, type]]:
    zone = await a_person(works, Role.ZONE_CADRE, matrix.east)
    chair = await a_person(works, Role.CHAIR, matrix.a)
    return [
        (NOBODY, Role.CHAIR, matrix.a.id, NotFound),
        (person, Role.CHAIR, matrix.a.id, OwnGrant),
        (await a_person(works), Role.CHAIR, matrix.a.id, NotFound),
        (chair, Role.UNION_ASSISTANT, matrix.a.id, NotFound),
        (zone, Role.CHAIR, matrix.d.id, NotFound),
        (zone, Role.CHAIR, uuid4(), NotFound),
        (zone, Role.AUDITOR, matrix.a.id, RoleNotYours),
        (zone, Role.COUNSELLOR, matrix.a.id, RoleNotYours),
    ]


async def test_who_may_not_grant_leaves_no_trace(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    matrix = await a_matrix()
    person = await a_person(works)
    cases = await refusals(matrix, works, person)
    before = (len(announcements.events), await fetch("SELECT id FROM access_grant ORDER BY id"))
    entries = len(await fetch("SELECT 1 FROM audit_entry"))

    for by, role, union_id, refusal in cases:
        with pytest.raises(refusal) as caught:
            await grant(works, by, person.account(), role, union_id)
        assert type(caught.value) is refusal

    assert before == (
        len(announcements.events), await fetch("SELECT id FROM access_grant ORDER BY id"),
    )  # fmt: skip
    assert len(await fetch("SELECT 1 FROM audit_entry")) == entries
    assert (await now_of(works, person)).reaches == ()


async def test_a_stranger_can_revoke_nothing(works: Works) -> None:
    matrix = await a_matrix()
    person = await a_person(works)
    grant_id = await grant(works, SYSTEM, person.account(), Role.CHAIR, matrix.a.id)
    west = await a_person(works, Role.ZONE_CADRE, matrix.west)

    for by in (west, NOBODY, await a_person(works)):
        async with works.open(by) as w:
            with pytest.raises(NotFound):
                await access.revoke_grant(w, grant_id)

    assert (await now_of(works, person)).has(Capability.NOTICE_RECEIVE)
    async with works.open(person) as w:
        await access.revoke_grant(w, grant_id)  # one's own may be laid down


async def test_impossible_grants_are_refused(works: Works, clock: FrozenClock) -> None:
    matrix = await a_matrix()
    person = await a_person(works)
    cases: list[tuple[access.NewGrant, type[DomainError]]] = [
        (
            access.NewGrant(person.account(), Role.CHAIR, matrix.a.id, valid_to=clock.now()),
            GrantTimes,
        ),
        (
            access.NewGrant(person.account(), Role.LINE_CADRE, matrix.c.id, Hierarchy.LINE),
            NoSuchLine,
        ),
        (access.NewGrant(uuid4(), Role.CHAIR, matrix.a.id), NotFound),
    ]
    for new, refusal in cases:
        async with works.open(SYSTEM) as w:
            with pytest.raises(refusal):
                await access.grant_role(w, new)


async def test_grants_are_listed_to_oneself_and_to_those_who_grant_there(
    works: Works, clock: FrozenClock
) -> None:
    matrix = await a_matrix()
    person = await a_person(works)
    await grant(works, SYSTEM, person.account(), Role.CHAIR, matrix.a.id)
    await grant(works, SYSTEM, person.account(), Role.LEADER, matrix.d.id)
    east = await a_person(works, Role.ZONE_CADRE, matrix.east)

    async def roles(actor: Actor) -> list[str]:
        rows = await access.list_grants(actor, person.account(), clock.now())
        return sorted(row["role"] for row in rows)

    assert await roles(person) == ["chair", "leader"]
    assert await roles(east) == ["chair"]
    assert await roles(await a_person(works)) == []
    with pytest.raises(Unauthenticated):
        await roles(NOBODY)


async def test_the_pledge_is_signed_once_in_its_current_version(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    session = await signed_in(works, await an_account(works))
    person = await the_actor(works, session)
    assert not await access.has_signed_pledge(person)
    async with works.open(person) as w:
        with pytest.raises(PledgeOutdated):
            await access.sign_pledge(w, pledges.VERSION + 1)
    for _ in range(2):
        async with works.open(person) as w:
            await access.sign_pledge(w, pledges.VERSION)

    assert await access.has_signed_pledge(person)
    assert announcements.kinds.count("access.authority_changed") == 1
    (row,) = await fetch("SELECT text_sha256 FROM access_pledge")
    assert row["text_sha256"] == pledges.TEXT_SHA256
    async with works.open(NOBODY) as w:
        with pytest.raises(Unauthenticated):
            await access.sign_pledge(w, pledges.VERSION)


async def test_a_changed_pledge_text_needs_a_new_version() -> None:
    # If this fails, the text was changed: raise pledges.VERSION and put the new digest here.
    assert (pledges.VERSION, pledges.TEXT_SHA256[:16]) == (1, "b08b172811dea305")


@pytest.mark.parametrize(
    "statement", ["UPDATE access_pledge SET version = 2", "DELETE FROM access_pledge"]
)
async def test_a_signature_cannot_be_changed_by_the_program(works: Works, statement: str) -> None:
    await a_person(works)

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with connection() as conn:
            await conn.execute(statement)


async def test_a_disabled_account_is_nobody_at_once(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    matrix = await a_matrix()
    person = await a_person(works, Role.CHAIR, matrix.a)
    east = await a_person(works, Role.ZONE_CADRE, matrix.east)
    for _ in range(2):
        async with works.open(east) as w:
            await access.disable_account(w, person.account())

    assert await now_of(works, person) == NOBODY
    assert announcements.kinds[-2:] == ["access.authority_changed", "access.session_ended"]
    assert announcements.kinds.count("access.session_ended") == 1


async def test_nobody_disables_whom_he_could_not_have_granted_to(works: Works) -> None:
    matrix = await a_matrix()
    admin = await a_person(works, Role.FEDERATION_ADMIN, matrix.city)
    auditor = await a_person(works, Role.AUDITOR, matrix.city)
    member = await a_person(works)
    west_chair = await a_person(works, Role.CHAIR, matrix.d)
    east = await a_person(works, Role.ZONE_CADRE, matrix.east)

    for target in (admin, auditor, member, west_chair):
        async with works.open(east) as w:
            with pytest.raises((NotFound, RoleNotYours)):
                await access.disable_account(w, target.account())
        assert await now_of(works, target) != NOBODY
    for target in (auditor, member, west_chair):
        async with works.open(admin) as w:
            await access.disable_account(w, target.account())
        assert await now_of(works, target) == NOBODY


async def test_accounts_are_made_all_or_none(works: Works) -> None:
    phone = a_phone()
    good = NewAccount(AccountKind.MEMBER, phone=phone, id_number=an_id_number())
    cases: list[tuple[list[NewAccount], type[DomainError]]] = [
        ([good, NewAccount(AccountKind.MEMBER, phone="12345")], BadIdentifier),
        ([good, NewAccount(AccountKind.MEMBER, id_number="110105194912310021")], BadIdentifier),
        ([good, NewAccount(AccountKind.MEMBER, phone=f"+86 {phone}")], AccountExists),
    ]
    for accounts, refusal in cases:
        with pytest.raises(refusal):
            await create(works, SYSTEM, accounts)
    for stranger, refused in ((NOBODY, Unauthenticated), (Actor(uuid4()), Forbidden)):
        with pytest.raises(refused):
            await create(works, stranger, [good])

    assert not await fetch("SELECT 1 FROM access_account")
    assert phone not in repr(good)


async def create(works: Works, by: Actor, accounts: list[NewAccount]) -> None:
    async with works.open(by) as w:
        await access.create_accounts(w, accounts)


async def test_a_window_has_one_account(works: Works, clock: FrozenClock) -> None:
    one, other = [await a_person(works) for _ in range(2)]
    window = uuid4()
    async with works.open(SYSTEM) as w:
        await access.assign_window(w, one.account(), window)
    assert (await now_of(works, one)).consultant_id == window

    with pytest.raises(AccountExists):
        async with works.open(SYSTEM) as w:
            await access.assign_window(w, other.account(), window)
    async with works.open(SYSTEM) as w:
        await access.assign_window(w, one.account(), None)
        await access.assign_window(w, other.account(), window)
    assert (await now_of(works, one)).consultant_id is None
    assert (await now_of(works, other)).consultant_id == window


async def test_ten_thousand_accounts_are_made_in_seconds(works: Works) -> None:
    accounts = [
        NewAccount(AccountKind.MEMBER, phone=a_phone(), id_number=None) for _ in range(10_000)
    ]
    started = time.process_time()
    async with works.open(SYSTEM) as w:
        await access.create_accounts(w, accounts)

    assert time.process_time() - started < 3
    matrix = await a_matrix()
    async with works.open(SYSTEM) as w:
        await access.import_grants(
            w, [access.NewGrant(account.id, Role.CHAIR, matrix.a.id) for account in accounts]
        )
    (row,) = await fetch("SELECT count(*) AS n FROM access_grant")
    assert row["n"] == 10_000


async def test_who_leaves_a_post_loses_what_came_with_it(
    works: Works, clock: FrozenClock, announcements: RememberedAnnouncements
) -> None:
    matrix = await a_matrix()
    chair = await a_person(works, Role.CHAIR, matrix.a)
    await grant(works, SYSTEM, chair.account(), Role.CHAIR, matrix.b.id)
    await grant(works, SYSTEM, chair.account(), Role.LEADER, matrix.a.id)
    later = clock.now() + timedelta(hours=1)

    for at in (later, clock.now()):
        async with works.open(SYSTEM) as w:
            count = await access.end_grants(
                w, chair.account(), matrix.a.id, roles=[Role.CHAIR], at=at
            )
        assert count == 1
        held = await now_of(works, chair)
        assert held.may(Capability.NOTICE_RECEIVE, matrix.a.place) is (at == later)
    assert held.may(Capability.NOTICE_RECEIVE, matrix.b.place)
    assert held.may(Capability.ORG_READ, matrix.a.place)
    assert [e.body["change"] for e in announcements.events[-2:]] == ["revoked", "revoked"]
    async with works.open(SYSTEM) as w:
        assert not await access.end_grants(
            w, chair.account(), matrix.a.id, roles=[Role.CHAIR], at=later
        )


async def test_a_grants_end_is_its_first_instant_without_it(
    works: Works, clock: FrozenClock
) -> None:
    matrix = await a_matrix()
    person = await a_person(works)
    end = clock.now() + timedelta(minutes=1)
    async with works.open(SYSTEM) as w:
        await access.grant_role(
            w, access.NewGrant(person.account(), Role.LEADER, matrix.a.id, valid_to=end)
        )
    clock.advance(seconds=59.999)
    assert (await now_of(works, person)).reaches != ()
    clock.advance(seconds=0.001)
    assert (await now_of(works, person)).reaches == ()
