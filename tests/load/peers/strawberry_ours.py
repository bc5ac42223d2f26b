"""Our other operations as everybody writes them: strawberry, Tortoise models of our tables,
dataloaders. As their owner: nobody is asked who they are, nothing sealed is opened."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry
from starlette.applications import Starlette
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader
from tortoise import Tortoise

from tests.load.peers.ground import SEALED_TEXT, orm_config, serve
from tests.load.peers.our_rows import (
    CaseRow,
    ConsultantRow,
    ConversationRow,
    MessageRow,
    ReachedRow,
    RecipientRow,
    UnionRow,
)

Info = strawberry.Info[Any, Any]


@strawberry.type
class PageInfo:
    """Where the page ends."""

    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class Union:
    """A union."""

    id: strawberry.ID
    name: str
    level: str
    territory_parent_id: strawberry.Private[UUID | None]

    @strawberry.field
    async def territory_parent(self, info: Info) -> Union | None:
        """The union above."""
        if self.territory_parent_id is None:
            return None
        return union_of(await info.context["unions"].load(self.territory_parent_id))

    @strawberry.field
    async def children(self, info: Info, first: int = 50) -> UnionConnection:
        """The first unions below."""
        rows = await info.context["children"].load(UUID(self.id))
        page = rows[:first]
        end = str(page[-1].id) if page else None
        return UnionConnection(
            edges=[UnionEdge(node=union_of(row)) for row in page],
            page_info=PageInfo(has_next_page=len(rows) > first, end_cursor=end),
        )


@strawberry.type
class UnionEdge:
    """An edge."""

    node: Union


@strawberry.type
class UnionConnection:
    """A page."""

    edges: list[UnionEdge]
    page_info: PageInfo


@strawberry.type
class Consultant:
    """Who has a case."""

    display_name: str


@strawberry.type
class Message:
    """A message."""

    seq: int
    role: str
    text: str
    sent_at: datetime


@strawberry.type
class Case:
    """A case."""

    id: strawberry.ID
    state: str
    topic: str
    requested_at: datetime
    consultant_id: strawberry.Private[UUID]

    @strawberry.field
    async def consultant(self, info: Info) -> Consultant:
        """Who has it."""
        row = await info.context["consultants"].load(self.consultant_id)
        return Consultant(display_name=row.display_name)

    @strawberry.field
    async def last_message(self, info: Info) -> Message | None:
        """The latest."""
        row = await info.context["last_messages"].load(UUID(self.id))
        if row is None:
            return None
        return Message(seq=row.seq, role=row.role, text=SEALED_TEXT, sent_at=row.sent_at)


@strawberry.type
class CaseEdge:
    """An edge."""

    node: Case


@strawberry.type
class CaseConnection:
    """A page."""

    edges: list[CaseEdge]
    page_info: PageInfo


@strawberry.type
class Counts:
    """How far the unions of a zone or line have come."""

    recipients: int
    delivered: int
    read: int
    confirmed: int
    confirmed_late: int
    union_id: strawberry.Private[UUID | None]

    @strawberry.field
    async def union(self, info: Info) -> Union | None:
        """The zone or line."""
        if self.union_id is None:
            return None
        return union_of(await info.context["unions"].load(self.union_id))


@strawberry.type
class Board:
    """A notice's receipts."""

    position: str
    total: Counts
    by_zone: list[Counts]
    by_line: list[Counts]


