"""Documents made from a schema: everything that a subscription may select, written in many ways."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    FieldNode,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    get_named_type,
    is_abstract_type,
    is_object_type,
    parse,
)

from gateway.documents import registered
from schema.bind import _declared
from schema.declare import Column, Computed, Given, GlobalId

WAYS = ("plain", "aliased", "in fragments")


def document(schema: GraphQLSchema, field: str, head: str, call: str, way: str) -> str:
    """All pure fields of the subscription; ``head``: variables, ``call``: arguments."""
    root = schema.subscription_type
    assert root is not None
    fragments: list[str] = []
    body = _selected(schema, root.fields[field].type, way, fragments)
    return f"subscription S{head} {{ {field}{call} {body} }} {' '.join(fragments)}"


@dataclass(frozen=True)
class Registered:
    """A subscription that our own clients send."""

    name: str
    text: str
    field: str
    variables: Mapping[str, str]
    """Argument → the variable that stands for it."""

    def given(self, call: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Its variables, from those of another ``call``, such as ``(id: $x)``."""
        arguments = dict(re.findall(r"(\w+): \$(\w+)", call))
        return {name: values[arguments[argument]] for argument, name in self.variables.items()}


def registered_subscriptions() -> list[Registered]:
    """Every one in the register of trusted documents."""
    found = []
    for text in registered().values():
        for operation in parse(text).definitions:
            if not isinstance(operation, OperationDefinitionNode):
                continue
            if operation.operation is not OperationType.SUBSCRIPTION:
                continue
            assert operation.name is not None
            (field,) = operation.selection_set.selections
            assert isinstance(field, FieldNode)
            variables = {}
            for argument in field.arguments or ():
                assert isinstance(argument.value, VariableNode)
                variables[argument.name.value] = argument.value.name.value
            name = operation.name.value
            found.append(Registered(name, text, field.name.value, variables))
    return found


def with_object(schema: GraphQLSchema, field: str, head: str, call: str) -> str | None:
    """A selection that reads another row, if the subscription's types have any such field."""
    root = schema.subscription_type
    assert root is not None
    for path in _impure(schema, root.fields[field].type):
        return f"subscription S{head} {{ {field}{call} {path} }}"
    return None


def _selected(schema: GraphQLSchema, type_: Any, way: str, fragments: list[str]) -> str:
    parts = ["__typename"]
    for of in _objects(schema, type_):
        fields = " ".join(_fields(schema, of, way, fragments))
        if way == "in fragments":
            name = f"F{len(fragments)}"
            fragments.append(f"fragment {name} on {of.name} {{ ... {{ {fields} }} }}")
            parts.append(f"...{name}")
        elif is_abstract_type(get_named_type(type_)):
            parts.append(f"... on {of.name} @include(if: true) {{ {fields} }}")
        else:
            parts.append(fields)
    return f"{{ {' '.join(parts)} }}"


def _fields(
    schema: GraphQLSchema, of: GraphQLObjectType, way: str, fragments: list[str]
) -> Iterator[str]:
    for name, field in of.fields.items():
        declared = _declared(field)
        assert declared is not None
        if not isinstance(declared.source, (Column, Computed, Given, GlobalId)):
            continue
        is_object = bool(_objects(schema, field.type))
        inner = " " + _selected(schema, field.type, way, fragments) if is_object else ""
        yield f"{name}{inner}"
        if way == "aliased" and name == next(iter(of.fields)):
            yield f"{of.name}_again: {name}{inner}"


def _impure(schema: GraphQLSchema, type_: Any) -> Iterator[str]:
    for of in _objects(schema, type_):
        for name, field in of.fields.items():
            declared = _declared(field)
            assert declared is not None
            is_pure = isinstance(declared.source, (Column, Computed, Given, GlobalId))
            objects = _objects(schema, field.type)
            if not is_pure and not field.args:
                yield f"{{ ... on {of.name} {{ {name}{' { __typename }' if objects else ''} }} }}"
            elif is_pure and objects:
                for inner in _impure(schema, field.type):
                    yield f"{{ ... on {of.name} {{ {name} {inner} }} }}"


def _objects(schema: GraphQLSchema, type_: Any) -> list[GraphQLObjectType]:
    named = get_named_type(type_)
    if is_abstract_type(named):
        return list(schema.get_possible_types(named))
    return [named] if is_object_type(named) else []
