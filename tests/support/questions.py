"""Questions made at random from a schema: any selection a client could write, well-typed.

Aliases, merged and nested fragments, directives with variables, arguments as literals and as
variables, ids that exist, ids of another type, and nonsense.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

FIELDS_MAX = 4
DEPTH_MAX = 6
PLAIN: Mapping[str, Sequence[Any]] = {
    "Int": (0, 1, 2, 3, 50, -1, 101),
    "String": ("", "DE", "x"),
    "Boolean": (True, False),
    "DateTime": ("2099-01-01T00:00:00+08:00",),
    "Date": ("2026-11-01",),
    "UUID": ("00000000-0000-7000-8000-000000000001",),
}


class Question:
    """One document with its variables."""

    def __init__(self, schema: GraphQLSchema, random: Random, ids: Sequence[str]) -> None:
        self._schema, self._random, self._ids = schema, random, ids
        self._declared: list[str] = []
        self._fragments: list[str] = []
        self._count = 0
        self.variables: dict[str, Any] = {}
        root = schema.query_type
        assert root is not None
        names = [name for name in root.fields if self._chance(0.15)] or [
            random.choice(list(root.fields))
        ]
        fields = " ".join(self._field(root, name, DEPTH_MAX) for name in names[:3])
        head = f"query Q({', '.join(self._declared)})" if self._declared else "query Q"
        self.text = f"{head} {{ {fields} }} {' '.join(self._fragments)}"

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _name(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._count}"

    def _field(self, of: GraphQLObjectType, name: str, depth: int) -> str:
        field: GraphQLField = of.fields[name]
        alias = f"{self._name('a')}: " if self._chance(0.2) and self._count < 60 else ""
        named = get_named_type(field.type)
        inner = "" if is_leaf_type(named) else f" {self._selected(named, depth - 1)}"
        return f"{alias}{name}{self._arguments(field)}{self._condition(0.1)}{inner}"

    def _condition(self, share: float) -> str:
        if not self._chance(share):
            return ""
        which = self._random.choice(("skip", "include"))
        if self._chance(0.3):
            return f" @{which}(if: {self._random.choice(('true', 'false'))})"
        name = self._name("c")
        self._declared.append(f"${name}: Boolean!")
        self.variables[name] = self._chance(0.7)
        return f" @{which}(if: ${name})"

    def _selected(self, of: GraphQLNamedType, depth: int) -> str:
        parts = ["__typename"] if self._chance(0.2) or depth <= 0 else []
        if is_abstract_type(of):
            possible = self._schema.get_possible_types(of)
            parts.append("__typename")
            for each in self._random.sample(list(possible), min(3, len(possible))):
                parts.append(f"... on {each.name} {self._selected(each, depth)}")
            return f"{{ {' '.join(parts)} }}"
        assert isinstance(of, GraphQLObjectType)
        names = list(of.fields)
        if depth <= 0:
            names = [name for name in names if is_leaf_type(get_named_type(of.fields[name].type))]
        relay = [name for name in ("edges", "node") if name in names and self._chance(0.9)]
        count = min(len(names), self._random.randint(1, FIELDS_MAX))
        chosen = dict.fromkeys([*relay, *self._random.sample(names, count)])
        for name in chosen:
            text = self._field(of, name, depth)
            parts.append(text)
            if self._chance(0.1):
                parts.append(self._fragment(of, f"{{ {text} {self._field(of, name, depth)} }}"))
        body = f"{{ {' '.join(parts) or '__typename'} }}"
        return f"{{ __typename {self._fragment(of, body)} }}" if self._chance(0.15) else body

    def _fragment(self, of: GraphQLObjectType, body: str) -> str:
        if self._chance(0.5):
            return f"...{self._condition(0.3)} {body}"
        name = self._name("F")
        self._fragments.append(f"fragment {name} on {of.name} {body}")
        return f"...{name}{self._condition(0.2)}"

    def _arguments(self, field: GraphQLField) -> str:
        given = []
        for name, argument in field.args.items():
            if not is_non_null_type(argument.type) and not self._chance(0.15):
                continue
            value = self._value(argument.type, name)
            if self._chance(0.5):
                variable = self._name("v")
                self._declared.append(f"${variable}: {argument.type}")
                self.variables[variable] = value
                given.append(f"{name}: ${variable}")
            else:
                given.append(f"{name}: {_literal(argument.type, value)}")
        return f"({', '.join(given)})" if given else ""

    def _value(self, type_: Any, name: str) -> Any:
        nullable = get_nullable_type(type_)
        if is_list_type(nullable):
            return [self._value(nullable.of_type, name) for _ in range(self._random.randint(1, 3))]
        if isinstance(nullable, GraphQLInputObjectType):
            return {
                each: self._value(field.type, each)
                for each, field in nullable.fields.items()
                if is_non_null_type(field.type) or self._chance(0.3)
            }
        if isinstance(nullable, GraphQLEnumType):
            return self._random.choice(list(nullable.values))
        if nullable.name == "ID":
            return self._random.choice(self._ids) if self._chance(0.95) else "nonsense"
        return self._random.choice(PLAIN[nullable.name])


def _literal(type_: Any, value: Any) -> str:
    named = get_named_type(type_)
    if isinstance(value, list):
        return f"[{', '.join(_literal(named, each) for each in value)}]"
    if isinstance(named, GraphQLInputObjectType):
        given = (f"{key}: {_literal(named.fields[key].type, each)}" for key, each in value.items())
        return f"{{{', '.join(given)}}}"
    return str(value) if isinstance(named, GraphQLEnumType) else json.dumps(value)
