"""Subscriptions as everybody writes them: strawberry's own socket handler, a queue a subscriber."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import strawberry
from starlette.applications import Starlette
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError

from tests.load import control
from tests.load.peers.ground import serve
from tests.load.peers.members import is_member


@strawberry.type
class Event:
    """What happened."""

    id: int
    kind: str
    room: str
    actor: str
    at: str
    body: str


queues: set[asyncio.Queue[Event]] = set()


@strawberry.type
class Query:
    """The root needs one."""

    hello: str = "hello"


@strawberry.type
class Subscription:
    """Receiving."""

    @strawberry.subscription
    async def event(self) -> AsyncGenerator[Event, None]:
        """What happens from now on."""
        queue: asyncio.Queue[Event] = asyncio.Queue()
        queues.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            queues.discard(queue)


class App(GraphQL[Any, Any]):
    """The stock handler with a token checked when a socket opens."""

    async def on_ws_connect(self, context: Any) -> Any:
        """Whoever has a token."""
        params = context["connection_params"]
        if not is_member(params.get("token") if isinstance(params, dict) else None):
            raise ConnectionRejectionError
        return await super().on_ws_connect(context)


async def publish(number: int, _topic: str) -> None:
    """The event into everybody's queue."""
    happened = Event(**control.event(number))  # type: ignore[arg-type]  # the same fields
    for queue in queues:
        queue.put_nowait(happened)


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    """The door."""
    async with control.listening(publish):
        yield


def main() -> None:
    """Serve."""
    app = Starlette(lifespan=lifespan)
    app.mount("/graphql", App(strawberry.Schema(Query, subscription=Subscription)))
    serve(app)


if __name__ == "__main__":
    main()
