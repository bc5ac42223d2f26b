"""Resolvers with a signature made to measure: what a declaration says becomes GraphQL arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from schema.context import Info

Function = TypeVar("Function", bound=Callable[..., Any])

_POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD


def dress(
    function: Function,
    parameters: Sequence[inspect.Parameter],
    *,
    like: Callable[..., Any],
    is_method: bool = False,
    returned: Any = inspect.Signature.empty,
) -> Function:
    """The function as if it had been written with these keyword parameters, in ``like``'s module.

    That is where strawberry looks up the names in its annotations.
    """
    leading = [inspect.Parameter("self", _POSITIONAL)] if is_method else []
    leading.append(inspect.Parameter("info", _POSITIONAL, annotation=Info))
    dressed: Any = function
    dressed.__signature__ = inspect.Signature([*leading, *parameters], return_annotation=returned)
    dressed.__annotations__ = {
        "info": Info,
        **{parameter.name: parameter.annotation for parameter in parameters},
    }
    if returned is not inspect.Signature.empty:
        dressed.__annotations__["return"] = returned
    dressed.__module__ = like.__module__
    dressed.__name__ = like.__name__
    return function
