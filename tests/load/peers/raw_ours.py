"""The limit for our other operations: asyncpg and orjson on our tables, as their owner. Nobody is
asked who they are, nothing sealed is opened, a word of the document says which statement it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.load.peers.ground import POOL, SEALED_TEXT, database_url, serve

CASES_SQL = """
SELECT c.id::text, c.state, c.topic, c.requested_at, k.display_name, m.seq, m.role,
       m.sent_at, m.body
  FROM consultation_case c JOIN consultation_consultant k ON k.id = c.consultant_id
  LEFT JOIN consultation_conversation v ON v.case_id = c.id
  LEFT JOIN consultation_message m ON m.conversation_id = v.id AND m.seq = v.top_seq
 ORDER BY c.requested_at DESC, c.id DESC LIMIT 21
"""
BOARD_SQL = """
SELECT c.part, u.id::text, u.name, c.recipients, c.delivered, c.read, c.confirmed, c.late
  FROM (SELECT grouping(r.zone_id, r.line_id) AS part, coalesce(r.zone_id, r.line_id) AS union_id,
               count(*) AS recipients, count(f.union_id) AS delivered,
               count(*) FILTER (WHERE f.is_read) AS read,
               count(*) FILTER (WHERE f.is_confirmed) AS confirmed,
               count(*) FILTER (WHERE f.is_confirmed AND NOT f.is_in_time) AS late
          FROM notice_recipient r
          LEFT JOIN (SELECT union_id, bool_or(step = 'read') AS is_read,
                            bool_or(step = 'confirmed') AS is_confirmed,
                            bool_or(step = 'in_time') AS is_in_time
                       FROM notice_reached GROUP BY union_id) f ON f.union_id = r.union_id
         GROUP BY GROUPING SETS ((), (r.zone_id), (r.line_id))) c
  LEFT JOIN org_union u ON u.id = c.union_id ORDER BY c.part
"""
COUNTS = ("recipients", "delivered", "read", "confirmed", "confirmedLate")
BY_ZONE, BY_LINE, IN_TOTAL = 1, 2, 3
MATRIX_SQL = """
SELECT city.id::text, city.name, zone.id::text, zone.name, zone.level, below.id::text, below.name,
       below.level
  FROM org_union city
 CROSS JOIN LATERAL (SELECT * FROM org_union u WHERE u.territory_parent_id = city.id
                      ORDER BY u.territory_path LIMIT 6) zone
 CROSS JOIN LATERAL (SELECT * FROM org_union u WHERE u.territory_parent_id = zone.id
                      ORDER BY u.territory_path LIMIT 21) below
 WHERE city.level = 'federation' ORDER BY zone.territory_path, below.territory_path
"""
PAGE = 20


async def cases(pool: Any) -> Any:
    """A consultant's cases with their last messages."""
    rows = await pool.fetch(CASES_SQL)
    edges = [
        {
            "node": {
                "id": row[0],
                "state": row[1],
                "topic": row[2],
                "requestedAt": row[3],
                "consultant": {"displayName": row[4]},
                "lastMessage": {
                    "seq": row[5],
                    "role": row[6],
                    "text": SEALED_TEXT,
                    "sentAt": row[7],
                },
            }
        }
        for row in rows[:PAGE]
    ]
    page = {"hasNextPage": len(rows) > PAGE, "endCursor": edges[-1]["node"]["id"]}
    return {"myCases": {"edges": edges, "pageInfo": page}}


async def board(pool: Any) -> Any:
    """A notice's board: there is no other notice."""
    parts: dict[int, list[dict[str, Any]]] = {BY_ZONE: [], BY_LINE: [], IN_TOTAL: []}
    for part, union, name, *counts in await pool.fetch(BOARD_SQL):
        own = dict(zip(COUNTS, counts, strict=True))
        if part != IN_TOTAL:
            own["union"] = {"id": union, "name": name} if union else None
        parts[part].append(own)
    (every,) = parts[IN_TOTAL]
    told = {"total": every, "byZone": parts[BY_ZONE], "byLine": parts[BY_LINE]}
    return {"receiptBoard": told | {"position": "0"}}


async def matrix(pool: Any) -> Any:
    """The union matrix."""
    zones: dict[str, Any] = {}
    rows = await pool.fetch(MATRIX_SQL)
    for row in rows:
        zone = {"id": row[2], "name": row[3], "level": row[4], "children": {"edges": []}}
        below = zones.setdefault(row[2], zone)["children"]["edges"]
        if len(below) < PAGE:
            own = {"id": row[5], "name": row[6], "level": row[7], "children": {"edges": []}}
            below.append({"node": own | {"territoryParent": {"name": row[3]}}})
    edges = [{"node": zone} for zone in zones.values()]
    return {"union": {"id": rows[0][0], "name": rows[0][1], "children": {"edges": edges}}}


BY_WORD: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "myCases": cases,
    "receiptBoard": board,
    "union(": matrix,
}


async def answer(request: Request) -> Response:
    """The operation that the document names."""
    document = orjson.loads(await request.body())["query"]
    find = next(find for word, find in BY_WORD.items() if word in document)
    data = {"data": await find(request.app.state.pool)}
    return Response(orjson.dumps(data), media_type="application/json")


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """The pool."""
    async with asyncpg.create_pool(database_url(), min_size=POOL, max_size=POOL) as pool:
        app.state.pool = pool
        yield


if __name__ == "__main__":
    serve(Starlette(routes=[Route("/graphql", answer, methods=["POST"])], lifespan=lifespan))
