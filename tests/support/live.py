"""Twins of the live layer's ports: a small log, an engine, sessions, a socket; and a node of them.

Operations are ``query``, ``mutation`` and ``subscription`` by the first word of their text; a
subscription follows ``variables["streams"]`` and shares answers with those of the same text and
streams, unless its text says ``private``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

import orjson

from domain.kernel.actor import NOBODY, Actor
from domain.kernel.errors import NotFound
from domain.kernel.ports import (
    NO_EDGE,
    Delivery,
    Edge,
    GraphQLAnswer,
    GraphQLRequest,
    SharePoisoned,
)
from domain.kernel.streams import LoggedEvent
from realtime.announcer import BusAnnouncer
from realtime.authority import Admission
from realtime.bounds import LiveSettings
from realtime.bus import Bus, LocalBus
from realtime.frames import text_frame, text_of
from realtime.hub import Hub
from realtime.presence import LocalPresence, PresenceBook
from tests.support.clock import FrozenClock
from tests.support.small_log import Gates, SmallLog
from tests.support.timers import ManualTimers, settle

T = TypeVar("T")

HIDDEN = "test.hidden"
"""Events of this kind are for no subscription."""
POISON = "test.poison"
"""Rendering events of this kind for a group touches a viewer."""
TOKEN = "t"


@dataclass(eq=False)
class SmallLive:
    """A subscription to some streams, as far as its engine's ``rights`` go."""

    engine: SmallEngine
    streams: tuple[str, ...]
    after: str | None = None
    presence_scopes: tuple[str, ...] = ()
    receipts_of: UUID | None = None
    share_key: bytes | None = None

    async def authorise(self, actor: Actor) -> Mapping[str, int]:
        self.engine.authorised += 1
        account = actor.account()
        rights = await self.engine.passing(lambda: dict(self.engine.rights.get(account, {})))
        if any(stream not in rights for stream in self.streams):
            raise NotFound
        return {stream: rights[stream] for stream in self.streams}

    def shared_rendering(self) -> Callable[[LoggedEvent], Awaitable[bytes | None]]:
        async def render(event: LoggedEvent) -> bytes | None:
            if event.kind == POISON:
                raise SharePoisoned
            return await self.render(event)

        return render

    async def render(self, event: LoggedEvent) -> bytes | None:
        self.engine.renders += 1
        if self.engine.rendering.held is not None:
            await self.engine.rendering.passing(bool)
        if event.kind == HIDDEN:
            return None
        if event.kind == "test.broken":
            raise ZeroDivisionError
        return orjson.dumps({"data": {"event": {"kind": event.kind, **event.body}}})


class SmallEngine(Gates):
    """Executes the three kinds of operation."""

    def __init__(self) -> None:
        super().__init__()
        self.rights: dict[UUID, dict[str, int]] = {}
        self.lives: list[SmallLive] = []
        self.authorised = 0
        self.renders = 0
        self.executed: list[tuple[GraphQLRequest, Actor, Edge]] = []
        self.finished = 0
        self.execute_gate: asyncio.Event | None = None
        self.rendering = Gates()

    def allow(self, actor: Actor, stream: str, first: int = 1) -> None:
        """Let the actor see the stream from this offset on."""
        self.rights.setdefault(actor.account(), {})[stream] = first

    def forbid(self, actor: Actor, stream: str) -> None:
        del self.rights[actor.account()][stream]

    def kind(self, request: GraphQLRequest, actor: Actor = NOBODY) -> str | None:
        word = request.query.split(" ", 1)[0]
        return word if word in ("query", "mutation", "subscription") else None

    async def execute(
        self, request: GraphQLRequest, actor: Actor, edge: Edge = NO_EDGE
    ) -> GraphQLAnswer:
        self.executed.append((request, actor, edge))
        if self.execute_gate is not None:
            await self.execute_gate.wait()
        self.finished += 1
        if self.kind(request) is None:
            return GraphQLAnswer(b'{"errors":[{"message":"no such operation"}]}', True)
        return GraphQLAnswer(b'{"data":{"done":true},"extensions":{"rt":{"pos":{}}}}')

    async def subscribe(self, request: GraphQLRequest, actor: Actor) -> SmallLive | GraphQLAnswer:
        await asyncio.sleep(0)
        if "bad" in request.query:
            return GraphQLAnswer(b'{"errors":[{"message":"bad"}]}', True)
        streams = tuple(request.variables["streams"])
        scopes = streams if "present" in request.query else ()
        owing = actor.account_id if "receipts" in request.query else None
        key = None if "private" in request.query else f"{request.query} {streams}".encode()
        live = SmallLive(self, streams, request.variables.get("after"), scopes, owing, key)
        self.lives.append(live)
        return live


class SmallDeliveries:
    """Remembers what was taken down, batch by batch; can be down."""

    def __init__(self) -> None:
        self.batches: list[Sequence[Delivery]] = []
        self.is_down = False

    async def record(self, deliveries: Sequence[Delivery]) -> None:
        if self.is_down:
            raise OSError
        self.batches.append(deliveries)


