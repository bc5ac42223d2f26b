"""Run operations against a schema, as an actor, on the test's database."""

from __future__ import annotations

import dataclasses
from contextvars import ContextVar
from typing import Any

import orjson
import strawberry

from domain.kernel.actor import NOBODY, Actor
from domain.kernel.ports import NO_EDGE, Edge, GraphQLAnswer, GraphQLRequest
from domain.kernel.work import Works
from schema.engine import SchemaEngine
from schema.live import LiveOperation, _selected
from schema.root import core_schema

_done: ContextVar[dict[Any, Any] | None] = ContextVar("done", default=None)


def once(function: Any) -> Any:
    """The verb, which answers a second time what it answered first, in one ``Asking``."""
    if hasattr(function, "is_once"):
        return function

    async def function_once(source: Any, info: Any, **arguments: Any) -> Any:
        done = _done.get()
        if done is None:
            return await function(source, info, **arguments)
        if info.path not in done:
            try:
                done[info.path] = await function(source, info, **arguments)
            except Exception as error:
                done[info.path] = error
        return done[info.path]

    function_once.is_once = True  # type: ignore[attr-defined]  # so that none is wrapped twice
    return function_once


class NobodyPresent:
    """A Presence in which nobody is there."""

    async def present(self, scope: str) -> frozenset[str]:
        return frozenset()


class Asking:
    """An engine with the shortest way to ask it.

    Whatever is asked of it is asked of graphql-core too, and has to be the same to the byte; a
    mutation is done once, and both answer from what it brought. ``is_compared`` False: not so.
    """

    def __init__(
        self, schema: strawberry.Schema, works: Works, *, is_compared: bool = True
    ) -> None:
        core = core_schema(schema)
        self.engine = SchemaEngine(core, works, NobodyPresent())
        self.reference = SchemaEngine(core, works, NobodyPresent(), is_compiling=False)
        self.is_compared = is_compared
        if core.mutation_type is not None:
            for field in core.mutation_type.fields.values():
                verb = field.extensions["strawberry-definition"].base_resolver
                verb.wrapped_func = once(verb.wrapped_func)

    async def __call__(
        self, query: str, actor: Actor = NOBODY, *, edge: Edge = NO_EDGE, **variables: Any
    ) -> dict[str, Any]:
        """The whole answer as JSON."""
        return await self.ask(GraphQLRequest(query, variables=variables), actor, edge)

    async def ask(
        self, request: GraphQLRequest, actor: Actor = NOBODY, edge: Edge = NO_EDGE
    ) -> dict[str, Any]:
        """The same of a whole request."""
        _done.set({})
        answer = await self.engine.execute(request, actor, edge)
        if self.is_compared:
            self.reference._presence = self.engine._presence
            told = await self.reference.execute(request, actor, edge)
            assert answer == told, f"{request}\n{answer.body!r}\n{told.body!r}"
        parsed: dict[str, Any] = orjson.loads(answer.body)
        return parsed

    async def code(self, query: str, actor: Actor = NOBODY, **variables: Any) -> str | None:
        """The code of the first error; None when all went well."""
        errors = (await self(query, actor, **variables)).get("errors")
        return errors[0]["extensions"]["code"] if errors else None

    async def subscribe(self, query: str, actor: Actor = NOBODY, **variables: Any) -> LiveOperation:
        """The prepared subscription; its errors are the test's failure."""
        live = await self.engine.subscribe(GraphQLRequest(query, variables=variables), actor)
        assert not isinstance(live, GraphQLAnswer), live.body
        if self.is_compared:
            live.plan = _Both(live)  # type: ignore[assignment]  # it answers as a plan does
        return live


class _Both:
    """Renders by the plan and by graphql-core, which have to agree."""

    def __init__(self, live: LiveOperation) -> None:
        assert live.plan is not None, "every subscription of ours is covered"
        self._plan = live.plan
        self._reference = dataclasses.replace(live, plan=None)

    async def answer(self, context: Any, coerced: Any, root: Any) -> bytes:
        """The event's answer."""
        body = await self._plan.answer(context, coerced, root)
        assert body == await _selected(self._reference, root, context)
        return body
