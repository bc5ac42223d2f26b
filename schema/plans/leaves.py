"""Leaves: a Python value becomes what JSON holds, as graphql-core's own types say.

The exact Python type of nearly every value tells that it may pass as it is; whatever else comes
goes through the type's own coercion, so that it is changed or refused as the reference would.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from graphql import (
    GraphQLLeafType,
    GraphQLNonNull,
    GraphQLOutputType,
    Undefined,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from graphql.pyutils import inspect

Complete = Callable[[Any], Any]

AS_IT_IS = {
    "String": "type({0}) is str",
    "ID": "type({0}) is str",
    "Boolean": "type({0}) is bool",
    "Int": "type({0}) is int and -2147483648 <= {0} <= 2147483647",
}
"""Scalar → the test under which a value is its own JSON."""


class Failed:
    """What was to be read and could not be; stands where the value would."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


class Refused(Exception):
    """A value that the fast way leaves to the careful one."""


class Missing(TypeError):
    """Null where the schema promises a value; a bug, masked outside."""


def complete_leaf(type_: GraphQLLeafType, value: Any) -> Any:
    """The value as the type says, as graphql-core completes it. Raises what it raises."""
    coerced = type_.coerce_output_value(value)
    if coerced is Undefined or coerced is None:
        raise TypeError(f"{inspect(type_)} was given {type(value).__name__}")
    return coerced


def completing(type_: GraphQLOutputType) -> Complete:
    """A function that completes values of a leaf type in all its wrappings."""
    if is_non_null_type(type_):
        assert isinstance(type_, GraphQLNonNull)
        inner = completing(type_.of_type)

        def never_null(value: Any) -> Any:
            completed = inner(value)
            if completed is None:
                raise Refused
            return completed

        return never_null
    if is_list_type(type_):
        each: Complete = completing(type_.of_type)

        def of_list(value: Any) -> Any:
            if value is None:
                return None
            if not isinstance(value, list | tuple):
                raise Refused
            return [each(item) for item in value]

        return of_list
    assert is_leaf_type(type_)

    def of_leaf(value: Any) -> Any:
        if isinstance(value, Failed | Exception):
            raise Refused
        return None if value is None else complete_leaf(type_, value)

    return of_leaf


class Names(dict[Any, Any]):
    """What a value of a column became; an enum has few, so each is worked out once."""

    def __init__(self, complete: Complete) -> None:
        super().__init__()
        self._complete = complete

    def __missing__(self, value: Any) -> Any:
        completed = self._complete(value)
        if isinstance(value, str | Enum) or value is None:
            self[value] = completed
        return completed
