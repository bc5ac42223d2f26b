"""The roots (根): every slice's queries, mutations and subscriptions in one schema."""

from __future__ import annotations

import importlib
from collections import defaultdict
from typing import Annotated, Any
from uuid import UUID

import strawberry
from graphql import GraphQLObjectType, GraphQLSchema
from strawberry.printer import print_schema
from strawberry.schema.config import StrawberryConfig

from domain.kernel.capabilities import Capability
from domain.kernel.errors import NotFound
from schema.bind import bind, origin, type_declaration
from schema.context import Info
from schema.declare import of_row, verb
from schema.errors import InvalidArgument
from schema.nodes import Node, split_global_id

NODES_MAX = 100
"""Ids of one ``nodes`` query: as many as a page has rows."""

SLICES = ("access", "org", "members", "consultants", "consultations", "notices", "me")
"""The modules with words; each may have ``<Slice>Query``, ``…Mutation``, ``…Subscription``."""

NODE_CLASSES = "node-classes"
"""Key in the schema's extensions: type name → class of each node."""


@strawberry.type
class NodeQuery:
    """Relay's refetching."""

    @verb(Capability.PUBLIC, "The node with this global id (取回节点); null if not to be seen.")
    async def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="A node's global id.")],
    ) -> Node | None:
        return (await _load_nodes(info, [id]))[0]

    @verb(Capability.PUBLIC, "The nodes with these global ids, in this order (批量取回).")
    async def nodes(
        self,
        info: Info,
        ids: Annotated[
            list[strawberry.ID], strawberry.argument(description="At most 100 global ids.")
        ],
    ) -> list[Node | None]:
        if len(ids) > NODES_MAX:
            raise InvalidArgument("ids", max=NODES_MAX)
        return await _load_nodes(info, ids)


def build(slices: tuple[str, ...] = SLICES) -> strawberry.Schema:
    """The schema of these slices, bound: every field declared, each behind its capability."""
    modules = [importlib.import_module(f"schema.{name}") for name in slices]
    return build_from(
        [NodeQuery, *_named(modules, "Query")],
        _named(modules, "Mutation"),
        _named(modules, "Subscription"),
    )


def build_from(
    queries: list[type], mutations: list[type], subscriptions: list[type]
) -> strawberry.Schema:
    """The schema of these root classes."""
    schema = strawberry.Schema(
        query=_root("Query", "Everything that can be read (查询).", queries),
        mutation=_root("Mutation", "Everything that can be done (变更).", mutations)
        if mutations
        else None,
        subscription=_root(
            "Subscription", "Everything that can be followed live (订阅).", subscriptions
        )
        if subscriptions
        else None,
        config=StrawberryConfig(disable_field_suggestions=True),
    )
    core = core_schema(schema)
    bind(core)
    core.extensions[NODE_CLASSES] = {
        type_.name: origin(type_)
        for type_ in core.type_map.values()
        if isinstance(type_, GraphQLObjectType)
        and any(interface.name == "Node" for interface in type_.interfaces)
    }
    return schema


def core_schema(schema: strawberry.Schema) -> GraphQLSchema:
    """The executable schema behind strawberry's."""
    return schema._schema


def sdl() -> str:
    """The schema in its definition language, as committed in ``schema/schema.graphql``."""
    return print_schema(build()) + "\n"


def _named(modules: list[Any], suffix: str) -> list[type]:
    found: list[type] = []
    for module in modules:
        for name, value in vars(module).items():
            if (
                isinstance(value, type)
                and name.endswith(suffix)
                and value.__module__ == (module.__name__)
            ):
                found.append(value)
    return found


def _root(name: str, description: str, parts: list[type]) -> type:
    made: type = strawberry.type(type(name, tuple(parts), {}), name=name, description=description)
    return made


async def _load_nodes(info: Info, ids: list[strawberry.ID]) -> list[Node | None]:
    classes: dict[str, type] = info._raw_info.schema.extensions[NODE_CLASSES]
    wanted: dict[type, list[UUID]] = defaultdict(list)
    places: list[tuple[type, UUID] | None] = []
    for text in ids:
        place = _place(text, classes)
        places.append(place)
        if place is not None:
            wanted[place[0]].append(place[1])
    found: dict[tuple[type, UUID], Node] = {}
    for cls, keys in wanted.items():
        declaration = type_declaration(cls)
        if declaration is None or declaration.read is None:
            continue
        if not info.context.actor.has(declaration.needs):
            continue
        for key, row in (await declaration.read(info.context.actor, keys)).items():
            found[(cls, key)] = of_row(cls, row)
    return [found.get(place) if place is not None else None for place in places]


def _place(text: str, classes: dict[str, type]) -> tuple[type, UUID] | None:
    try:
        name, id_ = split_global_id(text)
    except NotFound:
        return None
    return (classes[name], id_) if name in classes else None
