"""Run operations against a schema, as an actor, on the test's database."""

from __future__ import annotations

from typing import Any

import orjson
import strawberry

from domain.kernel.actor import NOBODY, Actor
from domain.kernel.ports import NO_EDGE, Edge, GraphQLAnswer, GraphQLRequest
from domain.kernel.work import Works
from schema.engine import SchemaEngine
from schema.live import LiveOperation
from schema.root import core_schema


class NobodyPresent:
    """A Presence in which nobody is there."""

    async def present(self, scope: str) -> frozenset[str]:
        return frozenset()


class Asking:
    """An engine with the shortest way to ask it."""

    def __init__(self, schema: strawberry.Schema, works: Works) -> None:
        self.engine = SchemaEngine(core_schema(schema), works, NobodyPresent())

    async def __call__(
        self, query: str, actor: Actor = NOBODY, *, edge: Edge = NO_EDGE, **variables: Any
    ) -> dict[str, Any]:
        """The whole answer as JSON."""
        answer = await self.engine.execute(GraphQLRequest(query, variables=variables), actor, edge)
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
        return live
