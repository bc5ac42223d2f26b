"""The limit for a query: Starlette + asyncpg (one JOIN) + orjson, the same JSON, no GraphQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.load.peers.ground import POOL, database_url, serve

FIRST = 50
DEEP = 10_000
"""Where the deep page begins."""
SQL = (
    "SELECT m.id, m.name, u.id, u.name FROM peer_member m JOIN peer_union u ON u.id = m.union_id"
    " WHERE m.id > $1 ORDER BY m.id LIMIT $2"
)


async def members(request: Request) -> Response:
    """The first page."""
    asked = orjson.loads(await request.body())
    after = DEEP if "after" in asked["query"] else 0
    rows = await request.app.state.pool.fetch(SQL, after, FIRST + 1)
    edges = [
        {
            "node": {
                "id": str(row[0]),
                "name": row[1],
                "union": {"id": str(row[2]), "name": row[3]},
            }
        }
        for row in rows[:FIRST]
    ]
    page = {"hasNextPage": len(rows) > FIRST, "endCursor": edges[-1]["node"]["id"]}
    data = {"data": {"members": {"edges": edges, "pageInfo": page}}}
    return Response(orjson.dumps(data), media_type="application/json")


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """The pool."""
    async with asyncpg.create_pool(database_url(), min_size=POOL, max_size=POOL) as pool:
        app.state.pool = pool
        yield


if __name__ == "__main__":
    serve(Starlette(routes=[Route("/graphql", members, methods=["POST"])], lifespan=lifespan))