class SmallSessions:
    """Sessions by token; a session's token is its account's name here."""

    def __init__(self) -> None:
        self._by_token: dict[str, Admission] = {}
        self.cookies_seen: list[str | None] = []
        self.counted: list[bool] = []
        """Whether each sign-in on a socket was a use."""
        self.refreshed = 0
        self.used = 0
        self.is_down = False

    def sign_in(self, token: str = TOKEN, *, expires_at: datetime | None = None) -> Actor:
        """A new account with one session."""
        actor = Actor(account_id=uuid4(), session_id=uuid4())
        self._by_token[token] = Admission(actor, expires_at)
        return actor

    def copy(self, token: str, other: SmallSessions) -> None:
        """The same session, as another node knows it."""
        self._by_token[token] = other._by_token[token]

    def change(self, token: str, admission: Admission | None) -> None:
        """The session is another one now, or has ended."""
        if admission is None:
            del self._by_token[token]
        else:
            self._by_token[token] = admission

    async def authenticate(
        self, token: str | None, cookie: str | None, *, is_used: bool = True
    ) -> Admission | None:
        self.cookies_seen.append(cookie)
        self.counted.append(is_used)
        await asyncio.sleep(0)
        return self._by_token.get(token or cookie or "")

    async def refresh(self, session_id: UUID, *, is_used: bool = False) -> Admission | None:
        self.refreshed += 1
        self.used += is_used
        await asyncio.sleep(0)
        if self.is_down:
            raise OSError
        found = (a for a in self._by_token.values() if a.actor.session_id == session_id)
        return next(found, None)


class SmallTransport:
    """A socket that keeps what was written."""

    def __init__(self) -> None:
        self.frames: list[Any] = []
        self.raw: list[bytes] = []
        self.closed: tuple[int, str] | None = None
        self.is_aborted = False
        self.unread_bytes = 0

    def write_frame(self, frame: bytes) -> int:
        assert self.closed is None, "nothing follows a close frame"
        text = text_of(frame)
        assert frame == text_frame(text), "the header tells another length"
        self.raw.append(frame)
        self.frames.append(orjson.loads(text))
        return self.unread_bytes

    def write_soon(self, frame: bytes) -> int:
        return self.write_frame(frame)

    def close(self, code: int, reason: str) -> None:
        assert self.closed is None, "closed twice"
        self.closed = (code, reason)

    def abort(self) -> None:
        self.is_aborted = True

    def buffered_bytes(self) -> int:
        return self.unread_bytes


class SmallClient:
    """A client that reads what it is sent."""

    def __init__(self, hub: Hub, **options: Any) -> None:
        self.socket = SmallTransport()
        self.connection = hub.open(self.socket, **options)

    async def say(self, **message: Any) -> None:
        self.connection.receive_text(json.dumps(message).encode())
        await settle()

    async def init(self, token: str = TOKEN, **more: Any) -> SmallClient:
        await self.say(type="connection_init", payload={"token": token, **more})
        return self

    async def subscribe(
        self, id_: str, *streams: str, since: Any = None, query: str = "subscription", **more: Any
    ) -> None:
        extensions = {} if since is None else {"rt": {"since": since}}
        payload = {
            "query": query,
            "variables": {"streams": list(streams), **more},
            "extensions": extensions,
        }
        await self.say(type="subscribe", id=id_, payload=payload)

    def of(self, id_: str) -> list[Any]:
        """The frames of one operation."""
        return [frame for frame in self.socket.frames if frame.get("id") == id_]

    def offsets(self, id_: str) -> list[int]:
        """The offsets of the durable events that one operation got."""
        rts = [f["payload"]["extensions"]["rt"] for f in self.of(id_) if f["type"] == "next"]
        return [rt["o"] for rt in rts if "o" in rt]

    def lives(self) -> list[Any]:
        """The announcements of live positions."""
        pings = [f.get("payload") or {} for f in self.socket.frames if f["type"] == "ping"]
        return [p["rt"]["live"] for p in pings if "live" in (p.get("rt") or {})]

    def code(self, id_: str) -> str:
        """The code with which the operation ended."""
        error = self.of(id_)[-1]
        assert error["type"] == "error", error
        code: str = error["payload"][0]["extensions"]["code"]
        return code


class SmallNode:
    """One process's live layer on twins, with a log that several nodes may share."""

    def __init__(
        self,
        *,
        log: SmallLog | None = None,
        bus: Bus | None = None,
        settings: LiveSettings | None = None,
        engine: SmallEngine | None = None,
        presence: PresenceBook | None = None,
    ) -> None:
        self.clock = FrozenClock()
        self.timers = ManualTimers()
        self.log = log or SmallLog()
        self.bus = bus or LocalBus()
        self.engine = engine or SmallEngine()
        self.sessions = SmallSessions()
        self.deliveries = SmallDeliveries()
        self.announcer = BusAnnouncer(self.bus)
        self.presence = presence or LocalPresence(self.announcer, self.timers)
        self.hub = Hub(
            self.engine,
            self.sessions,
            self.bus,
            self.presence,
            deliveries=self.deliveries,
            clock=self.clock,
            settings=settings,
            log=self.log,
            timers=self.timers,
        )

    def client(self, **options: Any) -> SmallClient:
        return SmallClient(self.hub, **options)

    async def publish(self, stream: str, *args: Any, hint: bool = True, **body: Any) -> LoggedEvent:
        """Commit, and hint at it."""
        event = self.log.append(stream, *args, **body)
        if hint:
            self.announcer.announce([event])
        await settle()
        return event


@asynccontextmanager
async def running(node: SmallNode) -> AsyncIterator[SmallNode]:
    """The node, started, and stopped in the end."""
    await node.hub.start()
    try:
        yield node
    finally:
        if node.engine.execute_gate is not None:
            node.engine.execute_gate.set()
        await settle()
        await node.hub.stop()
        for connection in node.hub.node.registry:
            connection.lost()
        await settle()
