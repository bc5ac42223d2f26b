"""Executes GraphQL: the port ``Engine`` for HTTP and sockets alike.

A document is parsed, validated and measured once; an operation then costs its execution. Never
raises but for cancellation: whatever happens becomes an answer with a stable code.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from graphql import GraphQLError, GraphQLSchema, execute

from domain.kernel.actor import Actor
from domain.kernel.capabilities import Capability
from domain.kernel.errors import DomainError
from domain.kernel.patience import Patience
from domain.kernel.ports import NO_EDGE, Edge, GraphQLAnswer, GraphQLRequest, Presence
from domain.kernel.texts import is_storable
from domain.kernel.work import Works
from schema.bind import _declared
from schema.context import Context
from schema.declare import Streamed
from schema.documents import DocumentCache, Operation
from schema.errors import formatted, refusal
from schema.limits import ensure_affordable
from schema.live import LiveOperation
from schema.plans.answers import Reference, answer_bytes
from schema.plans.arguments import Arguments
from schema.plans.inputs import Variables
from schema.plans.plan import Plans
from schema.trusted import TrustedDocuments

log = logging.getLogger("unionhall.schema")

OPERATION_S_MAX = 20.0
"""Seconds for one operation: a little more than the database allows one statement. Told within a
twentieth of it."""


class SchemaEngine:
    """The schema with all that an operation needs. One a process."""

    def __init__(
        self,
        schema: GraphQLSchema,
        works: Works,
        presence: Presence,
        *,
        is_introspectable: bool = True,
        is_compiling: bool = True,
        trusted: TrustedDocuments | None = None,
    ) -> None:
        self._schema = schema
        self._works = works
        self._presence = presence
        self._trusted = trusted or TrustedDocuments()
        self._documents = DocumentCache(schema, is_introspectable=is_introspectable)
        self.plans = Plans(schema)
        self._is_compiling = is_compiling
        self._patience = Patience(OPERATION_S_MAX)

    def kind(self, request: GraphQLRequest, actor: Actor) -> str | None:
        """query, mutation or subscription; None where the actor can run no such operation."""
        try:
            text = self._trusted.text_of(request, actor)
        except GraphQLError:
            return None
        operation = self._documents.get(text).operation(request.operation_name)
        return operation.kind if operation else None

    async def execute(
        self, request: GraphQLRequest, actor: Actor, edge: Edge = NO_EDGE
    ) -> GraphQLAnswer:
        """Run a query or mutation to its end."""
        operation = self._prepared(request, actor)
        if isinstance(operation, GraphQLAnswer):
            return operation
        if operation.kind == "subscription":
            return _refused(refusal("graphql.subscription_needs_socket"))
        variables = self._variables(operation).coerced(request.variables)
        if isinstance(variables, list):
            return _refused(*variables)
        context = Context(actor, self._works, self._presence, edge)
        plan = self.plans.of(operation, variables) if self._is_compiling else None
        try:
            with self._patience.limit():
                if plan is not None:
                    return GraphQLAnswer(await plan.answer(context, variables))
                return await self._interpreted(operation, request, context)
        except TimeoutError:
            return _refused(refusal("unavailable"))
        except Exception as bug:
            log.error("internal: %s outside any field", type(bug).__name__)
            return _refused(refusal("internal"))

    async def _interpreted(
        self, operation: Operation, request: GraphQLRequest, context: Context
    ) -> GraphQLAnswer:
        """By graphql-core: what no plan covers, and what plans are tested against."""
        outcome = execute(
            self._schema,
            operation.document,
            context_value=context,
            variable_values=dict(request.variables),
            operation_name=request.operation_name or None,
            hide_suggestions=True,
            executor_class=Reference,
        )
        result = await outcome if inspect.isawaitable(outcome) else outcome
        if result.data is None and result.errors and all(e.path is None for e in result.errors):
            return _refused(*result.errors)
        return GraphQLAnswer(answer_bytes(result.data, result.errors))

    async def subscribe(
        self, request: GraphQLRequest, actor: Actor, edge: Edge = NO_EDGE
    ) -> LiveOperation | GraphQLAnswer:
        """Prepare a subscription; whether the actor may is asked by ``authorise``."""
        operation = self._prepared(request, actor)
        if isinstance(operation, GraphQLAnswer):
            return operation
        if operation.kind != "subscription":
            return _refused(refusal("graphql.not_a_subscription"))
        context = Context(actor, self._works, self._presence, edge)
        try:
            return await self._open(operation, request, context)
        except GraphQLError as error:
            return _refused(error)
        except DomainError as error:
            return _refused(GraphQLError(error.code, original_error=error))
        except Exception as bug:
            log.error("internal: %s while subscribing", type(bug).__name__)
            return _refused(refusal("internal"))

    def _prepared(self, request: GraphQLRequest, actor: Actor) -> Operation | GraphQLAnswer:
        try:
            document = self._documents.get(self._trusted.text_of(request, actor))
        except GraphQLError as error:
            return _refused(error)
        if document.errors:
            return _refused(*document.errors, code=document.code)
        operation = document.operation(request.operation_name)
        if operation is None:
            return _refused(refusal("graphql.unknown_operation"))
        if not _are_storable(request.variables):
            return _refused(refusal("text.bad_character"))
        if operation.plans and not operation.definition.variable_definitions:
            return operation  # it was affordable before, and nothing about it can change
        try:
            ensure_affordable(operation.cost, request.variables)
        except GraphQLError as error:
            return _refused(error)
        return operation

    async def _open(
        self, operation: Operation, request: GraphQLRequest, context: Context
    ) -> LiveOperation:
        opening = operation.found.get("opening") or self._opening(operation)
        coerced = self._variables(operation).coerced(request.variables)
        if isinstance(coerced, list):
            raise coerced[0]
        context.ensure(opening.needs)
        arguments = opening.arguments.converted(coerced)
        after = arguments.pop("after", None)
        feed = opening.source.open(context, **arguments)
        return LiveOperation(
            self._schema,
            operation,
            dict(request.variables),
            context,
            await feed if inspect.isawaitable(feed) else feed,
            after,
            opening.needs,
            operation.shape.with_variables(coerced.coerced) if operation.shape else None,
            self.plans.of(operation, coerced) if self._is_compiling else None,
            coerced,
        )

    def _variables(self, operation: Operation) -> Variables:
        found: Variables | None = operation.found.get("variables")
        if found is None:
            found = Variables(self._schema, operation.definition)
            operation.found["variables"] = found
        return found

    def _opening(self, operation: Operation) -> _Opening:
        root = self._schema.subscription_type
        assert root is not None, "a validated subscription has its root type"
        node: Any = operation.definition.selection_set.selections[0]
        if node.kind != "field":
            raise refusal("graphql.subscription_root_fragment")
        field = root.fields[node.name.value]
        declared = _declared(field)
        assert declared is not None
        assert isinstance(declared.source, Streamed)
        assert declared.needs is not None
        arguments = Arguments(self._schema, field, node)
        opening = _Opening(declared.source, declared.needs, arguments)
        operation.found["opening"] = opening
        return opening


@dataclass(frozen=True, slots=True)
class _Opening:
    """How a subscription of this text is opened, whoever asks and with whatever variables."""

    source: Streamed
    needs: Capability
    arguments: Arguments


def _refused(*errors: GraphQLError, code: str | None = None) -> GraphQLAnswer:
    body = orjson.dumps({"errors": [formatted(error, code) for error in errors]})
    return GraphQLAnswer(body, is_request_error=True)


def _are_storable(values: Any) -> bool:
    """Whether every text in the variables can be stored: no NUL, no lone surrogate."""
    pending: list[Any] = [values]
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            if not is_storable(value):
                return False
        elif isinstance(value, dict):
            pending.extend(value.keys())
            pending.extend(value.values())
        elif isinstance(value, Sequence) and not isinstance(value, bytes):
            pending.extend(value)
    return True
