"""Errors on their way out (错误): one of the two places where they are translated.

A domain error leaves with its stable code and its parameters; a mistake in the document with a
``graphql.…`` code; everything else becomes ``internal``, is logged loudly by type and place, and
tells the client nothing. User-facing sentences live with the client, by code.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from graphql import GraphQLError
from strawberry.utils.str_converters import to_camel_case

from domain.kernel.database import is_passing
from domain.kernel.errors import DomainError, Invalid

log = logging.getLogger("unionhall.schema")

_VARIABLE = re.compile(r"^Variable '\$(\w{1,64})'")


class InvalidArgument(Invalid):
    """A value of the right GraphQL type that means nothing here."""

    code = "graphql.bad_argument"


def formatted(error: GraphQLError, code_of_mistake: str | None = None) -> dict[str, Any]:
    """The error as GraphQL's JSON, with a stable ``extensions.code``.

    ``code_of_mistake`` is the code for an error of the document itself.
    """
    code, message, params = _told(error, code_of_mistake)
    out: dict[str, Any] = {"message": message}
    if error.locations:
        out["locations"] = [location.formatted for location in error.locations]
    if error.path is not None:
        out["path"] = list(error.path)
    out["extensions"] = {"code": code, **params}
    return out


def refusal(code: str, **params: str | int) -> GraphQLError:
    """A refusal of the schema room itself, such as a limit."""
    return GraphQLError(code, extensions={"code": code, **params})


def _told(error: GraphQLError, code_of_mistake: str | None) -> tuple[str, str, dict[str, Any]]:
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    if isinstance(cause, DomainError):
        return cause.code, cause.code, {to_camel_case(k): v for k, v in cause.params.items()}
    if cause is not None and is_passing(cause):
        log.error("unavailable: %s at %s", type(cause).__name__, _place(error))
        return "unavailable", "unavailable", {}
    if cause is not None and not isinstance(cause, GraphQLError):
        # The class and the place only: an exception's text may quote a value.
        log.error("internal: %s at %s", type(cause).__name__, _place(error))
        log.debug("internal error", exc_info=cause)
        return "internal", "internal", {}
    if error.extensions and "code" in error.extensions:
        params = {key: value for key, value in error.extensions.items() if key != "code"}
        return str(error.extensions["code"]), error.message, params
    if variable := _VARIABLE.match(error.message):
        # graphql-core quotes the value, which may be personal.
        name = variable[1]
        return "graphql.bad_variable", f"Variable ${name} does not fit its type.", {"field": name}
    return code_of_mistake or "graphql.invalid", error.message, {}


def _place(error: GraphQLError) -> str:
    return ".".join(str(part) for part in error.path or ())
