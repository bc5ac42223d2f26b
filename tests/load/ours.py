"""Our own side of a comparison: a migrated database with people in it, and ``unionhall serve``.

People, conversations and the matrix come through the services' own verbs. Sessions are written as
rows: four hundred sign-ins would spend minutes on hashing passwords, which is another workload.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import asyncpg

from domain.access import service as access
from domain.access.models import AccountKind
from domain.access.roles import Role
from domain.access.tokens import new_token
from domain.consultations import queue
from domain.consultations import service as consultations
from domain.consultations.consents import consent_text
from domain.consultations.models import Service, Topic
from domain.consultations.windows import NewConsultant, register_consultants
from domain.kernel.actor import SYSTEM, Actor
from domain.kernel.clock import SystemClock
from domain.kernel.database import connect, connection, disconnect
from domain.kernel.ids import new_id
from domain.kernel.work import Works
from domain.org.bulk import UNIONS_MAX, found_federation, found_unions
from domain.org.matrix import NewUnion
from domain.org.models import Level
from domain.vault import service as vault
from gateway.preparing import prepare
from gateway.settings import load
from gateway.wiring import root_key_provider
from schema.nodes import global_id
from tests.load.servers import Program
from tests.support.announcing import RememberedAnnouncements
from tests.support.entering import enter, settle

OURS = "ours"
SESSION_LIFE = timedelta(hours=12)
POOL_MAX = 6
ENTERING_MAX = 6
"""Conversations that are begun at the same time: as many as the pool has connections."""


_MEMBERS_SQL = """
INSERT INTO member (id, union_id, territory_path, line_path, state, name_mask, name, id_type,
                    id_number, id_number_index, phone, phone_index, is_migrant, collected_by,
                    collected_at)
SELECT (left(md5('member'), 20) || lpad(to_hex(i), 12, '0'))::uuid, u.id, u.territory_path,
       u.line_path, 'active', '王**', s.sealed, 'resident', s.sealed, decode(md5('n' || i), 'hex'),
       s.sealed, decode(md5('p' || i), 'hex'), false, $3, now()
  FROM generate_series(1, $1::int) i
 CROSS JOIN LATERAL (SELECT sha512(i::text::bytea) AS sealed) s
  JOIN (SELECT *, row_number() OVER (ORDER BY territory_path) AS place
          FROM org_union WHERE level = 'grassroots') u
    ON u.place = CASE WHEN i <= $2::int THEN i ELSE $2::int + 1 + i % $2::int END
"""
"""Rows as the members slice writes them, but that random bytes stand for what is sealed: a list
opens none of it. The first half of the unions has one member each, so that the first page, which is
in the order of the matrix, meets as many unions as it has rows; the others share the rest."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two who talk: the conversation's global id and their tokens."""

    conversation_id: str
    member_token: str
    consultant_token: str


@asynccontextmanager
async def prepared(url: str) -> AsyncIterator[House]:
    """The database at our version, with keys; connected until the block ends."""
    with tempfile.TemporaryDirectory(prefix="unionhall-load-") as folder:
        environment = _environment(url, Path(folder))
        settings = load(environment | {"PORT": "8000"})
        await prepare(settings, url, _say_nothing)
        await connect(url, pool_min=1, pool_max=POOL_MAX)
        try:
            vault.install(await vault.open_keyring(root_key_provider(settings)))
            yield House(url, environment, Works(SystemClock(), RememberedAnnouncements()))
        finally:
            await disconnect()


