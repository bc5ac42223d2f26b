"""A real server among strangers: people whose things are foreign, callers who throw everything at
it, bystanders who chat through it meanwhile, and the proof that nothing came of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from domain.access import service as access
from domain.access.models import AccountKind
from domain.access.roles import Role
from domain.consultations import handovers, windows
from domain.consultations.models import Service, WindowState
from domain.kernel.actor import SYSTEM, Actor, Hierarchy, Reach
from domain.kernel.capabilities import Capability
from domain.kernel.clock import SystemClock
from domain.kernel.ids import new_id
from domain.kernel.work import Works
from domain.notices.rules import Audience
from domain.org.models import Post, Seat
from domain.org.rules import federation_day
from schema.nodes import global_id
from tests.support import server
from tests.support.access import APP, a_grant, an_account, signed_in, the_actor
from tests.support.announcing import RememberedAnnouncements
from tests.support.chatting import Crowd, a_pair
from tests.support.consultations import a_consultant, running, say
from tests.support.matrix import Matrix, Spot, a_cadre, a_matrix
from tests.support.members import a_person, register
from tests.support.notices import publish
from tests.support.operations import PLAIN, Leaf
from tests.support.redis_server import eventually
from tests.support.vault import open_vault

CANARY = "canary4a1f"
"""Is in everything that is thrown, and never in the log."""
ANSWER_S_MAX = 3.0
"""For a bystander's message; on a quiet machine it takes some milliseconds."""
_OF_SESSIONS = ("access_session", "access_refresh_token", "access_attempt")
"""Tables in which asking alone leaves traces: last use, failed attempts."""

Ids = Mapping[str, UUID]


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who tries; ``own`` is what really is theirs, by type."""

    name: str
    token: str | None
    own: Ids


@dataclass(slots=True)
class Arena:
    """The server and everybody around it."""

    server: server.Server
    database: str
    works: Works
    callers: tuple[Caller, ...]
    foreign: Ids
    """Of each type something that no caller may know."""
    crowd: Crowd
    visitors: tuple[access.NewAccount, ...]
    """Accounts whose doings are to leave traces."""

    async def rows(self) -> dict[str, list[str]]:
        """Every row of every business table, as the owner sees it, that tells of no bystander and
        no visitor."""
        owner = await asyncpg.connect(self.database)
        try:
            await owner.execute("SET row_security = off")
            tables = await owner.fetch(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
                " AND tablename !~ '^pgqueuer|migrations|^schema_' AND tablename <> ALL($1)",
                _OF_SESSIONS,
            )
            return {
                table: [
                    row[0]
                    for row in await owner.fetch(
                        f"SELECT t::text FROM {table} AS t WHERE t::text !~ $1 ORDER BY 1",
                        self._left_out,
                    )
                ]
                for (table,) in tables
            }
        finally:
            await owner.close()

    async def execute(self, sql: str, *values: object) -> None:
        """Change something behind the server's back, as the owner."""
        owner = await asyncpg.connect(self.database)
        try:
            await owner.execute(sql, *values)
        finally:
            await owner.close()

    async def assert_unharmed(self) -> None:
        """No trouble in the log and nothing that was thrown; the bystanders still talk, and never
        had to wait long for an answer."""
        log = self.server.log
        self.server.assert_no_traceback()
        assert " ERROR " not in log, log[-5_000:]
        assert CANARY not in log
        counts = [len(talker.acknowledged) for talker in self.crowd.talkers]
        await eventually(
            lambda: all(
                len(talker.acknowledged) > count
                for talker, count in zip(self.crowd.talkers, counts, strict=True)
            ),
            2 * ANSWER_S_MAX,
        )
        slowest_s = max(talker.slowest_s for talker in self.crowd.talkers)
        assert slowest_s < ANSWER_S_MAX
        assert all(talker.client.connects == 1 for talker in self.crowd.talkers)

    @property
    def _left_out(self) -> str:
        (pair,) = self.crowd.pairs
        people = (
            pair.member.account_id,
            pair.consultant.account_id,
            *(each.id for each in self.visitors),
        )
        return "|".join(map(str, (pair.case_id, pair.conversation_id, *people)))


