"""A chat as everybody writes it: strawberry's own socket handler, Tortoise, queues."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import strawberry
from starlette.applications import Starlette
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache
from tortoise import Tortoise, fields
from tortoise.models import Model

from tests.load.peers.ground import is_caching, orm_config, serve


class MessageRow(Model):
    """A message."""

    id = fields.BigIntField(primary_key=True)
    conversation = fields.IntField()
    sender = fields.IntField()
    body = fields.TextField()
    at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "peer_message"


@strawberry.type
class Message:
    """A message."""

    id: int
    conversation: int
    sender: int
    body: str
    at: str


inboxes: dict[int, set[asyncio.Queue[Message]]] = {}


@strawberry.type
class Query:
    """The root needs one."""

    hello: str = "hello"


@strawberry.type
class Mutation:
    """Sending."""

    @strawberry.mutation
    async def send(self, to: int, conversation: int, sender: int, text: str) -> int:
        """Keep it, hand it to the peer, answer its id."""
        row = await MessageRow.create(conversation=conversation, sender=sender, body=text)
        message = Message(
            id=row.id, conversation=conversation, sender=sender, body=text, at=row.at.isoformat()
        )
        for queue in inboxes.get(to, ()):
            queue.put_nowait(message)
        return int(row.id)


@strawberry.type
class Subscription:
    """Receiving."""

    @strawberry.subscription
    async def messages(self, me: int) -> AsyncGenerator[Message, None]:
        """What is sent to me."""
        queue: asyncio.Queue[Message] = asyncio.Queue()
        inboxes.setdefault(me, set()).add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            inboxes[me].discard(queue)


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
    app.mount("/graphql", GraphQL[Any, Any](schema))
    serve(app)


if __name__ == "__main__":
    main()
