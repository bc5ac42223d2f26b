"""The limit for notices with receipts: raw `websockets`, asyncpg, one INSERT a confirmation."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import asyncpg
import orjson
import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

from tests.load.peers.ground import POOL, database_url
from tests.load.peers.members import is_member

COUNTING_S = 0.5
"""Between two countings of a board, as in ours."""
PUBLISH_SQL = """
WITH n AS (INSERT INTO peer_notice (title) VALUES ($1) RETURNING id),
     r AS (INSERT INTO peer_recipient (notice_id, union_id)
           SELECT n.id, u.id FROM n CROSS JOIN peer_union u)
SELECT id FROM n
"""
CONFIRM_SQL = "INSERT INTO peer_receipt (notice_id, union_id, officer) VALUES ($1, $2, $3)"
COUNT_SQL = "SELECT count(DISTINCT union_id) FROM peer_receipt WHERE notice_id = $1"


class Notices:
    """Everybody's socket, and the pool."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool
        self._officers: set[ServerConnection] = set()
        self._running: set[asyncio.Task[None]] = set()

    async def handle(self, socket: ServerConnection) -> None:
        """One socket: first a token, then whatever is asked; answers overlap."""
        came = orjson.loads(await socket.recv())
        if not is_member(came.get("token")):
            await socket.close(1008)
            return
        if "union" in came:
            self._officers.add(socket)
        try:
            await socket.send('{"type":"ready"}')
            async for frame in socket:
                task = asyncio.create_task(self._answer(socket, orjson.loads(frame)))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
        finally:
            self._officers.discard(socket)

    async def _answer(self, socket: ServerConnection, asked: dict[str, Any]) -> None:
        if "publish" in asked:
            notice = await self._pool.fetchval(PUBLISH_SQL, asked["publish"])
            event = {"id": str(notice), "title": asked["publish"], "body": asked["body"]}
            broadcast(self._officers, next_frame("s", {"inbox": event}), text=True)
            await socket.send(
                next_frame("p", {"publish": {"notice": {"id": str(notice)}}}), text=True
            )
        elif "confirm" in asked:
            where = (int(asked["confirm"]), asked["union"], asked["officer"])
            await self._pool.execute(CONFIRM_SQL, *where)
            await socket.send(next_frame("c", {"confirm": {"union": asked["union"]}}), text=True)
        elif "board" in asked:
            await self._tell(socket, int(asked["board"]))

    async def _tell(self, socket: ServerConnection, notice: int) -> None:
        """The board whenever it has changed, until the socket is gone."""
        known = None
        while socket.close_code is None:
            counted = await self._pool.fetchval(COUNT_SQL, notice)
            if counted != known:
                counts = {"counts": {"confirmed": counted}}
                await socket.send(next_frame("b", {"board": counts}), text=True)
            known = counted
            await asyncio.sleep(COUNTING_S)


def next_frame(id: str, data: dict[str, Any]) -> bytes:
    """An answer in the envelope that the load client reads."""
    return orjson.dumps({"id": id, "type": "next", "payload": {"data": data}})


async def main() -> None:
    """Serve until told to end."""
    async with asyncpg.create_pool(database_url(), min_size=POOL, max_size=POOL) as pool:
        handle, port = Notices(pool).handle, int(os.environ["PORT"])
        async with serve(
            handle, "127.0.0.1", port, backlog=4096, compression=None, ping_interval=None
        ):
            await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    uvloop.run(main())