@asynccontextmanager
async def an_arena(database: str) -> AsyncIterator[Arena]:
    """The arena on an empty database; at the end the bystanders have lost nothing."""
    works = Works(SystemClock(), RememberedAnnouncements())
    async with open_vault():
        m = await a_matrix()
        foreign = await _foreign(works, m)
        callers = await _callers(works, m)
        visitors = (await an_account(works), await an_account(works))
        pair = await a_pair(works, m.city)
        async with (
            server.running_server(database) as one,
            Crowd([pair], lambda: [one.socket]) as crowd,
        ):
            arena = Arena(one, database, works, callers, foreign, crowd, visitors)
            over = asyncio.Event()
            talking = [asyncio.create_task(talker.talk(over)) for talker in crowd.talkers]
            try:
                yield arena
            finally:
                over.set()
                await asyncio.gather(*talking)
            await crowd.settled()
            await crowd.assert_nothing_lost_or_doubled()


async def _foreign(works: Works, m: Matrix) -> Ids:
    """A case with a message and a wish to hand it over; a member, a notice, a session, a grant."""
    pair = await a_pair(works, m.city)
    await say(works, pair.member, pair.conversation_id, "只有你知道")
    colleague = await a_consultant(works, name="吴老师")
    assert colleague.consultant_id is not None
    async with works.open(pair.consultant) as w:
        wish = await handovers.request_handover(w, pair.case_id, colleague.consultant_id)
    rows = await access.list_grants(pair.consultant, pair.consultant.account(), works.clock.now())
    assert pair.member.session_id is not None
    return {
        "Case": pair.case_id,
        "Conversation": pair.conversation_id,
        "Handover": wish["id"],
        "Consultant": colleague.consultant_id,
        "Account": pair.member.account(),
        "Session": pair.member.session_id,
        "Grant": rows[0]["id"],
        "Union": m.a.id,
        "Notice": await publish(works, a_cadre(m.east), m.east, Audience(zone_id=m.east.id)),
        **await _a_member(works, m.a, m.city),
    }


async def _a_member(works: Works, union: Spot, city: Spot) -> Ids:
    may_enter = frozenset({Capability.MEMBER_COLLECT})
    path = city.place.territory_path
    reach = Reach("collector", may_enter, Hierarchy.TERRITORY, path, city.id)
    collector = Actor(account_id=new_id(), reaches=(reach,))
    member = await register(works, collector, a_person(union.id))
    return {"Member": member, "MemberIdentity": member}


async def _callers(works: Works, m: Matrix) -> tuple[Caller, ...]:
    """Nobody; a member with a case of their own; its lawyer, who is a cadre of the west too."""
    member, official = await an_account(works), await an_account(works, kind=AccountKind.STAFF)
    new = windows.NewConsultant(
        official.id, Service.LEGAL_AID, "陈律师", capacity=5, state=WindowState.PRESENT
    )
    async with works.open(SYSTEM) as w:
        await windows.register_consultants(w, [new])
    await a_grant(works, official.id, Role.LAWYER, m.city)
    await a_grant(works, official.id, Role.ZONE_CADRE, m.west)
    today = federation_day(works.clock.now())
    await Seat.create(union_id=m.d.id, account_id=official.id, post=Post.CHAIR, from_on=today)
    sessions = [await signed_in(works, each, client=APP) for each in (member, official)]
    tokens = [session.token.text for session in sessions]
    actors = [await the_actor(works, session) for session in sessions]
    case_id, conversation_id = await running(works, *actors)
    case = {"Case": case_id, "Conversation": conversation_id}
    notice = await publish(works, a_cadre(m.west), m.west, Audience(zone_id=m.west.id))
    own = {**case, "Consultant": new.id, "Union": m.d.id, "Notice": notice}
    return (
        Caller("nobody", None, {}),
        Caller("member", tokens[0], case),
        Caller("official", tokens[1], own),
    )


def filled(leaf: Leaf, given: Any, caller: Caller) -> Callable[[Leaf], Any]:
    """The leaf as given, the caller's own things beside it, plain values elsewhere."""

    def value(here: Leaf) -> Any:
        if here.path == leaf.path:
            return given
        if here.type == "ID":
            return global_id(here.target, caller.own.get(here.target) or new_id())
        return PLAIN[here.type]

    return value
