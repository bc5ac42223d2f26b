"""Subscriptions (订阅): which streams an operation follows, and how an event becomes an answer.

A subscription field is declared by a function that opens a ``Feed``: streams, an authorisation
that is asked anew, and a projection from event to object that reads nothing but the event (and
cached keys). The live layer follows the streams; nothing here knows a socket.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol
from uuid import UUID

import orjson
import strawberry
from graphql import GraphQLSchema, execute
from graphql.execution import ExecutionResult

from domain.kernel.actor import Actor
from domain.kernel.capabilities import Capability
from domain.kernel.streams import LoggedEvent
from schema.context import Context, Info
from schema.declare import DECLARED, Declared, Streamed
from schema.documents import Operation
from schema.errors import formatted
from schema.signatures import dress

CURSOR = "Position for `after` (位置)."
"""Of the field that every durable event has: clients that know nothing of us resume by it."""


class Feed(Protocol):
    """What a subscription follows. Written by a slice; see ``schema.consultations``."""

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams to follow."""
        ...

    @property
    def presence_scopes(self) -> tuple[str, ...]:
        """Where the subscriber counts as present."""
        ...

    async def authorise(self, actor: Actor) -> Mapping[str, int]:
        """First visible offset of each stream, from the database. Raises NotFound, Forbidden."""
        ...

    async def project(self, event: LoggedEvent) -> Any | None:
        """The event as the field's object; None when it is not for this subscription."""
        ...

    @property
    def receipts_of(self) -> UUID | None:
        """The account that owes a receipt for each event written to it; None: nobody."""
        ...


def streamed(
    needs: Capability, description: str
) -> Callable[[Callable[..., Feed | Awaitable[Feed]]], Any]:
    """A subscription by ``open(context: Context, …) -> Feed``.

    Its return annotation names the GraphQL type too: ``-> Annotated[Feed, ConversationEvent]``.
    Every subscription gets the argument ``after``.
    """

    def declare(open_feed: Callable[..., Feed | Awaitable[Feed]]) -> Any:
        signature = inspect.signature(open_feed, eval_str=True)
        of = signature.return_annotation.__metadata__[0]
        further = list(signature.parameters.values())[1:]

        async def stub(info: Info, **_arguments: Any) -> AsyncGenerator[Any, None]:
            raise RuntimeError("subscriptions run in the live layer")
            yield

        keyword = inspect.Parameter.KEYWORD_ONLY
        after = inspect.Parameter("after", keyword, default=None, annotation=_AFTER)
        parameters = [*(parameter.replace(kind=keyword) for parameter in further), after]
        returned = types.GenericAlias(AsyncGenerator, (of, None))
        return strawberry.subscription(
            resolver=dress(stub, parameters, like=open_feed, returned=returned),
            description=description,
            metadata={DECLARED: Declared(Streamed(open_feed), needs)},
        )

    return declare


@dataclass(slots=True)
class LiveOperation:
    """The port ``Live`` over a feed: one operation, executed anew for each event."""

    schema: GraphQLSchema
    operation: Operation
    variables: dict[str, Any]
    context: Context
    feed: Feed
    after: str | None
    needs: Capability

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams to follow."""
        return self.feed.streams

    @property
    def presence_scopes(self) -> tuple[str, ...]:
        """Where the subscriber counts as present."""
        return self.feed.presence_scopes

    async def authorise(self, actor: Actor) -> Mapping[str, int]:
        """Ask anew, with the actor as it is now."""
        actor.ensure_has(self.needs)
        first = await self.feed.authorise(actor)
        self.context = Context(actor, self.context.works, self.context.presence, self.context.edge)
        return first

    async def render(self, event: LoggedEvent) -> bytes | None:
        """The event's answer as JSON bytes."""
        root = await self.feed.project(event)
        if root is None:
            return None
        definition = self.operation.definition
        outcome = execute(
            self.schema,
            self.operation.document,
            root_value=root,
            context_value=self.context,
            variable_values=self.variables,
            operation_name=definition.name.value if definition.name else None,
        )
        result = await outcome if inspect.isawaitable(outcome) else outcome
        return answer_bytes(result)

    @property
    def share_key(self) -> bytes | None:
        """Nothing is shared."""
        return None

    def shared_rendering(self) -> Callable[[LoggedEvent], Awaitable[bytes | None]]:
        """Nothing is shared."""
        raise RuntimeError("nothing is shared")

    @property
    def receipts_of(self) -> UUID | None:
        """The account that owes a receipt for each event written to it; None: nobody."""
        return self.feed.receipts_of


def cursor_of(event: LoggedEvent) -> str:
    """The event's place, as ``after`` takes it."""
    return f"{event.stream}:{event.epoch}:{event.offset}"


def answer_bytes(result: ExecutionResult) -> bytes:
    """An execution result as JSON."""
    out: dict[str, Any] = {"data": result.data}
    if result.errors:
        out["errors"] = [formatted(error) for error in result.errors]
    return orjson.dumps(out)


_AFTER: Any = Annotated[
    str | None,
    strawberry.argument(
        description="Resume after this position, `stream:epoch:offset` of the last event (续传)."
    ),
]
