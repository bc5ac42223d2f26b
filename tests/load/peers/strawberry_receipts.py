"""Notices as everybody writes them: strawberry's own socket handler, Tortoise, queues."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import strawberry
from starlette.applications import Starlette
from strawberry.extensions import ParserCache, ValidationCache
from tortoise import Tortoise, fields
from tortoise.models import Model

from tests.load.peers.ground import is_caching, orm_config, serve
from tests.load.peers.strawberry_fanout import App

COUNTING_S = 0.5
"""Between two countings of a board, as in ours."""


class UnionRow(Model):
    """A union."""

    id = fields.IntField(primary_key=True)

    class Meta:
        table = "peer_union"


class NoticeRow(Model):
    """A notice."""

    id = fields.BigIntField(primary_key=True)
    title = fields.TextField()

    class Meta:
        table = "peer_notice"


class RecipientRow(Model):
    """A union that was addressed."""

    id = fields.BigIntField(primary_key=True)
    notice_id = fields.BigIntField()
    union_id = fields.IntField()

    class Meta:
        table = "peer_recipient"


class ReceiptRow(Model):
    """A confirmation."""

    id = fields.BigIntField(primary_key=True)
    notice_id = fields.BigIntField()
    union_id = fields.IntField()
    officer = fields.IntField()
    at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "peer_receipt"


@strawberry.type
class Notice:
    """A notice."""

    id: strawberry.ID
    title: str
    body: str


@strawberry.type
class Published:
    """A notice that was published."""

    notice: Notice


@strawberry.type
class Counts:
    """How many unions have confirmed."""

    confirmed: int


@strawberry.type
class Board:
    """A board."""

    counts: Counts


inboxes: set[asyncio.Queue[Notice]] = set()


@strawberry.type
class Query:
    """The root needs one."""

    hello: str = "hello"


@strawberry.type
class Mutation:
    """Publishing and confirming."""

    @strawberry.mutation
    async def publish(self, title: str, body: str) -> Published:
        """Keep it with its recipients, hand it to every officer."""
        row = await NoticeRow.create(title=title)
        unions = await UnionRow.all().values_list("id", flat=True)
        await RecipientRow.bulk_create(
            [RecipientRow(notice_id=row.id, union_id=union) for union in unions]
        )
        notice = Notice(id=strawberry.ID(str(row.id)), title=title, body=body)
        for queue in inboxes:
            queue.put_nowait(notice)
        return Published(notice=notice)

    @strawberry.mutation
    async def confirm(self, notice: strawberry.ID, union: int, officer: int) -> bool:
        """Keep it."""
        await ReceiptRow.create(notice_id=int(notice), union_id=union, officer=officer)
        return True


@strawberry.type
class Subscription:
    """Receiving and watching."""

    @strawberry.subscription
    async def inbox(self) -> AsyncGenerator[Notice, None]:
        """What is published from now on."""
        queue: asyncio.Queue[Notice] = asyncio.Queue()
        inboxes.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            inboxes.discard(queue)

    @strawberry.subscription
    async def board(self, notice: strawberry.ID) -> AsyncGenerator[Board, None]:
        """The board, whenever it has changed."""
        known = -1
        while True:
            confirmed = ReceiptRow.filter(notice_id=int(notice))
            counted = len(await confirmed.distinct().values_list("union_id", flat=True))
            if counted != known:
                yield Board(counts=Counts(confirmed=counted))
            known = counted
            await asyncio.sleep(COUNTING_S)


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    """The ORM."""
    await Tortoise.init(config=orm_config(__name__), _enable_global_fallback=True)
    yield
    await Tortoise.close_connections()


def main() -> None:
    """Serve."""
    extensions = [ParserCache, ValidationCache] if is_caching() else []
    schema = strawberry.Schema(Query, Mutation, Subscription, extensions=extensions)
    app = Starlette(lifespan=lifespan)
    app.mount("/graphql", App(schema))
    serve(app)


if __name__ == "__main__":
    main()
