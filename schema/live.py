"""Subscriptions (订阅): which streams an operation follows, and how an event becomes an answer.

A subscription field is declared by a function that opens a ``Feed``: streams, an authorisation
that is asked anew, and a projection from event to object that reads nothing but the event (and
cached keys). The live layer follows the streams; nothing here knows a socket.
"""

from __future__ import annotations

import dataclasses
import inspect
import types
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol
from uuid import UUID

import strawberry
from graphql import GraphQLSchema, execute
from graphql.execution.values import VariableValues

from domain.kernel.actor import Actor
from domain.kernel.capabilities import Capability
from domain.kernel.ports import SharePoisoned
from domain.kernel.streams import LoggedEvent
from schema.context import Context, Info
from schema.declare import DECLARED, Declared, Streamed
from schema.documents import Operation
from schema.plans.answers import Reference, answer_bytes
from schema.plans.inputs import NO_VARIABLES
from schema.plans.plan import Plan
from schema.sharing import SharedContext, SharedFeed, share_key
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
    Every subscription gets the argument ``after``. A feed whose class has a ``shared_by`` lets its
    subscribers share renderings (``schema.sharing``): it names the attributes of the feed that
    ``project`` reads, often none.
    """

    def declare(open_feed: Callable[..., Feed | Awaitable[Feed]]) -> Any:
        signature = inspect.signature(open_feed, eval_str=True)
        of = signature.return_annotation.__metadata__[0]
        shared_by = getattr(signature.return_annotation.__origin__, "shared_by", None)
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
            metadata={DECLARED: Declared(Streamed(open_feed, shared_by), needs)},
        )

    return declare


@dataclass(slots=True)
class LiveOperation:
    """The port ``Live`` over a feed: one operation, its plan run anew for each event."""

    schema: GraphQLSchema
    operation: Operation
    variables: dict[str, Any]
    context: Context
    feed: Feed
    after: str | None
    needs: Capability
    shape_key: bytes | None = None
    """Of the text and the variables, if they may be shared at all."""
    plan: Plan | None = None
    """How an event's object becomes bytes; None: graphql-core does it."""
    coerced: VariableValues = NO_VARIABLES

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
        return None if root is None else await _selected(self, root, self.context)

    @property
    def share_key(self) -> bytes | None:
        """Equal keys: equal bytes. None: rendered for this subscriber alone."""
        if self.shape_key is None:
            return None
        return share_key(self.shape_key, self.streams, self._shared_values())

    def shared_rendering(self) -> Callable[[LoggedEvent], Awaitable[bytes | None]]:
        """``render`` with nothing but what is in the share key. Raises SharePoisoned."""
        feed_type, values = type(self.feed), self._shared_values()
        alike = dataclasses.replace(self, context=NO_CONTEXT, feed=NO_FEED)

        async def render(event: LoggedEvent) -> bytes | None:
            context = SharedContext(alike.needs)
            feed: Any = SharedFeed(feed_type, values, context)
            try:
                root = await feed.project(event)
                body = None if root is None else await _selected(alike, root, context)
            finally:
                if context.is_poisoned:
                    raise SharePoisoned
            return body

        return render

    def _shared_values(self) -> dict[str, Any]:
        assert self.operation.shape is not None, "only what has a shape is shared"
        return {name: getattr(self.feed, name) for name in self.operation.shape.shared_by}

    @property
    def receipts_of(self) -> UUID | None:
        """The account that owes a receipt for each event written to it; None: nobody."""
        return self.feed.receipts_of


NO_CONTEXT: Any = None
NO_FEED: Any = None
"""A shared rendering outlives who asked for it first, and keeps nothing of them."""


async def _selected(live: LiveOperation, root: Any, context: Context | SharedContext) -> bytes:
    """What the operation selects of an event's object, as JSON bytes."""
    if live.plan is not None:
        return await live.plan.answer(context, live.coerced, root)
    definition = live.operation.definition
    outcome = execute(
        live.schema,
        live.operation.document,
        root_value=root,
        context_value=context,
        variable_values=live.variables,
        operation_name=definition.name.value if definition.name else None,
        executor_class=Reference,
    )
    result = await outcome if inspect.isawaitable(outcome) else outcome
    return answer_bytes(result.data, result.errors)


def cursor_of(event: LoggedEvent) -> str:
    """The event's place, as ``after`` takes it."""
    return f"{event.stream}:{event.epoch}:{event.offset}"


_AFTER: Any = Annotated[
    str | None,
    strawberry.argument(
        description="Resume after this position, `stream:epoch:offset` of the last event (续传); "
        "of each stream, separated by commas, where there are several."
    ),
]
