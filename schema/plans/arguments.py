"""A field's arguments, coerced as graphql-core and strawberry do: once, where they are constant."""

from __future__ import annotations

from typing import Any

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLSchema,
    VariableNode,
    Visitor,
    get_named_type,
    is_leaf_type,
    visit,
)
from graphql.execution import get_argument_values
from graphql.execution.values import VariableValues
from strawberry.types.arguments import convert_arguments

_DEFINITION = "strawberry-definition"


class Arguments:
    """What one field is asked with."""

    def __init__(self, schema: GraphQLSchema, definition: GraphQLField, node: FieldNode) -> None:
        self._schema = schema.extensions[_DEFINITION]
        self._definition = definition
        self._node = node
        self._constant: dict[str, Any] | None = None
        self._is_constant = not _has_variables(node) and all(
            is_leaf_type(get_named_type(each.type)) for each in definition.args.values()
        )

    def coerced(self, variables: VariableValues) -> dict[str, Any]:
        """As graphql-core hands them to a resolver. Raises GraphQLError."""
        if not self._definition.args:
            return {}
        return get_argument_values(self._definition, self._node, variables, hide_suggestions=True)

    def converted(self, variables: VariableValues) -> dict[str, Any]:
        """As strawberry hands them to a function, by their Python names. Raises GraphQLError."""
        if self._constant is not None:
            return self._constant.copy()
        converted: dict[str, Any] = convert_arguments(
            self.coerced(variables),
            self._definition.extensions[_DEFINITION].arguments,
            config=self._schema.config,
            scalar_registry=self._schema.schema_converter.scalar_registry,
        )
        if self._is_constant:
            self._constant = converted.copy()
        return converted


def _has_variables(node: FieldNode) -> bool:
    looking = _Looking()
    for argument in node.arguments or ():
        visit(argument, looking)
    return looking.found


class _Looking(Visitor):
    """Whether a variable stands anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def enter_variable(self, _node: VariableNode, *_: Any) -> None:
        """One does."""
        self.found = True
