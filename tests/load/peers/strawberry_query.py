"""A query as everybody writes it: strawberry, its own ASGI handler, Tortoise, a dataloader."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import strawberry
from starlette.applications import Starlette
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader
from strawberry.extensions import ParserCache, ValidationCache
from tortoise import Tortoise, fields
from tortoise.models import Model

from tests.load.peers.ground import is_caching, orm_config, serve


class UnionRow(Model):
    """A union."""

    id = fields.IntField(primary_key=True)
    name = fields.CharField(max_length=100)

    class Meta:
        table = "peer_union"


class MemberRow(Model):
    """A member."""

    id = fields.IntField(primary_key=True)
    name = fields.CharField(max_length=100)
    union_id = fields.IntField()

    class Meta:
        table = "peer_member"


async def load_unions(ids: Sequence[int]) -> list[UnionRow]:
    """Unions in the order asked."""
    found = {row.id: row for row in await UnionRow.filter(id__in=ids)}
    return [found[row_id] for row_id in ids]


@strawberry.type
class Union:
    """A union."""

    id: strawberry.ID
    name: str


@strawberry.type
class Member:
    """A member."""

    id: strawberry.ID
    name: str
    union_id: strawberry.Private[int]

    @strawberry.field
    async def union(self, info: strawberry.Info[Any, Any]) -> Union:
        """Their union."""
        row = await info.context["unions"].load(self.union_id)
        return Union(id=strawberry.ID(str(row.id)), name=row.name)


@strawberry.type
class PageInfo:
    """Where the page ends."""

    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class MemberEdge:
    """An edge."""

    node: Member


@strawberry.type
class MemberConnection:
    """A page."""

    edges: list[MemberEdge]
    page_info: PageInfo


@strawberry.type
class Query:
    """The root."""

    @strawberry.field
    async def members(self, first: int = 50, after: str | None = None) -> MemberConnection:
        """A page of members by id."""
        rows = MemberRow.all().order_by("id").limit(first + 1)
        found = await (rows.filter(id__gt=int(after)) if after else rows)
        page = found[:first]
        return MemberConnection(
            edges=[
                MemberEdge(
                    node=Member(id=strawberry.ID(str(row.id)), name=row.name, union_id=row.union_id)
                )
                for row in page
            ],
            page_info=PageInfo(
                has_next_page=len(found) > first, end_cursor=str(page[-1].id) if page else None
            ),
        )


class App(GraphQL[Any, Any]):
    """The stock handler with a dataloader a request."""

    async def get_context(self, request: Any, response: Any) -> dict[str, Any]:
        """A fresh loader."""
        return {"unions": DataLoader(load_unions)}


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    """The ORM."""
    await Tortoise.init(config=orm_config(__name__), _enable_global_fallback=True)
    yield
    await Tortoise.close_connections()


def main() -> None:
    """Serve."""
    extensions = [ParserCache, ValidationCache] if is_caching() else []
    app = Starlette(lifespan=lifespan)
    app.mount("/graphql", App(strawberry.Schema(Query, extensions=extensions)))
    serve(app)


if __name__ == "__main__":
    main()
