"""A field's arguments, as graphql-core and strawberry hand them over: functions made once a text.

What these functions do not take goes the libraries' own way, which also tells of mistakes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass
from typing import Any, TypeAlias

from graphql import (
    FieldNode,
    GraphQLArgument,
    GraphQLField,
    GraphQLSchema,
    Undefined,
    ValueNode,
    VariableNode,
    Visitor,
    get_named_type,
    is_leaf_type,
    is_required_argument,
    visit,
)
from graphql.execution import get_argument_values
from graphql.execution.values import VariableValues
from graphql.utilities.coerce_input_value import coerce_input_literal
from strawberry.relay import GlobalID
from strawberry.scalars import is_scalar
from strawberry.types.arguments import StrawberryArgument, convert_argument, convert_arguments
from strawberry.types.base import StrawberryOptional, has_object_definition
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.unset import UNSET

from schema.plans.inputs import default_of

_DEFINITION = "strawberry-definition"
Convert: TypeAlias = Callable[[Any], Any]
"""A coerced value → as a function of ours gets it."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """Where one argument's value comes from."""

    python_name: str
    convert: Convert
    variable: str | None = None
    is_required: bool = False
    constant: Any = None
    """Coerced; where no variable is named."""


class Arguments:
    """What one field is asked with."""

    def __init__(self, schema: GraphQLSchema, definition: GraphQLField, node: FieldNode) -> None:
        self._schema = schema.extensions[_DEFINITION]
        self._definition = definition
        self._node = node
        self._taken = self._all_taken()

    def converted(self, variables: VariableValues) -> dict[str, Any]:
        """As strawberry hands them to a function, by their Python names. Raises GraphQLError."""
        if self._taken is None:
            return self._by_libraries(variables)
        values = variables.coerced
        converted: dict[str, Any] = {}
        for each in self._taken:
            if each.variable is None:
                value = each.constant
            else:
                value = values.get(each.variable, Undefined)
                if value is Undefined or (value is None and each.is_required):
                    return self._by_libraries(variables)
            converted[each.python_name] = each.convert(value)
        return converted

    def _by_libraries(self, variables: VariableValues) -> dict[str, Any]:
        coerced = get_argument_values(
            self._definition, self._node, variables, hide_suggestions=True
        )
        converted: dict[str, Any] = convert_arguments(
            coerced,
            self._definition.extensions[_DEFINITION].arguments,
            config=self._schema.config,
            scalar_registry=self._schema.schema_converter.scalar_registry,
        )
        return converted

    def _all_taken(self) -> tuple[_Taken, ...] | None:
        """None where an argument is anything but a variable or a constant leaf."""
        nodes = {each.name.value: each.value for each in self._node.arguments or ()}
        names = self._schema.config.name_converter
        all_taken: list[_Taken] = []
        for each in self._definition.extensions[_DEFINITION].arguments:
            name = names.from_argument(each)
            taken = self._one_taken(each, self._definition.args[name], nodes.get(name))
            if taken is None:
                return None
            all_taken.extend(taken)
        return tuple(all_taken)

    def _one_taken(
        self, argument: StrawberryArgument, defined: GraphQLArgument, node: ValueNode | None
    ) -> tuple[_Taken, ...] | None:
        name, convert = argument.python_name, self._convert(argument.type)
        assert name is not None, "an argument of a function"
        if isinstance(node, VariableNode):
            required = is_required_argument(defined)
            return (_Taken(name, convert, node.name.value, required),)
        if node is None:
            value, is_kept = default_of(defined)
            if value is Undefined:
                return None if is_required_argument(defined) else ()
        else:
            is_kept = is_leaf_type(get_named_type(defined.type)) and not _has_variables(node)
            value = coerce_input_literal(node, defined.type) if is_kept else Undefined
        return (
            (_Taken(name, convert, constant=value),) if is_kept and value is not Undefined else None
        )

    def _convert(self, type_: Any, above: tuple[type, ...] = ()) -> Convert:
        """As strawberry converts; leaves and input objects by functions made for them."""
        config = self._schema.config
        registry = self._schema.schema_converter.scalar_registry
        if type(type_) is StrawberryOptional:
            type_ = type_.of_type
        if isinstance(type_, StrawberryEnumDefinition):
            return _unchanged
        if is_scalar(type_, registry) and type_ is not GlobalID:
            return _unchanged
        if type_ in above or not has_object_definition(type_) or _is_foreign(type_):
            return lambda value: convert_argument(value, type_, registry, config)
        fields = []
        implied: dict[str, Any] = {}
        for field in type_.__strawberry_definition__.fields:
            kind = field.resolve_type(type_definition=type_.__strawberry_definition__)
            name = config.name_converter.from_field(field)
            fields.append((name, field.python_name, self._convert(kind, (*above, type_))))
            if field.default_value is MISSING and field.default_factory is MISSING:
                implied[field.python_name] = None

        def converted(value: Any) -> Any:
            if value is None or value is UNSET:
                return value
            given = {
                python_name: convert(value[name])
                for name, python_name, convert in fields
                if name in value
            }
            return type_(**(implied | given))

        return converted


def _unchanged(value: Any) -> Any:
    return value


def _is_foreign(type_: Any) -> bool:
    """Whether the input makes its own objects."""
    return type_.__strawberry_definition__.from_input is not None


def _has_variables(node: ValueNode) -> bool:
    looking = _Looking()
    visit(node, looking)
    return looking.found


class _Looking(Visitor):
    """Whether a variable stands anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def enter_variable(self, _node: VariableNode, *_: Any) -> None:
        """One does."""
        self.found = True
