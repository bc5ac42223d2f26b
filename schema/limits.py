"""What a document may ask for (限额): depth, aliases, root fields and cost, in one memoised pass.

Each fragment is measured once, however often it is spread, so that measuring is linear in the
document; strawberry's own limiters follow every path and block for seconds on 671 bytes. The cost
of lists asked with a variable is a small formula, evaluated with the variables of the request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
)

from domain.kernel.pages import PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX
from schema.errors import refusal

DOCUMENT_BYTES_MAX = 16_384
"""Bytes of a document: the largest of our own clients' is a quarter of it."""
DOCUMENT_TOKENS_MAX = 1_500
"""Tokens of a document; bounds parsing and validating to a few milliseconds."""
DEPTH_MAX = 12
"""Levels of fields: connection, edges, node and two hops need eight."""
ALIASES_MAX = 30
"""Aliased fields after expanding fragments: an alias is a way to batch."""
ROOT_FIELDS_MAX = 20
"""Root fields of a query."""
ROOT_MUTATIONS_MAX = 5
"""Root fields of a mutation, and one only where guessing pays (``ONCE_ONLY``)."""
COST_MAX = 10_000
"""Objects that an operation may produce at the most."""
DIRECTIVES_MAX = 40
"""Directives of a document."""

ONCE_ONLY = frozenset({"signIn", "refreshSession", "changePassword"})
"""Mutations that may stand alone only: aliases would multiply guesses (OWASP API4)."""

Cost: TypeAlias = Callable[[Mapping[str, Any], dict[str, int]], int]


@dataclass(frozen=True, slots=True)
class _Fixed:
    """A cost that no variable changes: most are, and cost nothing to evaluate."""

    amount: int

    def __call__(self, _variables: Mapping[str, Any], _known: dict[str, int]) -> int:
        return self.amount


@dataclass(frozen=True, slots=True)
class Measure:
    """What a selection amounts to: levels, aliases, directives, and its cost as a formula."""

    depth: int
    aliases: int
    directives: int
    cost: Cost


class _Measuring:
    """One document's pass; fragments by name are measured once."""

    def __init__(self, document: DocumentNode) -> None:
        self.fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        self.known: dict[str, Measure] = {}
        self.open: set[str] = set()

    def measure(self, selection_set: SelectionSetNode | None) -> Measure:
        """The selection's measure; introspection counts nothing, the core bounds it itself."""
        depth = aliases = directives = 0
        costs: list[Cost] = []
        for selection in selection_set.selections if selection_set else ():
            directives += len(selection.directives or ())
            if isinstance(selection, FieldNode):
                inner = self.field(selection)
            elif isinstance(selection, InlineFragmentNode):
                inner = self.measure(selection.selection_set)
            else:
                assert isinstance(selection, FragmentSpreadNode)
                inner = self.fragment(selection.name.value)
            depth = max(depth, inner.depth)
            aliases += inner.aliases
            directives += inner.directives
            costs.append(inner.cost)
        return Measure(depth, aliases, directives, _sum(costs))

    def field(self, node: FieldNode) -> Measure:
        """A field: one object if it has a selection, times the rows it may list."""
        alias = 1 if node.alias is not None else 0
        if node.name.value.startswith("__"):
            return Measure(1, alias, 0, _sum([]))
        if node.selection_set is None:
            return Measure(1, alias, 0, _sum([]))
        inner = self.measure(node.selection_set)
        return Measure(
            inner.depth + 1, inner.aliases + alias, inner.directives, _times(node, inner.cost)
        )

    def fragment(self, name: str) -> Measure:
        """A named fragment, measured once; a cycle or an unknown name is validation's to refuse."""
        if name in self.known:
            return self.known[name]
        definition = self.fragments.get(name)
        if definition is None or name in self.open:
            return Measure(0, 0, 0, _sum([]))
        self.open.add(name)
        measured = self.measure(definition.selection_set)
        self.open.discard(name)
        if isinstance(measured.cost, _Fixed):
            self.known[name] = measured
            return measured

        def cost(variables: Mapping[str, Any], known: dict[str, int]) -> int:
            if name not in known:
                known[name] = measured.cost(variables, known)
            return known[name]

        self.known[name] = Measure(measured.depth, measured.aliases, measured.directives, cost)
        return self.known[name]


