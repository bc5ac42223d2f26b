"""Where rooms meet that never import each other: small Protocols, bound together in the wiring."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from domain.kernel.actor import Actor
from domain.kernel.streams import Json, LoggedEvent


class Clock(Protocol):
    """Tells the instant; tests freeze it."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...


class Announcer(Protocol):
    """Tells other nodes and this one what was committed. Never blocks, never raises.

    What it tells is a hint: it may be lost, doubled or late, and nothing breaks.
    """

    def announce(self, events: Sequence[LoggedEvent]) -> None:
        """Hint at committed events."""
        ...

    def whisper(self, stream: str, kind: str, body: Mapping[str, Json]) -> None:
        """Pass on something ephemeral (typing, presence) that is never stored."""
        ...


class Presence(Protocol):
    """Who has an open socket in a scope, such as one conversation."""

    async def present(self, scope: str) -> frozenset[str]:
        """The keys (account ids) present in the scope, on any node."""
        ...


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """One operation as a client sent it, already of the right JSON types."""

    query: str
    operation_name: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    extensions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GraphQLAnswer:
    """What came of an operation: JSON bytes of one execution result.

    ``is_request_error``: it failed before execution began, so that there is no ``data`` key.
    """

    body: bytes
    is_request_error: bool = False


@dataclass(slots=True)
class ResponseCookies:
    """What an operation wants done to the session cookie; the HTTP view writes the header.

    A socket has no response: an operation that needs one finds ``Edge.cookies`` None there.
    """

    session_token: str | None = field(default=None, repr=False)
    """Set it to sign the browser in; the cookie is HttpOnly and never read by a script."""
    expires_in_s: int | None = None
    """Lifetime in the browser; None: until the browser closes."""
    is_cleared: bool = False
    """Set it to sign the browser out."""

    def set_session(self, token: str, *, expires_in_s: int | None = None) -> None:
        """Sign the browser in with this token; a later ``clear`` in the same request wins."""
        self.session_token, self.expires_in_s = token, expires_in_s

    def clear(self) -> None:
        """Sign the browser out."""
        self.session_token, self.is_cleared = None, True


@dataclass(frozen=True, slots=True)
class Edge:
    """What the edge knows of a request beside its actor: for rate limits, device list, cookies."""

    client_key: str = ""
    """A keyed digest of the client's network address (never the address): counts attempts."""
    user_agent: str = ""
    """At most 200 printable characters, as the client said: shown to the owner as a device."""
    cookies: ResponseCookies | None = None
    """Collects what is to be done to the session cookie; None where no response carries one."""


NO_EDGE = Edge()


class SharePoisoned(Exception):
    """A rendering for many touched something of one viewer: nothing of it may be sent."""


class Live(Protocol):
    """One running subscription as the live layer sees it: streams to follow, a way to render.

    ``authorise`` asks the database anew each time; it raises NotFound or Forbidden when the right
    is gone. ``render`` reads nothing but the event and returns one execution result as JSON bytes
    ``{"data":…}``, or None when the event is not for this subscription.
    """

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams to follow."""
        ...

    @property
    def after(self) -> str | None:
        """The schema-level resume position (``after``), for clients without ``extensions.rt``."""
        ...

    @property
    def presence_scopes(self) -> tuple[str, ...]:
        """Scopes in which the subscriber counts as present while the subscription runs."""
        ...

    async def authorise(self, actor: Actor) -> Mapping[str, int]:
        """For each stream the first offset that the actor may see."""
        ...

    async def render(self, event: LoggedEvent) -> bytes | None:
        """The event as this subscription's answer."""
        ...

    @property
    def share_key(self) -> bytes | None:
        """Equal keys: equal bytes for every event. None, the default: shared with nobody.

        Good from one ``authorise`` to the next, which may have found another class of viewer.
        """
        ...

    def shared_rendering(self) -> Callable[[LoggedEvent], Awaitable[bytes | None]]:
        """``render`` for all who have this share key now; raises SharePoisoned.

        It holds nothing of this viewer, so that it may outlive the subscription.
        """
        ...

    @property
    def receipts_of(self) -> UUID | None:
        """The account that owes a receipt for each durable event written to it; None: nobody.

        It stays what it is while the subscription runs, so that whoever writes may ask once.
        """
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """A durable event was written to an open socket of this account at this instant."""

    account_id: UUID
    event: LoggedEvent
    at: datetime


class Deliveries(Protocol):
    """Takes down what was written to sockets, for many accounts at once (自动回执)."""

    async def record(self, deliveries: Sequence[Delivery]) -> None:
        """What these prove is committed; what is known already stays as it was first.

        Whether an account had a right to the event at that instant is asked of the database here,
        row by row, and not taken from the caller. Raises what the database raises: then nothing
        has been taken down, and the caller may give up, since receipts never hold up delivery.
        """
        ...


class Engine(Protocol):
    """Executes GraphQL: the schema room, as the live layer and the HTTP view see it."""

    def kind(self, request: GraphQLRequest, actor: Actor) -> str | None:
        """query, mutation or subscription; None when the actor can run no such operation."""
        ...

    async def execute(
        self, request: GraphQLRequest, actor: Actor, edge: Edge = NO_EDGE
    ) -> GraphQLAnswer:
        """Run a query or mutation to its end. Never raises but for cancellation."""
        ...

    async def subscribe(self, request: GraphQLRequest, actor: Actor) -> Live | GraphQLAnswer:
        """Prepare a subscription, or answer with request errors. Authorisation comes after."""
        ...
