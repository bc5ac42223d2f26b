"""Declarations become resolvers, and a field without one stops the build (默认拒绝)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
)

from domain.kernel.capabilities import Capability
from domain.kernel.errors import NotFound
from schema.declare import (
    DECLARED,
    TYPE_DECLARATION,
    Column,
    Computed,
    Declared,
    Given,
    GlobalId,
    Streamed,
    ToOne,
    TypeDeclaration,
    of_row,
)
from schema.nodes import global_id

Resolve = Callable[..., Any]
_DEFINITION = "strawberry-definition"
ROOTS = frozenset({"Query", "Mutation", "Subscription"})


class UndeclaredField(TypeError):
    """A field that does not say where it comes from or what it needs."""


def bind(schema: GraphQLSchema) -> None:
    """Give each field of the schema its resolver. Raises UndeclaredField."""
    for type_ in _types(schema):
        needs = _type_needs(type_)
        for name, field in type_.fields.items():
            declared = _declared(field)
            if declared is None or (declared.needs or needs) is None:
                raise UndeclaredField(f"{type_.name}.{name}")
            if isinstance(type_, GraphQLObjectType):
                field.resolve = _guarded(type_, field, declared, needs)


def _types(schema: GraphQLSchema) -> Iterator[GraphQLObjectType | GraphQLInterfaceType]:
    for type_ in schema.type_map.values():
        if type_.name.startswith("__"):
            continue
        if isinstance(type_, (GraphQLObjectType, GraphQLInterfaceType)):
            yield type_


def _declared(field: GraphQLField) -> Declared | None:
    definition = field.extensions.get(_DEFINITION)
    metadata = getattr(definition, "metadata", None) or {}
    declared = metadata.get(DECLARED)
    return declared if isinstance(declared, Declared) else None


def _type_needs(type_: GraphQLObjectType | GraphQLInterfaceType) -> Capability | None:
    if type_.name in ROOTS:
        return None
    declaration = type_declaration(origin(type_))
    if declaration is None:
        raise UndeclaredField(type_.name)
    return declaration.needs


def origin(type_: Any) -> type:
    """The Python class of a GraphQL type."""
    made: type = type_.extensions[_DEFINITION].origin
    return made


def type_declaration(cls: type) -> TypeDeclaration | None:
    """What the class declares of itself."""
    found = getattr(cls, TYPE_DECLARATION, None)
    return found if isinstance(found, TypeDeclaration) else None


def _guarded(
    type_: GraphQLObjectType, field: GraphQLField, declared: Declared, type_needs: Capability | None
) -> Resolve:
    """The field's resolver, behind its capability.

    What a type needs is checked by the field that leads to it; a field that needs something else
    checks for itself.
    """
    resolve = _resolver(type_, field, declared)
    needs = declared.needs
    if needs is None or needs is type_needs or needs is Capability.PUBLIC:
        return resolve

    def guarded(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        info.context.ensure(needs)
        return resolve(source, info, **arguments)

    return guarded


def _resolver(type_: GraphQLObjectType, field: GraphQLField, declared: Declared) -> Resolve:
    source = declared.source
    if isinstance(source, Column):
        return _column(source)
    if isinstance(source, Computed):
        return _computed(source)
    if isinstance(source, GlobalId):
        name = type_.name
        return lambda parent, _info: global_id(name, parent.row["id"])
    if isinstance(source, ToOne):
        return _to_one(source)
    if isinstance(source, Given):
        name = field.extensions[_DEFINITION].python_name
        return lambda parent, _info: getattr(parent, name)
    if isinstance(source, Streamed):
        return lambda event, _info, **_arguments: event
    assert field.resolve is not None, "a verb brings its function"
    return field.resolve


def _column(source: Column) -> Resolve:
    name, as_ = source.name, source.as_
    if as_ is None:
        return lambda parent, _info: parent.row[name]

    def converted(parent: Any, _info: GraphQLResolveInfo[Any]) -> Any:
        value = parent.row[name]
        return None if value is None else as_(value)

    return converted


def _computed(source: Computed) -> Resolve:
    columns, compute = source.columns, source.compute
    if len(columns) == 1:
        only = columns[0]
        return lambda parent, _info: compute(parent.row[only])
    return lambda parent, _info: compute(*(parent.row[name] for name in columns))


def _to_one(source: ToOne) -> Resolve:
    column = source.column

    async def resolve(parent: Any, info: GraphQLResolveInfo[Any]) -> Any:
        key = parent.row[column]
        if key is None:
            return None
        target = source.target()
        declaration = type_declaration(target)
        assert declaration is not None, target
        assert declaration.read is not None, target
        info.context.ensure(declaration.needs)
        row = await info.context.load(declaration.read, key)
        if row is None:
            if info.return_type is not None and str(info.return_type).endswith("!"):
                raise NotFound
            return None
        return of_row(source.as_ or target, row)

    return resolve
