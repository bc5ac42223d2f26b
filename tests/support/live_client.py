"""A stranger's client for flows: graphql-transport-ws by hand, reconnecting, resuming.

It knows nothing of our code: what it holds afterwards is what a member's phone would hold.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

RECONNECT_S = 0.1
CONNECT_TIMEOUT_S = 5.0

Event = dict[str, Any]


class Dropped(Exception):
    """The socket died before the answer came: whether it was done is unknown."""


class Refused(Exception):
    """The server answered with an error."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(errors[0].get("extensions", {}).get("code", errors[0]["message"]))
        self.errors = errors
        self.code: str = str(self)


class Following:
    """One subscription that survives its sockets: it holds its position in each stream."""

    def __init__(self, query: str, variables: dict[str, Any], on_event: Callable[[Event], None]):
        self.query = query
        self.variables = variables
        self.on_event = on_event
        self.since: dict[str, tuple[str, int]] = {}
        self.live = asyncio.Event()
        self.errors: list[dict[str, Any]] = []
        self.over = asyncio.Event()

    @property
    def is_over(self) -> bool:
        """Whether the server has ended it with errors."""
        return self.over.is_set()

    def take(self, payload: Event) -> None:
        """Apply one ``next``. What comes twice, and a gap, is the test's failure.

        Nothing is dropped here: each socket is asked for what comes after ``since``, so what it
        brings is above that and above all that it has brought.
        """
        rt = payload.get("extensions", {}).get("rt", {})
        if "o" in rt:
            stream, offset = rt["s"], rt["o"]
            epoch, last = self.since.get(stream, ("", None))
            # The position before a stream's first event has no epoch yet.
            assert epoch in {"", rt["e"]}, f"another history of {stream} without a word"
            if last is not None:
                assert offset > last, f"doubled in {stream}: {offset} after {last}"
                follows = rt.get("p", offset - 1)
                assert follows == last, f"gap in {stream}: {last} → {follows}, {offset}"
            self.since[stream] = (rt["e"], offset)
        self.on_event(payload["data"])

    def lives_from(self, positions: Mapping[str, Sequence[Any]]) -> None:
        """It is live from these positions (epoch, offset) on: none is behind what was brought."""
        for stream, (epoch, offset) in positions.items():
            before, last = self.since.get(stream, (epoch, 0))
            assert before != epoch or offset >= last, f"{stream} went back: {last} → {offset}"
            self.since[stream] = (epoch, offset)
        self.live.set()


class LiveClient:
    """Connects to one of several servers, and again when the socket dies.

    A server that breaks its word (doubles, leaves out) ends it: ``execute`` raises from then on,
    and so does leaving the block.
    """

    def __init__(self, urls: Callable[[], Sequence[str]], token: str) -> None:
        self._urls = urls
        self._token = token
        self._ids = itertools.count(1)
        self._pending: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._following: dict[str, Following] = {}
        self._socket: ClientConnection | None = None
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._fault: AssertionError | None = None
        self.close_codes: list[int | None] = []
        self.connects = 0

    async def __aenter__(self) -> LiveClient:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def execute(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of one operation. Raises Dropped, Refused."""
        await self._ready.wait()
        if self._fault is not None:
            raise self._fault
        socket, id_ = self._socket, str(next(self._ids))
        assert socket is not None
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._pending[id_] = answer
        try:
            await self._say(socket, id_, query, variables, {})
            return await answer
        except ConnectionClosed as closed:
            raise Dropped from closed
        finally:
            self._pending.pop(id_, None)

    async def follow(
        self,
        query: str,
        on_event: Callable[[Event], None],
        *,
        since: Mapping[str, tuple[str, int]] | None = None,
        **variables: Any,
    ) -> Following:
        """Follow a subscription over all sockets to come, from ``since`` or from now on."""
        following = Following(query, variables, on_event)
        following.since |= since or {}
        id_ = str(next(self._ids))
        self._following[id_] = following
        if self._ready.is_set() and self._socket is not None:
            with suppress(ConnectionClosed):
                await self._say(self._socket, id_, query, variables, following.since)
        return following

    def pin(self, url: str) -> None:
        """Connect to this server only."""
        self._urls = lambda: [url]

    @property
    def followings(self) -> list[Following]:
        """What is followed, in the order of asking."""
        return list(self._following.values())

    async def cut(self) -> None:
        """Lose the socket as a phone in a tunnel does: no close frame."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def _run(self) -> None:
        while True:
            try:
                await self._once(random.choice(list(self._urls())))
            except AssertionError as fault:
                self._fault = fault
                self._lose()
                self._ready.set()  # whoever waits to say something is told
                raise
            except (OSError, TimeoutError, ConnectionClosed, InvalidHandshake):
                pass
            self._lose()
            await asyncio.sleep(RECONNECT_S * random.random())

    async def _once(self, url: str) -> None:
        protocol = Subprotocol("graphql-transport-ws")
        async with connect(
            url,
            subprotocols=[protocol],
            compression=None,
            proxy=None,
            open_timeout=CONNECT_TIMEOUT_S,
            ping_interval=None,
            max_size=2**22,
        ) as socket:
            await socket.send(
                json.dumps({"type": "connection_init", "payload": {"token": self._token}})
            )
            try:
                async for raw in socket:
                    await self._take(socket, json.loads(raw))
            finally:
                self.close_codes.append(socket.close_code)

    async def _take(self, socket: ClientConnection, message: dict[str, Any]) -> None:
        kind, id_ = message["type"], message.get("id", "")
        if kind == "connection_ack":
            self._socket = socket
            self.connects += 1
            for op, following in self._following.items():
                if not following.is_over:
                    await self._say(
                        socket, op, following.query, following.variables, following.since
                    )
            self._ready.set()
        elif kind == "ping":
            await socket.send(json.dumps({"type": "pong"}))
            self._note_live(message.get("payload") or {})
        elif kind == "next" and id_ in self._following:
            self._following[id_].take(message["payload"])
        elif kind == "next" and id_ in self._pending:
            self._answer(id_, message["payload"])
        elif kind == "error":
            self._fail(id_, message["payload"])

    def _note_live(self, payload: dict[str, Any]) -> None:
        for op, positions in payload.get("rt", {}).get("live", {}).items():
            following = self._following.get(op)
            if following is not None:
                following.lives_from(positions)

    def _answer(self, id_: str, payload: dict[str, Any]) -> None:
        answer = self._pending[id_]
        if answer.done():
            return
        if payload.get("errors"):
            answer.set_exception(Refused(payload["errors"]))
        else:
            answer.set_result(payload["data"])

    def _fail(self, id_: str, errors: list[dict[str, Any]]) -> None:
        if id_ in self._following:
            following = self._following[id_]
            following.errors = errors
            following.over.set()
            following.live.set()
        elif (answer := self._pending.get(id_)) is not None and not answer.done():
            answer.set_exception(Refused(errors))

    def _lose(self) -> None:
        self._ready.clear()
        self._socket = None
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(Dropped())
        for following in self._following.values():
            if not following.is_over:
                following.live.clear()

    async def _say(
        self,
        socket: ClientConnection,
        id_: str,
        query: str,
        variables: dict[str, Any],
        since: dict[str, tuple[str, int]],
    ) -> None:
        payload: dict[str, Any] = {"query": query, "variables": variables}
        if since:
            payload["extensions"] = {"rt": {"since": {s: list(p) for s, p in since.items()}}}
        await socket.send(json.dumps({"id": id_, "type": "subscribe", "payload": payload}))
