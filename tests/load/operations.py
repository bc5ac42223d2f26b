"""What ``query`` asks of us besides W1: other shapes of answers, over people who are there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.access import service as access
from domain.access.models import AccountKind
from domain.access.roles import Role
from domain.consultations import queries
from domain.consultations.models import Service
from domain.consultations.sending import send_message
from domain.consultations.windows import NewConsultant, register_consultants
from domain.kernel.actor import SYSTEM
from domain.kernel.ids import new_id
from domain.kernel.pages import PageRequest
from domain.members.queries import MEMBERS
from domain.notices import service as notices
from domain.notices.rules import Audience, Terms, Words
from schema.nodes import global_id
from tests.load.ours import House
from tests.load.workload import Pace

CLIENT = "tests.load.clients.query"
CONNECTIONS = 32
CASES = 20
"""As many as a consultant may run at a time."""
DEEP_ROWS = 10_000
CHILDREN = 20
PAGE = """{{ members(first: {page}{after}) {{ edges {{ node {{ id name union {{ id name }} }} }}
  pageInfo {{ hasNextPage endCursor }} }} }}"""
CASE_LIST = """{ myCases(first: 20) { edges { node { id state topic requestedAt
  consultant { displayName } lastMessage { seq role text sentAt } } }
  pageInfo { hasNextPage endCursor } } }"""
BOARD = """{ receiptBoard(noticeId: "%s") { position
  total { recipients delivered read confirmed confirmedLate }
  byZone { union { id name } recipients delivered read confirmed confirmedLate }
  byLine { union { id name } recipients delivered read confirmed confirmedLate } } }"""
MATRIX = """{ union(id: "%s") { id name children(first: 5) { edges { node { id name level
  children(first: 20) { edges { node { id name level territoryParent { name }
  children(first: 2) { edges { node { id name } } } } } } } } } } }"""

_REACHED_SQL = """
INSERT INTO notice_reached (notice_id, step, union_id)
SELECT r.notice_id, s.step, r.union_id
  FROM (SELECT *, row_number() OVER (ORDER BY union_id) AS place FROM notice_recipient
         WHERE notice_id = $1) r
  JOIN (VALUES ('delivered', 1), ('read', 2), ('confirmed', 4), ('in_time', 8)) s (step, every)
    ON r.place % s.every = 0
"""
"""All unions have it, every second has read it, every fourth confirmed, of those half in time."""


def plan_of(pace: Pace, query: str, token: str, nodes: int) -> dict[str, Any]:
    """What a client does that asks ours."""
    return {
        "path": "/graphql",
        "query": f"query M {query}",
        "headers": {"Authorization": f"Bearer {token}"},
        "nodes": nodes,
        "connections": CONNECTIONS,
        "warm_s": pace.warm_s,
        "measure_s": pace.measure_s,
    }


@dataclass(frozen=True, slots=True)
class Asked:
    """One operation: its document, who asks, and how many nodes its answer has."""

    name: str
    query: str
    token: str
    nodes: int
    peers: str
    """The same for the peers, whose ids are the rows' own."""
    is_on_our_tables: bool = True
    """Whether the peers answer it from our tables, not from their own."""


async def operations(house: House, cadre: str, page: int) -> list[Asked]:
    """All of them, with what they need entered into a house that has its cadre's zone."""
    city, zone = [
        row["id"]
        for row in await house.as_owner(
            "SELECT id FROM org_union WHERE level IN ('federation', 'zone') ORDER BY level"
        )
    ]
    cursor = await _deep_cursor(house)
    counsellor = await _counsellor(house, city)
    publisher, notice = await _notice(house, zone)
    await house.settle()
    deep = PAGE.format(page=page, after=f', after: "{cursor}"')
    theirs = PAGE.format(page=page, after=f', after: "{DEEP_ROWS}"')
    return [
        Asked("deep_page", deep, cadre, page, theirs, is_on_our_tables=False),
        Asked("case_list", CASE_LIST, counsellor, CASES, CASE_LIST),
        Asked(
            *("receipt_board", BOARD % global_id("Notice", notice), publisher, 0),
            BOARD % notice,
        ),
        Asked(
            *("union_matrix", MATRIX % global_id("Union", city), cadre, 1 + CHILDREN),
            MATRIX % city,
        ),
    ]


async def _deep_cursor(house: House) -> str:
    (row,) = await house.as_owner(
        "SELECT territory_path, id FROM member ORDER BY territory_path, id"
        f" OFFSET least({DEEP_ROWS}, (SELECT count(*) / 2 FROM member)) LIMIT 1"
    )
    return MEMBERS.cursor(row)


async def _counsellor(house: House, city: UUID) -> str:
    """The token of a counsellor with twenty running cases, each with a last message."""
    members = [access.NewAccount(AccountKind.MEMBER) for _ in range(CASES)]
    account = access.NewAccount(AccountKind.STAFF)
    window = NewConsultant(account.id, Service.COUNSELLING, "咨询师", capacity=CASES)
    async with house.works.open(SYSTEM) as w:
        await access.create_accounts(w, [*members, account])
        await access.import_grants(w, [access.NewGrant(account.id, Role.COUNSELLOR, city)])
        await register_consultants(w, [window])
    (token,) = await house.sign_in([account.id])
    await house.begin(members, [window] * CASES)
    actor = await house.actor(account.id)
    talks = await queries.select_conversations(actor).page(actor, PageRequest(first=CASES))
    for talk in talks.rows:
        async with house.works.open(actor) as w:
            await send_message(w, talk["id"], client_key=new_id(), text="您好，我在。")
    return token


async def _notice(house: House, zone: UUID) -> tuple[str, UUID]:
    """A publisher's token, and a notice of theirs to every union of the zone."""
    account = access.NewAccount(AccountKind.STAFF)
    async with house.works.open(SYSTEM) as w:
        await access.create_accounts(w, [account])
        await access.import_grants(w, [access.NewGrant(account.id, Role.ZONE_CADRE, zone)])
    (token,) = await house.sign_in([account.id])
    async with house.works.open(await house.actor(account.id)) as w:
        notice = await notices.publish(
            w,
            zone,
            Audience(zone_id=zone),
            Words("通知", "请确认。"),
            terms=Terms(wants_confirmation=True),
            client_key=new_id(),
        )
    await house.as_owner(_REACHED_SQL, notice)
    return token, notice
