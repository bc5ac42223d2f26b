"""Relay's Node (节点): one global id for each row that a client may refetch."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from functools import cache
from typing import Any
from uuid import UUID

import strawberry

from domain.kernel.capabilities import Capability
from domain.kernel.errors import NotFound
from domain.kernel.ids import parse_id
from schema.declare import DECLARED, TYPE_DECLARATION, Declared, GlobalId, TypeDeclaration

GLOBAL_ID_CHARS_MAX = 120
"""Longer than any id we make."""


@strawberry.interface(description="Anything with a global id (全局标识). Relay's Node.")
class Node:
    """Base of every type with an identity."""

    row: strawberry.Private[Any]
    id: strawberry.ID = strawberry.field(
        default=None,
        description="Global id, opaque, for `node(id:)`.",
        metadata={DECLARED: Declared(GlobalId())},
    )


setattr(Node, TYPE_DECLARATION, TypeDeclaration(Capability.PUBLIC))


def global_id(type_name: str, id_: UUID) -> strawberry.ID:
    """The Relay id of a row."""
    return strawberry.ID(global_ids(type_name)(id_))


@cache
def global_ids(type_name: str) -> Callable[[UUID], str]:
    """The Relay ids of a type's rows, as fast as Python makes them."""
    prefix, encode = f"{type_name}:", binascii.b2a_base64
    return lambda id_: encode((prefix + str(id_)).encode(), newline=False).decode()


def split_global_id(text: str) -> tuple[str, UUID]:
    """Type name and row id. Raises NotFound: what we did not make is simply absent."""
    if len(text) > GLOBAL_ID_CHARS_MAX:
        raise NotFound
    try:
        name, _, raw = base64.b64decode(text, validate=True).decode("ascii").partition(":")
    except (binascii.Error, ValueError) as bad:
        raise NotFound from bad
    id_ = parse_id(raw)
    if id_ is None:
        raise NotFound
    return name, id_


def row_id(text: str, node: type) -> UUID:
    """The row id in a global id of this type. Raises NotFound for any other text."""
    name, id_ = split_global_id(text)
    if name != node.__name__:
        raise NotFound
    return id_
