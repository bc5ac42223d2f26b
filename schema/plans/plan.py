"""Plans: an operation compiled, and the keeping of plans with their operations."""

from __future__ import annotations

from collections import Counter
from typing import Any

from graphql import (
    DirectiveNode,
    GraphQLError,
    GraphQLSchema,
    OperationType,
    VariableNode,
    Visitor,
    visit,
)
from graphql.execution.values import VariableValues

from schema.context import Context
from schema.documents import Operation
from schema.plans.answers import OnePerNull, answer_bytes
from schema.plans.careful import Careful
from schema.plans.connections import together
from schema.plans.reading import read_field
from schema.plans.run import Run
from schema.plans.shapes import Field, Operated, Shape, Uncovered
from schema.plans.shaping import Shaping
from schema.plans.source import Project, project_of
from schema.sharing import SharedContext

OUTCOMES_MAX = 16
"""Plans of one operation, one for each outcome of its directives; the rest is the reference's."""


class Plan:
    """One operation for one outcome of its directives: reads, then one pass to JSON."""

    def __init__(self, operated: Operated) -> None:
        for shape in operated.shapes:
            shape.project = project_of(shape)
        self._operated = operated
        self._roots = [(field, _alone(operated.root, field)) for field in operated.root.fields]
        self._is_serial = operated.operation.operation is OperationType.MUTATION

    async def answer(
        self, context: Context | SharedContext, variables: VariableValues, root: Any = None
    ) -> bytes:
        """The whole answer as JSON; ``root`` is the event of a subscription."""
        run = Run(self._operated, context, variables, root)
        errors = OnePerNull()
        data: dict[str, Any] = {}
        if self._operated.root.is_deep and not self._is_serial:
            await together([read_field(run, field, (root,)) for field, _ in self._roots])
        try:
            for field, project in self._roots:
                if self._is_serial:
                    await read_field(run, field, (root,))
                data.update(_projected(run, field, project, errors))
        except GraphQLError as error:
            errors.add(error, None)
            return answer_bytes(None, errors.errors)
        return answer_bytes(data, errors.errors)


def _projected(run: Run, field: Field, project: Project, errors: OnePerNull) -> dict[str, Any]:
    """The root field's part of the answer. Raises GraphQLError where all of it becomes null."""
    if not run.is_refused:
        try:
            part: dict[str, Any] = project(run.root, run.slots)
            return part
        except Exception:  # noqa: S110 - whatever it was, the careful way tells
            pass
    return {field.key: Careful(run, errors).field(field, run.root, None)}


def _alone(root: Shape, field: Field) -> Project:
    return project_of(Shape(root.of, root.cls, [field], has_row=False, is_row=False))


class Plans:
    """Compiles operations, and keeps what was made with the operation itself."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self.uncovered: Counter[str] = Counter()
        """Executions left to graphql-core, by reason."""

    def of(self, operation: Operation, variables: VariableValues) -> Plan | None:
        """The plan for these variables; None for graphql-core."""
        plans = operation.plans
        names = plans.get(_CONDITIONS)
        if names is None:
            names = plans[_CONDITIONS] = _conditions(operation)
        outcome = tuple(map(variables.coerced.get, names))
        made = plans.get(outcome)
        if made is None:
            made = self._made(operation, variables)
            if len(plans) <= OUTCOMES_MAX:
                plans[outcome] = made
        if isinstance(made, str):
            self.uncovered[made] += 1
            return None
        plan: Plan = made
        return plan

    def _made(self, operation: Operation, variables: VariableValues) -> Plan | str:
        if operation.plans[_CONDITIONS] is _FOREIGN:
            return "directives"
        if len(operation.plans) > OUTCOMES_MAX:
            return "outcomes"
        try:
            return Plan(Shaping(self._schema, operation, variables).operated())
        except Uncovered as reason:
            return str(reason)
        except GraphQLError:
            return "directives"  # with a value that they do not take


_CONDITIONS = "conditions"
_FOREIGN = ("",)
"""Instead of names: a directive that only graphql-core knows."""


def _conditions(operation: Operation) -> tuple[str, ...]:
    """Names of the variables in directives, of the whole document."""
    looking = _Directives()
    visit(operation.document, looking)
    return _FOREIGN if looking.is_foreign else tuple(looking.variables)


class _Directives(Visitor):
    """Collects the variables of directives."""

    def __init__(self) -> None:
        super().__init__()
        self.variables: dict[str, None] = {}
        self.is_foreign = False

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        """One directive."""
        self.is_foreign |= node.name.value not in ("skip", "include")
        for argument in node.arguments or ():
            if isinstance(argument.value, VariableNode):
                self.variables[argument.value.name.value] = None
