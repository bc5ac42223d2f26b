"""Who may see what: random moves of the matrix, dated grants, seats and queries on the real
database equal a small reference model, through the services and under row-level security alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from domain.access import service as access
from domain.access.models import Account, AccountKind, Session, SessionKind
from domain.access.roles import Role
from domain.kernel.actor import SYSTEM, Actor, Hierarchy
from domain.kernel.capabilities import Capability
from domain.kernel.database import fetch_as
from domain.kernel.errors import DomainError, Forbidden, NotFound
from domain.kernel.ids import new_id
from domain.kernel.pages import PageRequest
from domain.kernel.work import Work, Works
from domain.members import service as members
from domain.org import service as org
from domain.org.facts import UnionMoved
from domain.org.matrix import NewUnion
from domain.org.models import Post
from domain.org.rules import federation_day
from domain.reactions import REACTIONS
from tests.support.announcing import RememberedAnnouncements
from tests.support.clock import FrozenClock
from tests.support.org import Town, a_town, somebody
from tests.support.seeing import Grant, Model

T = TypeVar("T")
ACCOUNTS = 3
EXAMPLES_MAX = 20
STEPS_MAX = 25
_EMPTY = "member_membership, member, access_grant, access_session, access_account, org_seat, event"


class Seeing(RuleBasedStateMachine):
    """Random histories of a small federation. Fixtures arrive as class attributes."""

    loop: asyncio.AbstractEventLoop
    works: Works
    clock: FrozenClock
    announcements: RememberedAnnouncements
    owner_url: str

    def run(self, made: Callable[..., Awaitable[T]], *args: Any, **named: Any) -> T:
        """The coroutine's result, from the loop that owns the pool."""

        async def call() -> T:
            return await made(*args, **named)

        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(60)

    def do(self, verb: Callable[..., Awaitable[T]], *args: Any, **named: Any) -> T | None:
        """The verb in a work of the admin; None, and nothing happened, when it is refused."""

        async def call() -> T:
            async with self.works.open(self.admin) as w:
                return await verb(w, *args, **named)

        with suppress(DomainError):
            return self.run(call)
        return None

    @initialize()
    def begin(self) -> None:
        self.run(self._begin)

    async def _begin(self) -> None:
        connection = await asyncpg.connect(self.owner_url)
        try:
            for table in _EMPTY.split(", "):
                await connection.execute(f"DELETE FROM {table}")
            await connection.execute(
                "SET session_replication_role = replica; DELETE FROM org_union"
            )
        finally:
            await connection.close()
        town = await a_town(self.works)
        self.admin = await somebody(Role.FEDERATION_ADMIN, town.city)
        self.model = Model(town.city)
        for row in await fetch_as(SYSTEM, "SELECT * FROM org_union ORDER BY seq"):
            self.model.territory[row["id"]] = row["territory_parent_id"]
            self.model.line[row["id"]] = row["line_parent_id"]
        for union in (town.a, town.b, town.c, town.d):
            await self._enter(union)
        self.sessions = {}
        self.remembered: dict[UUID, tuple[access.Admitted | None, int]] = {}
        for member in list(self.model.members)[:ACCOUNTS]:
            account = await Account.create(
                kind=AccountKind.MEMBER, member_id=member, created_at=self.clock.now()
            )
            self.model.own[account.id] = member
            self.sessions[account.id] = await self._sign_in(account)
        await self._begin_with_authority(town)

    async def _begin_with_authority(self, town: Town) -> None:
        """Somebody in each hierarchy, and a line two levels deep: chance makes them too rarely."""
        self.town = town
        for union, parent in ((town.association, town.metal), (town.b, town.association)):
            async with self.works.open(self.admin) as w:
                await org.move_union(
                    w,
                    union,
                    territory_parent_id=self.model.territory[union],
                    line_parent_id=parent,
                )
            self.model.line[union] = parent
        line, territory = Hierarchy.LINE, Hierarchy.TERRITORY
        for number, role, union, hierarchy in (
            (0, Role.LINE_CADRE, town.metal, line),
            (1, Role.ZONE_CADRE, town.east, territory),
            (1, Role.LINE_CADRE, town.textile, line),
            (2, Role.CHAIR, town.association, line),
        ):
            new = access.NewGrant(self.account(number), role, union, hierarchy, self.clock.now())
            async with self.works.open(self.admin) as w:
                self._remember(await access.grant_role(w, new), new)

    def _remember(self, id_: UUID, new: access.NewGrant) -> None:
        assert new.valid_from is not None
        self.model.grants[id_] = Grant(
            new.account_id, new.role, new.union_id, new.hierarchy, new.valid_from, new.valid_to
        )

    async def _sign_in(self, account: Account) -> UUID:
        never = self.clock.now() + timedelta(days=36_500)
        session = await Session.create(
            account=account,
            kind=SessionKind.APP,
            token_hash=new_id().bytes,
            token_expires_at=never,
            user_agent="test",
            opened_at=self.clock.now(),
            seen_at=self.clock.now(),
            expires_at=never,
        )
        return session.id

    async def _enter(self, union: UUID) -> None:
        """A member without sealed columns: they are no matter of who sees the row."""
        member = new_id()
        async with self.works.open(SYSTEM) as w:
            await w.execute(
                "INSERT INTO member (id, union_id, territory_path, line_path, state, name_mask,"
                " name, id_type, id_number, is_migrant, collected_by, collected_at)"
                " SELECT $1, id, territory_path, line_path, 'active', '王**', '', 'resident', '',"
                " false, $1, $3 FROM org_union WHERE id = $2",
                member,
                union,
                w.now,
            )
        self.model.members[member] = union

    def union(self, number: int) -> UUID:
        return list(self.model.territory)[number % len(self.model.territory)]

    def account(self, number: int) -> UUID:
        return list(self.model.own)[number]

    unions = st.integers(0, 30)
    accounts = st.integers(0, ACCOUNTS - 1)
    days = st.integers(-2, 4)

    @rule(under=unions, line=st.none() | unions)
    def found(self, under: int, line: int | None) -> None:
        parents = self.union(under), None if line is None else self.union(line)
        new = NewUnion(name="新工会", territory_parent_id=parents[0], line_parent_id=parents[1])
        if self.do(org.found_union, new) is not None:
            self.model.territory[new.id], self.model.line[new.id] = parents

    @rule(which=unions, under=unions, line=st.none() | unions)
    def move(self, which: int, under: int, line: int | None) -> None:
        self._move(self.union(which), self.union(under), None if line is None else self.union(line))

    @rule(
        which=st.sampled_from(["association", "association", "a", "b", "c", "d"]),
        under=st.sampled_from(["east", "west", "association"]),
        line=st.sampled_from(["metal", "textile", "association", None]),
    )
    def move_within_reason(self, which: str, under: str, line: str | None) -> None:
        parent = None if line is None else getattr(self.town, line)
        self._move(getattr(self.town, which), getattr(self.town, under), parent)

    def _move(self, union: UUID, *parents: UUID | None) -> None:
        async def moved(w: Work) -> bool:
            await org.move_union(
                w, union, territory_parent_id=parents[0], line_parent_id=parents[1]
            )
            return True

        if self.do(moved):
            self.model.territory[union], self.model.line[union] = parents

    @rule(which=unions)
    def enter(self, which: int) -> None:
        self.run(self._enter, self.union(which))

    @rule(
        who=accounts,
        role=st.sampled_from([*Role]),
        at=unions,
        hierarchy=st.sampled_from([*Hierarchy]),
        first=days,
        length=st.none() | st.integers(1, 4),
    )
    def grant(
        self, who: int, role: Role, at: int, hierarchy: Hierarchy, first: int, length: int | None
    ) -> None:
        valid_from = self.clock.now() + timedelta(days=first)
        valid_to = None if length is None else valid_from + timedelta(days=length)
        new = access.NewGrant(
            self.account(who), role, self.union(at), hierarchy, valid_from, valid_to
        )
        granted = self.do(access.grant_role, new)
        if granted is not None:
            self._remember(granted, new)

    @rule(which=st.integers(0, 10))
    def revoke(self, which: int) -> None:
        if self.model.grants:
            grant = list(self.model.grants)[which % len(self.model.grants)]
            self.do(access.revoke_grant, grant)
            del self.model.grants[grant]

    @rule(who=accounts, at=unions, post=st.sampled_from([*Post]), first=days)
    def take_seat(self, who: int, at: int, post: Post, first: int) -> None:
        account, union = self.account(who), self.union(at)
        from_on = federation_day(self.clock.now()) + timedelta(days=first)
        seat = self.do(org.appoint, union, account, post=post, from_on=from_on)
        if seat is not None:
            self.model.seats[seat] = (account, union, from_on, None)

    @rule(which=st.integers(0, 10))
    def end_seat(self, which: int) -> None:
        held = [seat for seat, (*_, end) in self.model.seats.items() if end is None]
        if held:
            seat = held[which % len(held)]
            self.do(org.end_seat, seat)
            account, union, first, _ = self.model.seats[seat]
            end = max(first, federation_day(self.clock.now()))
            self.model.seats[seat] = (account, union, first, end)

    @rule(days=st.integers(0, 3))
    def wait(self, days: int) -> None:
        self.clock.advance(days=days)

    @invariant()
    def everybody_sees_what_the_model_says(self) -> None:
        if hasattr(self, "sessions"):
            self.run(self._compare)

    async def _compare(self) -> None:
        now = self.clock.now()
        for account, session in self.sessions.items():
            admitted = await access.admit_session(session, now)
            assert admitted is not None
            self._assert_told_of_change(account, admitted)
            actor = admitted.actor
            in_scope = self.model.in_scope(account, now)
            own = {self.model.own[account]}
            assert await self._by_rows_alone(actor) == in_scope | own
            assert await self._listed(actor) == in_scope
            found = await members.members_by_id(actor, list(self.model.members))
            assert set(found) == in_scope | own
            assert actor.offices == self.model.offices(account, federation_day(now))
            await self._assert_strangers_look_absent(actor, in_scope | own)

    def _assert_told_of_change(self, account: UUID, admitted: access.Admitted) -> None:
        """Who remembers an actor until its stream or a date says otherwise remembers the truth."""
        me = f"me:{account}"
        told = sum(e.stream == me and e.is_authority for e in self.announcements.events)
        before, told_before = self.remembered.get(account, (None, 0))
        is_due = before and before.changes_at and self.clock.now() >= before.changes_at
        if before is not None and told == told_before and not is_due:
            assert before.actor == admitted.actor
            assert before.changes_at == admitted.changes_at
        self.remembered[account] = (admitted, told)

    async def _by_rows_alone(self, actor: Actor) -> set[UUID]:
        return {row["id"] for row in await fetch_as(actor, "SELECT id FROM member")}

    async def _listed(self, actor: Actor) -> set[UUID]:
        """The whole list, four rows a page, and its count."""
        if not actor.has(Capability.MEMBER_READ):
            with pytest.raises(Forbidden):
                members.select_members(actor)
            return set()
        seen: list[UUID] = []
        for page in await _pages(actor):
            seen += page
        assert len(seen) == len(set(seen)) == await members.count_members(actor)
        return set(seen)

    async def _assert_strangers_look_absent(self, actor: Actor, seen: set[UUID]) -> None:
        for stranger in [m for m in self.model.members if m not in seen][:2]:
            with pytest.raises(NotFound) as refusal:
                await members.get_member(actor, stranger)
            assert refusal.value.code == "not_found"


