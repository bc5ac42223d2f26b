"""Values of input types: coerced as graphql-core does, by functions that are made once a type.

They take what is right and leave the rest: ``Undefined`` means that graphql-core is to be asked,
which then says what is wrong, in its own words. What our schema does not have (recursive inputs,
defaults that are objects) is left to it altogether.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from graphql import (
    GraphQLError,
    GraphQLID,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLLeafType,
    GraphQLSchema,
    GraphQLString,
    OperationDefinitionNode,
    Undefined,
    is_input_object_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_required_input_field,
)
from graphql.execution import get_variable_values
from graphql.execution.get_variable_signature import (
    GraphQLVariableSignature,
    get_variable_signature,
)
from graphql.execution.values import VariableValues, VariableValueSource
from graphql.type import GraphQLArgument, GraphQLInputField
from graphql.utilities.coerce_input_value import coerce_default_value

VARIABLE_ERRORS_MAX = 50
"""Mistakes in variables that are told at once, as graphql-core does unasked."""
NO_VARIABLES = VariableValues({}, {})

Coerce: TypeAlias = Callable[[Any], Any]
"""A value from outside → as a resolver gets it, or ``Undefined``."""


class Variables:
    """The variables of one operation."""

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode) -> None:
        self._schema = schema
        self._definitions = operation.variable_definitions or ()
        self._each: list[tuple[str, GraphQLVariableSignature, Coerce, bool]] = []
        for node in self._definitions:
            signature = get_variable_signature(schema, node)
            assert not isinstance(signature, GraphQLError), "a validated operation has its types"
            may_be_left_out = not (node.default_value or is_non_null_type(signature.type))
            self._each.append(
                (signature.name, signature, coerce_of(signature.type), may_be_left_out)
            )

    def coerced(self, given: Mapping[str, Any]) -> VariableValues | list[GraphQLError]:
        """The values with their origins, or what is wrong with them."""
        if not self._each:
            return NO_VARIABLES
        sources: dict[str, VariableValueSource] = {}
        coerced: dict[str, Any] = {}
        for name, signature, coerce, may_be_left_out in self._each:
            value = given.get(name, Undefined)
            if value is Undefined and may_be_left_out:
                sources[name] = VariableValueSource(signature)
                continue
            taken = Undefined if value is Undefined else coerce(value)
            if taken is Undefined:
                return self._told(given)
            sources[name] = VariableValueSource(signature, value)
            coerced[name] = taken
        return VariableValues(sources, coerced)

    def _told(self, given: Mapping[str, Any]) -> VariableValues | list[GraphQLError]:
        return get_variable_values(
            self._schema,
            self._definitions,
            dict(given),
            max_errors=VARIABLE_ERRORS_MAX,
            hide_suggestions=True,
        )


def coerce_of(type_: GraphQLInputType) -> Coerce:
    """The function for values of this type."""
    return _coerce(type_, ())


def default_of(defined: GraphQLArgument | GraphQLInputField) -> tuple[Any, bool]:
    """What is taken where nothing is given, and whether it may be taken again and again.

    ``Undefined`` without a default. A list or object is a new one each time: not to be kept.
    """
    value = coerce_default_value(defined)
    return value, not isinstance(value, list | dict)


def _leave(_value: Any) -> Any:
    return Undefined


def _coerce(type_: GraphQLInputType, above: tuple[GraphQLInputType, ...]) -> Coerce:
    if is_non_null_type(type_):
        return _required(_coerce(type_.of_type, above))
    if is_leaf_type(type_):
        return _leaf(type_)
    if is_list_type(type_):
        return _list(_coerce(type_.of_type, above))
    assert is_input_object_type(type_), type_
    if type_ in above:
        return _leave
    return _object(type_, above)


def _required(coerce: Coerce) -> Coerce:
    return lambda value: Undefined if value is None else coerce(value)


def _leaf(type_: GraphQLLeafType) -> Coerce:
    is_text = type_ is GraphQLString or type_ is GraphQLID
    take = type_.coerce_input_value

    def coerce(value: Any) -> Any:
        if value is None or (is_text and type(value) is str):
            return value
        try:
            return take(value)
        except Exception:
            return Undefined

    return coerce


def _list(coerce: Coerce) -> Coerce:
    def coerced(value: Any) -> Any:
        if value is None:
            return None
        if type(value) is not list:
            return Undefined
        taken = [coerce(each) for each in value]
        return Undefined if any(each is Undefined for each in taken) else taken

    return coerced


def _object(type_: GraphQLInputObjectType, above: tuple[GraphQLInputType, ...]) -> Coerce:
    fields: list[tuple[str, str, Coerce, Any]] = []
    for name, field in type_.fields.items():
        coerce = _coerce(field.type, (*above, type_))
        default, is_kept = (
            (_REQUIRED, True) if is_required_input_field(field) else default_of(field)
        )
        if not is_kept:
            return _leave
        fields.append((name, field.out_name or name, coerce, default))
    if type_.is_one_of:
        return _leave
    made = type_.out_type

    def coerced(value: Any) -> Any:
        if type(value) is not dict:
            return None if value is None else Undefined
        taken: dict[str, Any] = {}
        found = 0
        for name, out_name, coerce, default in fields:
            if name in value:
                found += 1
                each = coerce(value[name])
                if each is Undefined:
                    return Undefined
                taken[out_name] = each
            elif default is _REQUIRED:
                return Undefined
            elif default is not Undefined:
                taken[out_name] = default
        return made(taken) if found == len(value) else Undefined

    return coerced


_REQUIRED: Any = object()
"""In the place of a default: without a value nothing is made."""
