"""The limit for a chat: raw `websockets`, asyncpg, one plain INSERT a message, no GraphQL."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import asyncpg
import orjson
import uvloop
from websockets.asyncio.server import ServerConnection, serve

from tests.load.peers.ground import POOL, database_url

INSERT_SQL = (
    "INSERT INTO peer_message (conversation, sender, body) VALUES ($1, $2, $3) RETURNING id, at"
)


class Chat:
    """Everybody's socket, and the pool."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool
        self._sockets: dict[int, ServerConnection] = {}

    async def handle(self, socket: ServerConnection) -> None:
        """One socket: first it says who it is, then it sends; sends overlap."""
        running: set[asyncio.Task[None]] = set()
        async for frame in socket:
            said = orjson.loads(frame)
            if "me" in said:
                self._sockets[said["me"]] = socket
                await socket.send('{"type":"joined"}')
                continue
            task = asyncio.create_task(self._send(socket, said))
            running.add(task)
            task.add_done_callback(running.discard)

    async def _send(self, socket: ServerConnection, said: dict[str, Any]) -> None:
        row = await self._pool.fetchrow(
            INSERT_SQL, said["conversation"], said["sender"], said["text"]
        )
        assert row is not None
        message = {
            "id": row["id"],
            "conversation": said["conversation"],
            "sender": said["sender"],
            "body": said["text"],
            "at": row["at"].isoformat(),
        }
        if peer := self._sockets.get(said["to"]):
            await peer.send(orjson.dumps(message).decode())
        await socket.send(f'{{"ack":"{said["n"]}","id":{row["id"]}}}')


async def main() -> None:
    """Serve until told to end."""
    async with asyncpg.create_pool(database_url(), min_size=POOL, max_size=POOL) as pool:
        chat = Chat(pool)
        port = int(os.environ["PORT"])
        # Frames this small gain nothing from deflate; none of the candidates is offered it.
        async with serve(chat.handle, "127.0.0.1", port, backlog=4096, compression=None):
            await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    uvloop.run(main())