@strawberry.type
class Query:
    """The root."""

    @strawberry.field
    async def union(self, info: Info, id: strawberry.ID) -> Union:
        """One union."""
        return union_of(await info.context["unions"].load(UUID(id)))

    @strawberry.field
    async def my_cases(self, first: int = 50) -> CaseConnection:
        """The latest cases."""
        found = await CaseRow.all().order_by("-requested_at", "-id").limit(first + 1)
        page = found[:first]
        end = str(page[-1].id) if page else None
        return CaseConnection(
            edges=[CaseEdge(node=case_of(row)) for row in page],
            page_info=PageInfo(has_next_page=len(found) > first, end_cursor=end),
        )

    @strawberry.field
    async def receipt_board(self, notice_id: strawberry.ID) -> Board:
        """Recipients, and how far each has come, counted here."""
        recipients = await RecipientRow.filter(notice_id=notice_id)
        reached: defaultdict[UUID, set[str]] = defaultdict(set)
        for row in await ReachedRow.filter(notice_id=notice_id):
            reached[row.union_id].add(row.step)
        zones: defaultdict[UUID | None, list[set[str]]] = defaultdict(list)
        lines: defaultdict[UUID | None, list[set[str]]] = defaultdict(list)
        for recipient in recipients:
            zones[recipient.zone_id].append(reached[recipient.union_id])
            lines[recipient.line_id].append(reached[recipient.union_id])
        return Board(
            position="0",
            total=counts_of(None, (reached[each.union_id] for each in recipients)),
            by_zone=[counts_of(zone, steps) for zone, steps in zones.items()],
            by_line=[counts_of(line, steps) for line, steps in lines.items()],
        )


def union_of(row: UnionRow) -> Union:
    """A row's type."""
    return Union(
        id=strawberry.ID(str(row.id)),
        name=row.name,
        level=row.level,
        territory_parent_id=row.territory_parent_id,
    )


def case_of(row: CaseRow) -> Case:
    """A row's type."""
    return Case(
        id=strawberry.ID(str(row.id)),
        state=row.state,
        topic=row.topic,
        requested_at=row.requested_at,
        consultant_id=row.consultant_id,
    )


def counts_of(union: UUID | None, unions: Iterable[set[str]]) -> Counts:
    """What the recipients under a union have done, of each the steps it has reached."""
    every = list(unions)
    steps = Counter(step for each in every for step in each)
    return Counts(
        union_id=union,
        recipients=len(every),
        delivered=sum(1 for each in every if each),
        read=steps["read"],
        confirmed=steps["confirmed"],
        confirmed_late=sum("confirmed" in each and "in_time" not in each for each in every),
    )


async def load_unions(ids: Sequence[UUID]) -> list[UnionRow]:
    """Unions in the order asked."""
    found = {row.id: row for row in await UnionRow.filter(id__in=ids)}
    return [found[row_id] for row_id in ids]


async def load_children(ids: Sequence[UUID]) -> list[list[UnionRow]]:
    """All unions below each, in the order of the matrix; who asked for a few takes the first."""
    found: defaultdict[UUID | None, list[UnionRow]] = defaultdict(list)
    for row in await UnionRow.filter(territory_parent_id__in=ids).order_by("territory_path"):
        found[row.territory_parent_id].append(row)
    return [found[row_id] for row_id in ids]


async def load_consultants(ids: Sequence[UUID]) -> list[ConsultantRow]:
    """Consultants in the order asked."""
    found = {row.id: row for row in await ConsultantRow.filter(id__in=ids)}
    return [found[row_id] for row_id in ids]


async def load_last_messages(cases: Sequence[UUID]) -> list[MessageRow | None]:
    """The latest message of each case's conversation."""
    talks = await ConversationRow.filter(case_id__in=cases)
    latest: dict[UUID, MessageRow] = {}
    for row in await MessageRow.filter(conversation_id__in=[talk.id for talk in talks]):
        if row.conversation_id not in latest or row.seq > latest[row.conversation_id].seq:
            latest[row.conversation_id] = row
    found = {talk.case_id: latest.get(talk.id) for talk in talks}
    return [found.get(case) for case in cases]


class App(GraphQL[Any, Any]):
    """The stock handler with dataloaders a request."""

    async def get_context(self, request: Any, response: Any) -> dict[str, Any]:
        """Fresh loaders."""
        return {
            "unions": DataLoader(load_unions),
            "children": DataLoader(load_children),
            "consultants": DataLoader(load_consultants),
            "last_messages": DataLoader(load_last_messages),
        }


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    """The ORM."""
    config = orm_config("tests.load.peers.our_rows")
    await Tortoise.init(config=config, _enable_global_fallback=True)
    yield
    await Tortoise.close_connections()


if __name__ == "__main__":
    app = Starlette(lifespan=lifespan)
    app.mount("/graphql", App(strawberry.Schema(Query)))
    serve(app)
