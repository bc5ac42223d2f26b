"""Documents, parsed, validated and measured once each, by their text."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FloatValueNode,
    GraphQLError,
    GraphQLSchema,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    StringValueNode,
    Visitor,
    parse,
    validate,
    visit,
)

from domain.kernel.json_text import DIGITS_MAX
from domain.kernel.texts import is_storable
from schema.errors import refusal
from schema.limits import DOCUMENT_TOKENS_MAX, Cost, ensure_within_limits, too_long
from schema.sharing import Shape, shape_of

DOCUMENTS_MAX = 1_000
"""Documents kept; our clients have a few hundred, 16 KiB each bounds this to some megabytes."""
VALIDATION_ERRORS_MAX = 20
"""Mistakes reported for one document."""
_SUSPECT = re.compile(rf"\\u|[-+.eE0-9]{{{DIGITS_MAX + 1}}}")
"""Where a literal may be worth a closer look: nearly no document of a client."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a valid document."""

    document: DocumentNode
    definition: OperationDefinitionNode
    cost: Cost
    shape: Shape | None = None
    """What a subscription shares by its text; None: nothing."""
    plans: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)
    """What ``schema.plans`` made of it, kept and dropped with it."""
    found: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """What ``schema.engine`` needs of it whoever asks, found once."""

    @property
    def kind(self) -> str:
        """query, mutation or subscription."""
        return self.definition.operation.value


@dataclass(frozen=True, slots=True)
class Document:
    """What a text amounts to: operations by name, or the mistakes and their code."""

    operations: dict[str | None, Operation]
    errors: tuple[GraphQLError, ...] = ()
    code: str | None = None

    def operation(self, name: str | None) -> Operation | None:
        """The operation of this name; without a name, the only one."""
        if name is not None and name != "":
            return self.operations.get(name)
        if len(self.operations) == 1:
            return next(iter(self.operations.values()))
        return None


class DocumentCache:
    """Texts seen lately, the least recently used dropped first."""

    def __init__(self, schema: GraphQLSchema, *, is_introspectable: bool = True) -> None:
        self._schema = schema
        self._is_introspectable = is_introspectable
        self._known: OrderedDict[str, Document] = OrderedDict()

    def get(self, text: str) -> Document:
        """The document of this text."""
        known = self._known.get(text)
        if known is not None:
            self._known.move_to_end(text)
            return known
        if error := too_long(text):
            return Document({}, (error,), "graphql.too_long")
        made = self._make(text)
        self._known[text] = made
        if len(self._known) > DOCUMENTS_MAX:
            self._known.popitem(last=False)
        return made

    def _make(self, text: str) -> Document:
        try:
            parsed = parse(text, max_tokens=DOCUMENT_TOKENS_MAX)
        except GraphQLError as error:
            return Document({}, (error,), "graphql.parse_failed")
        except RecursionError:
            return Document({}, (refusal("graphql.too_deep"),), "graphql.too_deep")
        if _SUSPECT.search(text) and (bad := _bad_literal(parsed)):
            return Document({}, (bad,), None)
        try:
            costs = ensure_within_limits(parsed)
        except GraphQLError as error:
            return Document({}, (error,), None)
        if not self._is_introspectable and ("__schema" in text or "__type(" in text):
            return Document({}, (refusal("graphql.introspection_off"),), None)
        mistakes = validate(self._schema, parsed, max_errors=VALIDATION_ERRORS_MAX)
        if mistakes:
            return Document({}, tuple(mistakes), "graphql.validation_failed")
        return Document(
            {
                (node.name.value if node.name else None): Operation(
                    parsed,
                    node,
                    costs[node.name.value if node.name else None],
                    shape_of(self._schema, parsed, node, text)
                    if node.operation is OperationType.SUBSCRIPTION
                    else None,
                )
                for node in parsed.definitions
                if isinstance(node, OperationDefinitionNode)
            }
        )


def _bad_literal(document: DocumentNode) -> GraphQLError | None:
    """A refusal of a text or number in the document that would be refused in the variables."""
    looking = _Looking()
    visit(document, looking)
    return looking.found


class _Looking(Visitor):
    """Looks at each literal, wherever it stands."""

    def __init__(self) -> None:
        super().__init__()
        self.found: GraphQLError | None = None

    def enter_string_value(self, node: StringValueNode, *_: Any) -> None:
        """A NUL; the parser itself refuses lone surrogates."""
        if not is_storable(node.value):
            self.found = refusal("text.bad_character")

    def enter_int_value(self, node: IntValueNode, *_: Any) -> None:
        """More digits than Python would convert."""
        if len(node.value) > DIGITS_MAX:
            self.found = refusal("json.number", max=DIGITS_MAX)

    def enter_float_value(self, node: FloatValueNode, *_: Any) -> None:
        """The same, whatever it amounts to."""
        if len(node.value) > DIGITS_MAX:
            self.found = refusal("json.number", max=DIGITS_MAX)
