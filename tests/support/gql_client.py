"""The stock Python ``gql`` client as a person uses it: sessions one after another, and feeds.

It knows nothing of our ``extensions.rt``: a feed resumes through the argument ``after``, with the
``cursor`` of its last event. The client's own reconnecting session is not used: it waits for ever
when the socket is lost while nothing is under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from gql import Client, GraphQLRequest
from gql.client import AsyncClientSession
from gql.transport.exceptions import TransportError, TransportQueryError
from gql.transport.websockets import WebsocketsTransport

RETRY_S = 0.02
CLOSE_S_MAX = 1

Data = dict[str, Any]


class Person:
    """Somebody at a socket that may be cut at any time. Enter it to connect."""

    def __init__(self, url: str, token: str) -> None:
        self._transport = WebsocketsTransport(
            url,
            init_payload={"token": token},
            subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
            connect_args={"proxy": None},
            close_timeout=CLOSE_S_MAX,
        )
        self._client = Client(transport=self._transport)
        self._session: AsyncClientSession | None = None
        self._connected, self._lost = asyncio.Event(), asyncio.Event()
        self._staying: asyncio.Task[None] | None = None
        self._feeds: list[asyncio.Task[None]] = []
        self.resumed = 0
        """How often a feed began anew after its first event."""

    async def __aenter__(self) -> Person:
        self._staying = asyncio.create_task(self._stay())
        await self._connected.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        broken = [feed for feed in self._feeds if feed.done()]
        assert self._staying is not None
        tasks = [self._staying, *self._feeds]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.close_async()
        for feed in broken:
            feed.result()

    async def execute(self, query: str, **variables: Any) -> Data:
        """The operation's data; sent again, word for word, until an answer comes."""
        request = GraphQLRequest(query, variable_values=variables)
        while True:
            session = await self._current()
            try:
                return await session.execute(request)
            except TransportQueryError:
                raise
            except TransportError:
                await self._has_lost(session)

    def follow(
        self, query: str, after: str, take: Callable[[Data], None], **variables: Any
    ) -> None:
        """Follow a subscription with one root field, from a position on, over all sockets."""
        self._feeds.append(asyncio.create_task(self._follow(query, after, take, variables)))

    def cut(self) -> None:
        """Lose the socket as a phone in a tunnel does: no close frame."""
        socket = self._transport.adapter.websocket
        assert socket is not None, "there is no socket to lose"
        socket.transport.abort()

    async def _follow(
        self, query: str, after: str, take: Callable[[Data], None], variables: Data
    ) -> None:
        began = after
        while True:
            session = await self._current()
            self.resumed += after != began
            request = GraphQLRequest(query, variable_values={**variables, "after": after})
            try:
                async for data in session.subscribe(request):
                    (event,) = data.values()
                    after = event.get("cursor", after)  # typing and presence have no place
                    take(event)
            except TransportQueryError:
                raise
            except TransportError:
                await self._has_lost(session)

    async def _current(self) -> AsyncClientSession:
        await self._connected.wait()
        assert self._session is not None
        return self._session

    async def _has_lost(self, session: AsyncClientSession) -> None:
        if session is self._session:
            self._lost.set()
        await asyncio.sleep(RETRY_S)

    async def _stay(self) -> None:
        while True:
            with suppress(TransportError, OSError, TimeoutError):
                self._session = await self._client.connect_async()
                self._lost.clear()
                self._connected.set()
                await self._lost.wait()
            self._connected.clear()
            with suppress(TransportError, OSError):
                await self._client.close_async()
            await asyncio.sleep(RETRY_S)
