"""Operations made from the schema itself: one for each argument, whatever slices come later.

An argument leaf is a place where a scalar or enum stands, at any depth of input objects. All that
is required gets a plain value; of what is optional only the chosen leaf is given.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

SDL = Path(__file__).parents[2] / "docs" / "schema.graphql"
PLAIN: dict[str, Any] = {
    "String": "平",
    "Int": 1,
    "Boolean": False,
    "UUID": "00000000-0000-7000-8000-000000000001",
    "DateTime": "2099-01-01T00:00:00+08:00",
    "Date": "2099-01-01",
    "Role": "UNION_ASSISTANT",
}
TYPE_OF = {
    **dict.fromkeys(("unionId", "unionIds", "publisherId", "zoneId", "lineId"), "Union"),
    **dict.fromkeys(("within", "withinLine", "union", "under"), "Union"),
    **dict.fromkeys(("noticeId", "noticeIds"), "Notice"),
    **dict.fromkeys(("toConsultantId", "addressedTo"), "Consultant"),
    **{f"{name.lower()}Id": name for name in ("Case", "Conversation", "Handover", "Session")},
    **{f"{name.lower()}Id": name for name in ("Grant", "Account")},
}
"""What an argument's global id names; a new argument has to be entered here."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One argument leaf of one root field."""

    kind: str
    """query, mutation or subscription."""
    field: str
    path: tuple[str, ...]
    type: str
    """The scalar's or enum's name."""
    target: str = ""
    """Of an ID: the type that it names; ``Node`` for any."""

    def __str__(self) -> str:
        return f"{self.field}({'.'.join(self.path)})"


class Operations:
    """The operations that the committed schema allows."""

    def __init__(self) -> None:
        self._schema: GraphQLSchema = build_schema(SDL.read_text())

    def leaves(self) -> list[Leaf]:
        """Every argument leaf of every root field."""
        return [
            leaf
            for kind, root in self._roots()
            for name, field in root.fields.items()
            for argument, given in field.args.items()
            for leaf in _leaves(given.type, (argument,), kind, name, field)
        ]

    def ask(self, leaf: Leaf, value: Callable[[Leaf], Any]) -> tuple[str, dict[str, Any]]:
        """A document with variables that gives this leaf."""
        field = self._field(leaf)
        given = {
            name: _value(argument.type, (name,), leaf, value, field)
            for name, argument in field.args.items()
            if is_non_null_type(argument.type) or name == leaf.path[0]
        }
        declared = ", ".join(f"${name}: {field.args[name].type}" for name in given)
        passed = ", ".join(f"{name}: ${name}" for name in given)
        return f"{leaf.kind} ({declared}) {_call(leaf.field, passed, field)}", given

    def ask_inline(self, leaf: Leaf, value: Callable[[Leaf], Any]) -> str:
        """The same with all values written into the document."""
        field = self._field(leaf)
        _, given = self.ask(leaf, value)
        passed = ", ".join(
            f"{name}: {_literal(field.args[name].type, each)}" for name, each in given.items()
        )
        return f"{leaf.kind} {_call(leaf.field, passed, field)}"

    def _roots(self) -> Iterator[tuple[str, GraphQLObjectType]]:
        for kind in ("query", "mutation", "subscription"):
            root = getattr(self._schema, f"{kind}_type")
            assert root is not None
            yield kind, root

    def _field(self, leaf: Leaf) -> GraphQLField:
        field: GraphQLField = dict(self._roots())[leaf.kind].fields[leaf.field]
        return field


def _leaves(
    type_: GraphQLInputType, path: tuple[str, ...], kind: str, name: str, field: GraphQLField
) -> Iterator[Leaf]:
    named = get_named_type(type_)
    if isinstance(named, GraphQLInputObjectType):
        for inner, given in named.fields.items():
            yield from _leaves(given.type, (*path, inner), kind, name, field)
    elif named.name == "ID":
        own = get_named_type(field.type).name
        target = own if path in {("id",), ("ids",)} else TYPE_OF[path[-1]]
        yield Leaf(kind, name, path, "ID", target)
    else:
        yield Leaf(kind, name, path, named.name)


def _value(
    type_: GraphQLInputType,
    path: tuple[str, ...],
    leaf: Leaf,
    value: Callable[[Leaf], Any],
    field: GraphQLField,
) -> Any:
    named = get_named_type(type_)
    if isinstance(named, GraphQLInputObjectType):
        return {
            inner: _value(given.type, (*path, inner), leaf, value, field)
            for inner, given in named.fields.items()
            if is_non_null_type(given.type) or leaf.path[: len(path) + 1] == (*path, inner)
        }
    if isinstance(named, GraphQLEnumType) and path != leaf.path:
        return PLAIN.get(named.name) or next(iter(named.values))
    (here,) = _leaves(type_, path, leaf.kind, leaf.field, field)
    made = value(here)
    is_list = is_list_type(type_.of_type if is_non_null_type(type_) else type_)
    return [made] if is_list else made


def _call(name: str, passed: str, field: GraphQLField) -> str:
    named = get_named_type(field.type)
    if is_leaf_type(named):
        selection = ""
    elif named.name.endswith("Connection"):
        selection = " { totalCount edges { cursor } }"
    else:
        selection = f" {{ {' '.join(_told_by(named))} }}"
    return f"{{ {name}({passed}){selection} }}"


def _told_by(type_: GraphQLNamedType) -> list[str]:
    """All that an answer says without being asked further."""
    fields = type_.fields if isinstance(type_, GraphQLObjectType) else {}
    plain = [name for name, each in fields.items() if is_leaf_type(get_named_type(each.type))]
    return ["__typename", *(name for name in plain if not fields[name].args)]


def _literal(type_: GraphQLInputType | GraphQLNamedType, value: Any) -> str:
    named = get_named_type(type_)
    if isinstance(value, list):
        return f"[{', '.join(_literal(named, each) for each in value)}]"
    if isinstance(named, GraphQLInputObjectType) and isinstance(value, dict):
        fields = named.fields
        inner = (f"{key}: {_literal(fields[key].type, each)}" for key, each in value.items())
        return f"{{{', '.join(inner)}}}"
    if isinstance(named, GraphQLEnumType):
        return str(value)
    return json.dumps(value)
