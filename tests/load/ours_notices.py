"""Notices and who follows them, for the live workloads: cadres at a board, officers at inboxes.

Entered through the services' own verbs; only what would be ten thousand publications is cloned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.access import service as access
from domain.access.models import AccountKind
from domain.access.roles import Role
from domain.kernel.actor import SYSTEM
from domain.kernel.ids import new_id
from domain.notices import service as notices
from domain.notices.rules import Audience, Terms, Words
from domain.org.bulk import NewSeat, enter_seats
from domain.org.models import Post
from domain.org.rules import federation_day
from schema.nodes import global_id
from tests.load.ours import House

_CLONE_SQL = """
WITH clone AS (
    INSERT INTO notice (id, publisher_id, publisher_account_id, client_key, state, current_no,
                        reply_by, wants_confirmation, published_at)
    SELECT gen_random_uuid(), publisher_id, publisher_account_id, gen_random_uuid(), state, 1,
           reply_by, wants_confirmation, published_at
      FROM notice CROSS JOIN generate_series(1, $2::int) WHERE id = $1
    RETURNING id
), version AS (
    INSERT INTO notice_version (id, notice_id, no, title, body, at, by_account_id)
    SELECT gen_random_uuid(), c.id, v.no, v.title, v.body, v.at, v.by_account_id
      FROM clone c CROSS JOIN notice_version v WHERE v.notice_id = $1
)
SELECT id FROM clone
"""


@dataclass(frozen=True, slots=True)
class Watch:
    """Cadres who may all follow the board of one notice."""

    notice_id: UUID
    tokens: Sequence[str]

    @property
    def notice(self) -> str:
        """The notice's global id."""
        return global_id("Notice", self.notice_id)


@dataclass(frozen=True, slots=True)
class Officer:
    """Somebody with a seat: whose inbox, and the token."""

    union: str
    token: str


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone of unions with officers, and the cadre who publishes to it."""

    id: UUID
    publisher_token: str
    officers: Sequence[Officer]

    @property
    def global_id(self) -> str:
        """As the API names it."""
        return global_id("Union", self.id)


async def enter_watchers(house: House, count: int) -> Watch:
    """So many cadres of one zone, and a notice of theirs."""
    zone = await house.found(1)
    cadres = await _enter_staff(house, Role.ZONE_CADRE, [zone] * count)
    tokens = await house.sign_in(cadres)
    async with house.works.open(await house.actor(cadres[0])) as w:
        notice_id = await notices.publish(
            w,
            zone,
            Audience(zone_id=zone),
            Words("关于换届选举的通知", "请于12月底前完成换届。"),
            terms=Terms(wants_confirmation=True),
            client_key=new_id(),
        )
    await house.settle()
    return Watch(notice_id, tokens)


async def enter_other_notices(house: House, watch: Watch, count: int) -> list[str]:
    """So many further notices of the same publisher; their global ids."""
    rows = await house.as_owner(_CLONE_SQL, watch.notice_id, count)
    await house.settle()
    return [global_id("Notice", row["id"]) for row in rows]


async def enter_officers(house: House, *, unions: int, officers: int) -> Zone:
    """A zone of so many unions, and officers who hold seats in them, the same number in each."""
    zone = await house.found(unions)
    rows = await house.as_owner("SELECT id FROM org_union WHERE level = 'grassroots' ORDER BY seq")
    seats = [rows[number * unions // officers]["id"] for number in range(officers)]
    accounts = await _enter_staff(house, Role.CHAIR, seats)
    (publisher,) = await _enter_staff(house, Role.ZONE_CADRE, [zone])
    async with house.works.open(SYSTEM) as w:
        today = federation_day(w.now)
        held = [
            NewSeat(union_id=union, account_id=account, post=Post.CADRE, from_on=today)
            for account, union in zip(accounts, seats, strict=True)
        ]
        await enter_seats(w, held)
    publisher_token, *tokens = await house.sign_in([publisher, *accounts])
    await house.settle()
    named = zip(seats, tokens, strict=True)
    return Zone(zone, publisher_token, [Officer(global_id("Union", u), t) for u, t in named])


async def _enter_staff(house: House, role: Role, at: Sequence[UUID]) -> list[UUID]:
    """An account for each of these unions, with the role granted there."""
    accounts = [access.NewAccount(AccountKind.STAFF) for _ in at]
    async with house.works.open(SYSTEM) as w:
        await access.create_accounts(w, accounts)
        granted = zip(accounts, at, strict=True)
        await access.import_grants(
            w, [access.NewGrant(account.id, role, union) for account, union in granted]
        )
    return [account.id for account in accounts]