async def _pages(actor: Actor) -> list[list[UUID]]:
    pages, after = [], None
    while True:
        page = await members.list_members(actor, PageRequest(first=4, after=after))
        pages.append([row["id"] for row in page.rows])
        if not page.has_next:
            return pages
        after = page.listing.cursor(page.rows[-1])


@pytest.fixture
def machine(
    database: str, clock: FrozenClock, announcements: RememberedAnnouncements, test_keyring: object
) -> type[Seeing]:
    """The state machine on this test's database."""
    told = {UnionMoved.kind: REACTIONS[UnionMoved.kind]}
    Seeing.works = Works(clock, announcements, reactions=told)
    Seeing.clock, Seeing.announcements, Seeing.owner_url = clock, announcements, database
    return Seeing


async def test_random_histories_show_everybody_exactly_what_the_model_says(
    machine: type[Seeing],
) -> None:
    machine.loop = asyncio.get_running_loop()
    await asyncio.to_thread(
        run_state_machine_as_test,
        machine,
        settings=settings(
            max_examples=EXAMPLES_MAX,
            stateful_step_count=STEPS_MAX,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_model_itself_knows_both_hierarchies() -> None:
    root, zone, line, union = (new_id() for _ in range(4))
    model = Model(
        root,
        territory={root: None, zone: root, line: root, union: zone},
        line={root: None, zone: None, line: root, union: None},
    )
    assert model.chain(union, Hierarchy.TERRITORY) == [union, zone, root]
    assert model.chain(union, Hierarchy.LINE) == []
    model.line[union] = line
    assert model.chain(union, Hierarchy.LINE) == [union, line, root]