@dataclass(frozen=True, slots=True)
class House:
    """A prepared database and how to serve it."""

    url: str
    environment: dict[str, str]
    works: Works

    def program(self, name: str = OURS) -> Program:
        """The server as it is started anywhere."""
        arguments = [sys.executable, "-m", "gateway.cli", "serve"]
        return Program(name, arguments, self.environment)

    def interpreted(self, name: str) -> Program:
        """The same with every plan off (``tests/load/interpreted.py``)."""
        arguments = [sys.executable, "-m", "tests.load.interpreted"]
        return Program(name, arguments, self.environment)

    def program_with_door(self, name: str = OURS, **environment: str) -> Program:
        """The same with the control door beside it (``tests/load/served.py``)."""
        arguments = [sys.executable, "-m", "tests.load.served"]
        own = {"CONTROL_PORT": "{control_port}"}
        return Program(name, arguments, self.environment | own | environment)

    async def enter_cadre(self, *, unions: int, members: int) -> str:
        """A zone of so many unions and members, and the token of a cadre who has it in scope."""
        zone = await self.found(unions)
        owner = await asyncpg.connect(self.url)
        try:
            await enter(owner, "member", members, _MEMBERS_SQL, members, unions // 2, new_id())
        finally:
            await owner.close()
        account = access.NewAccount(AccountKind.STAFF)
        async with self.works.open(SYSTEM) as w:
            await access.create_accounts(w, [account])
            await access.import_grants(w, [access.NewGrant(account.id, Role.ZONE_CADRE, zone)])
        (token,) = await self.sign_in([account.id])
        await self.settle()
        return token

    async def enter_conversations(self, count: int) -> list[Pair]:
        """So many running cases, each of a member and a counsellor who have no other."""
        federation = await self.found(0)
        members = [access.NewAccount(AccountKind.MEMBER) for _ in range(count)]
        staff = [access.NewAccount(AccountKind.STAFF) for _ in range(count)]
        windows = [
            NewConsultant(account.id, Service.COUNSELLING, f"咨询师{number}", capacity=1)
            for number, account in enumerate(staff)
        ]
        async with self.works.open(SYSTEM) as w:
            await access.create_accounts(w, [*members, *staff])
            await access.import_grants(
                w, [access.NewGrant(a.id, Role.COUNSELLOR, federation) for a in staff]
            )
            await register_consultants(w, windows)
        tokens = await self.sign_in([account.id for account in [*members, *staff]])
        cases = await self.begin(members, windows)
        conversations = await self._conversations()
        await self.settle()
        return [
            Pair(global_id("Conversation", conversations[case]), *pair)
            for case, *pair in zip(cases, tokens[:count], tokens[count:], strict=True)
        ]

    async def found(self, unions: int) -> UUID:
        """The federation; with unions, a zone of them, which is what is answered then."""
        async with self.works.open(SYSTEM) as w:
            city = await found_federation(w, "示例市总工会")
            if not unions:
                return city
            zone = NewUnion(name="示例镇总工会", level=Level.ZONE, territory_parent_id=city)
            below = [
                NewUnion(name=f"第{number + 1}示例工会", territory_parent_id=zone.id)
                for number in range(unions)
            ]
            every = [zone, *below]
            for start in range(0, len(every), UNIONS_MAX):
                await found_unions(w, every[start : start + UNIONS_MAX])
            return zone.id

    async def begin(
        self, members: Sequence[access.NewAccount], windows: Sequence[NewConsultant]
    ) -> list[UUID]:
        """A running case of each member with the window beside it."""
        turns = asyncio.Semaphore(ENTERING_MAX)
        consent = consent_text(Service.COUNSELLING).version

        async def begin_one(member: access.NewAccount, window: NewConsultant) -> UUID:
            request = consultations.NewRequest(
                Service.COUNSELLING, Topic.WORK_STRESS, consent, new_id(), addressed_to=window.id
            )
            async with turns:
                async with self.works.open(Actor(account_id=member.id)) as w:
                    case = await consultations.request_consultation(w, request)
                async with self.works.open(await self.actor(window.account_id)) as w:
                    await queue.accept(w, case["id"])
            case_id: UUID = case["id"]
            return case_id

        pairs = zip(members, windows, strict=True)
        return list(await asyncio.gather(*(begin_one(*pair) for pair in pairs)))

    async def sign_in(self, accounts: Sequence[UUID]) -> list[str]:
        tokens = [new_token() for _ in accounts]
        now = self.works.clock.now()
        owner = await asyncpg.connect(self.url)
        try:
            await owner.executemany(
                "INSERT INTO access_session (id, account_id, kind, token_hash, token_expires_at,"
                " user_agent, opened_at, seen_at, expires_at)"
                " VALUES ($1, $2, 'app', $3, $5, 'load', $4, $4, $5)",
                [
                    (new_id(), account, token.hash, now, now + SESSION_LIFE)
                    for account, token in zip(accounts, tokens, strict=True)
                ],
            )
        finally:
            await owner.close()
        return [token.text for token in tokens]

    async def actor(self, account: UUID) -> Actor:
        """The account's actor, as its one session stands now."""
        async with connection() as conn:
            session = await conn.fetchval(
                "SELECT id FROM access_session WHERE account_id = $1", account
            )
        actor = await access.actor_of_session(session, self.works.clock.now())
        assert actor is not None, "the session was opened a moment ago"
        return actor

    async def _conversations(self) -> dict[UUID, UUID]:
        """Case → conversation, as the owner sees them."""
        rows = await self.as_owner("SELECT case_id, id FROM consultation_conversation")
        return {row["case_id"]: row["id"] for row in rows}

    async def settle(self) -> None:
        owner = await asyncpg.connect(self.url)
        try:
            await settle(owner)
        finally:
            await owner.close()

    async def as_owner(self, sql: str, *args: object) -> Sequence[asyncpg.Record]:
        owner = await asyncpg.connect(self.url)
        try:
            return await owner.fetch(sql, *args)
        finally:
            await owner.close()


def _environment(url: str, folder: Path) -> dict[str, str]:
    return {
        "PORT": "{port}",
        "UNIONHALL_DATABASE_URL": url,
        "UNIONHALL_DATA_DIR": str(folder),
        "UNIONHALL_LOG_LEVEL": "warning",
    }


def _say_nothing(_what: str) -> None:
    return None