def ensure_within_limits(document: DocumentNode) -> dict[str | None, Cost]:
    """For each operation its cost formula. Raises GraphQLError with a ``graphql.too_…`` code."""
    measuring = _Measuring(document)
    costs: dict[str | None, Cost] = {}
    for operation in document.definitions:
        if not isinstance(operation, OperationDefinitionNode):
            continue
        _ensure_few_roots(operation, measuring)
        measured = measuring.measure(operation.selection_set)
        # The standard introspection query is deep by nature; the core has a rule of its own for it.
        depth = 0 if _is_introspection(operation, measuring) else measured.depth
        for code, amount, most in (
            ("graphql.too_deep", depth, DEPTH_MAX),
            ("graphql.too_many_aliases", measured.aliases, ALIASES_MAX),
            ("graphql.too_many_directives", measured.directives, DIRECTIVES_MAX),
        ):
            if amount > most:
                raise refusal(code, max=most)
        costs[operation.name.value if operation.name else None] = measured.cost
    return costs


def ensure_affordable(cost: Cost, variables: Mapping[str, Any]) -> None:
    """Pass if the operation with these variables costs no more than COST_MAX."""
    if cost(variables, {}) > COST_MAX:
        raise refusal("graphql.too_costly", max=COST_MAX)


def _ensure_few_roots(operation: OperationDefinitionNode, measuring: _Measuring) -> None:
    names = list(_root_names(operation.selection_set, measuring, ROOT_FIELDS_MAX + 1))
    is_mutation = operation.operation is OperationType.MUTATION
    most = ROOT_MUTATIONS_MAX if is_mutation else ROOT_FIELDS_MAX
    if is_mutation and len(names) > 1 and ONCE_ONLY.intersection(names):
        most = 1
    if len(names) > most:
        raise refusal("graphql.too_many_root_fields", max=most)


def _root_names(selection_set: SelectionSetNode, measuring: _Measuring, most: int) -> Iterator[str]:
    """Names of root fields through fragments, at most ``most``; each fragment is entered once."""
    pending, entered, count = [selection_set], set[str](), 0
    while pending:
        for selection in pending.pop().selections:
            if isinstance(selection, FieldNode):
                yield selection.name.value
                count += 1
                if count >= most:
                    return
            elif isinstance(selection, InlineFragmentNode):
                pending.append(selection.selection_set)
            elif isinstance(selection, FragmentSpreadNode):
                name = selection.name.value
                if name in measuring.fragments and name not in entered:
                    entered.add(name)
                    pending.append(measuring.fragments[name].selection_set)


def _is_introspection(operation: OperationDefinitionNode, measuring: _Measuring) -> bool:
    names = list(_root_names(operation.selection_set, measuring, ROOT_FIELDS_MAX))
    return bool(names) and all(name in {"__schema", "__type"} for name in names)


def _sum(costs: list[Cost]) -> Cost:
    fixed = sum(cost.amount for cost in costs if isinstance(cost, _Fixed))
    others = [cost for cost in costs if not isinstance(cost, _Fixed)]
    if not others:
        return _Fixed(fixed)
    return lambda variables, known: fixed + sum(cost(variables, known) for cost in others)


def _times(node: FieldNode, inner: Cost) -> Cost:
    """One object, plus its inside as often as ``first``/``last`` allow."""
    for argument in node.arguments or ():
        if argument.name.value not in {"first", "last"}:
            continue
        if isinstance(argument.value, IntValueNode):
            return _so_often(min(abs(int(argument.value.value[:6])), PAGE_ROWS_MAX), inner)
        if isinstance(argument.value, VariableNode):
            name = argument.value.name.value
            return lambda variables, known: 1 + _rows(variables.get(name)) * inner(variables, known)
    has_page = any(
        isinstance(child, FieldNode) and child.name.value in {"edges", "pageInfo"}
        for child in (node.selection_set.selections if node.selection_set else ())
    )
    return _so_often(PAGE_ROWS_DEFAULT if has_page else 1, inner)


def _so_often(rows: int, inner: Cost) -> Cost:
    if isinstance(inner, _Fixed):
        return _Fixed(1 + rows * inner.amount)
    return lambda variables, known: 1 + rows * inner(variables, known)


def _rows(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        return PAGE_ROWS_DEFAULT
    return min(abs(value), PAGE_ROWS_MAX)


def too_long(text: str) -> GraphQLError | None:
    """A refusal of a document over its bytes, before anything looks into it."""
    if len(text) > DOCUMENT_BYTES_MAX or len(text.encode(errors="replace")) > DOCUMENT_BYTES_MAX:
        return refusal("graphql.too_long", max=DOCUMENT_BYTES_MAX)
    return None
