"""Documents, parsed, validated and measured once each, by their text."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    StringValueNode,
    Visitor,
    parse,
    validate,
    visit,
)

from domain.kernel.texts import is_storable
from schema.errors import refusal
from schema.limits import DOCUMENT_TOKENS_MAX, Cost, ensure_within_limits, too_long

DOCUMENTS_MAX = 1_000
"""Documents kept; our clients have a few hundred, 16 KiB each bounds this to some megabytes."""
VALIDATION_ERRORS_MAX = 20
"""Mistakes reported for one document."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a valid document."""

    document: DocumentNode
    definition: OperationDefinitionNode
    cost: Cost

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
        if "\\u" in text and not _are_literals_storable(parsed):
            return Document({}, (refusal("text.bad_character"),), None)
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
                    parsed, node, costs[node.name.value if node.name else None]
                )
                for node in parsed.definitions
                if isinstance(node, OperationDefinitionNode)
            }
        )


def _are_literals_storable(document: DocumentNode) -> bool:
    """Whether every text written into the document can be stored, as in variables it has to."""
    checking = _Checking()
    visit(document, checking)
    return checking.is_storable


class _Checking(Visitor):
    """Looks at each string literal, wherever it stands."""

    def __init__(self) -> None:
        super().__init__()
        self.is_storable = True

    def enter_string_value(self, node: StringValueNode, *_: Any) -> None:
        """Remember a NUL; the parser itself refuses lone surrogates."""
        self.is_storable = self.is_storable and is_storable(node.value)
