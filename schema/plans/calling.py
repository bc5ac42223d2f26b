"""Verbs called as they are: the function with its arguments, without strawberry's wrappings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import strawberry
from graphql import GraphQLField, GraphQLResolveInfo

from schema.context import Context
from schema.plans.shapes import Uncovered

Function: TypeAlias = Callable[..., Any]
"""``(source, info, **arguments)``, the arguments by their Python names."""


def function_of(definition: GraphQLField) -> Function:
    """The verb's function. Raises Uncovered for what only strawberry knows how to call."""
    field: Any = definition.extensions["strawberry-definition"]
    resolver = field.base_resolver
    if field.extensions or resolver.parent_parameter or resolver.root_parameter:
        raise Uncovered("extensions")
    function, has_self = resolver.wrapped_func, bool(resolver.self_parameter)
    wants_info = resolver.info_parameter.name if resolver.info_parameter else None

    def call(source: Any, info: GraphQLResolveInfo[Context], **arguments: Any) -> Any:
        if wants_info is not None:
            arguments[wants_info] = strawberry.Info(_raw_info=info, _field=field)
        return function(source, **arguments) if has_self else function(**arguments)

    return call
