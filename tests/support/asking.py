"""Everybody asks everything: each operation that the schema allows, down to some depth, and each
that clients have registered; about what is theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    OperationDefinitionNode,
    OperationType,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_required_argument,
    is_required_input_field,
    parse,
    type_from_ast,
)

from domain.access.actors import admit_session, admit_token
from domain.kernel.actor import Actor
from domain.kernel.errors import DomainError
from domain.kernel.ids import new_id
from domain.kernel.ports import Clock, GraphQLRequest
from domain.kernel.streams import read_events, stream_states
from domain.kernel.work import Works
from gateway.documents import registered
from schema.engine import SchemaEngine
from schema.live import LiveOperation
from schema.nodes import global_id
from schema.root import build, core_schema
from tests.support.operations import PLAIN, TYPE_OF
from tests.support.schema import NobodyPresent

DEPTH_MAX = 1
"""Objects inside objects that are asked for: a case with its conversations."""
PAGE = 5
_SCHEMA = core_schema(build())
_ORDER = ("query", "subscription", "mutation")
"""What changes something comes last."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody who asks, and what is really theirs."""

    actor: Actor
    token: str | None = None
    own: Mapping[str, UUID] = field(default_factory=dict)
    """An id of each type."""


def an_engine(works: Works) -> SchemaEngine:
    """What is asked; it knows a document the second time."""
    return SchemaEngine(_SCHEMA, works, NobodyPresent())


async def ask_everything(engine: SchemaEngine, clock: Clock, askers: Sequence[Asker]) -> None:
    """All operations, and what a server asks of who sends them."""
    for asker in askers:
        await _admit(asker, clock)
        requests = [*_possible(asker), *_registered(asker)]
        kinds = [engine.kind(each, asker.actor) for each in requests]
        for wanted in _ORDER:
            for request, kind in zip(requests, kinds, strict=True):
                if kind != wanted:
                    continue
                if kind == "subscription":
                    await _follow(engine, request, asker.actor)
                else:
                    await engine.execute(request, asker.actor)


async def _admit(asker: Asker, clock: Clock) -> None:
    if asker.token is not None:
        await admit_token(asker.token, clock.now())
    if asker.actor.session_id is not None:
        await admit_session(asker.actor.session_id, clock.now(), is_used=True)


async def _follow(engine: SchemaEngine, request: GraphQLRequest, actor: Actor) -> None:
    live = await engine.subscribe(request, actor)
    if not isinstance(live, LiveOperation):
        return
    with suppress(DomainError):
        await live.authorise(actor)
        for state in (await stream_states(live.streams)).values():
            for event in await read_events(state, 0):
                await live.render(event)


def _possible(asker: Asker) -> Iterator[GraphQLRequest]:
    """Each root field with what it must be given, and with each further argument by itself."""
    for kind in _ORDER:
        root = _SCHEMA.get_root_type(OperationType(kind))
        assert root is not None
        for name, each in root.fields.items():
            required = [arg for arg, given in each.args.items() if is_required_argument(given)]
            further = [arg for arg in each.args if arg not in required]
            for chosen in [required, *([*required, arg] for arg in further)]:
                depth = DEPTH_MAX if chosen is required else 0
                for type_ in _types(chosen, asker):
                    values = {arg: _value(each.args[arg].type, arg, asker, type_) for arg in chosen}
                    yield GraphQLRequest(_text(kind, name, each, chosen, depth), None, values)


def _registered(asker: Asker) -> Iterator[GraphQLRequest]:
    for text in registered().values():
        nodes = parse(text).definitions
        (operation,) = (each for each in nodes if isinstance(each, OperationDefinitionNode))
        declared: dict[str, GraphQLInputType] = {}
        for each in operation.variable_definitions or ():
            type_ = type_from_ast(_SCHEMA, each.type)
            if is_non_null_type(type_):
                declared[each.variable.name.value] = type_
        for owned in _types(list(declared), asker):
            values = {name: _value(type_, name, asker, owned) for name, type_ in declared.items()}
            yield GraphQLRequest(text, None, values)


def _types(names: Sequence[str], asker: Asker) -> Sequence[str]:
    """What an ``id`` may be of; once where there is none."""
    return list(asker.own) if {"id", "ids"} & set(names) else [""]


def _value(type_: GraphQLInputType, name: str, asker: Asker, of_id: str) -> object:
    named = get_named_type(type_)
    given: object
    if isinstance(named, GraphQLInputObjectType):
        fields = named.fields.items()
        wanted = [key for key, each in fields if is_required_input_field(each)]
        if named.is_one_of or not wanted:
            wanted = [next(key for key in named.fields)]
        given = {key: _value(named.fields[key].type, key, asker, of_id) for key in wanted}
    elif isinstance(named, GraphQLEnumType):
        given = PLAIN.get(named.name) or next(iter(named.values))
    elif named.name == "ID":
        target = of_id if name in {"id", "ids"} else TYPE_OF[name]
        given = global_id(target or "Union", asker.own.get(target) or new_id())
    elif named.name == "UUID":
        given = str(new_id())
    elif name in {"first", "last"}:
        given = PAGE
    else:
        given = PLAIN[named.name]
    is_list = is_list_type(type_.of_type if is_non_null_type(type_) else type_)
    return [given] if is_list else given


def _text(kind: str, name: str, of: GraphQLField, chosen: Sequence[str], depth: int) -> str:
    declared = ", ".join(f"${arg}: {of.args[arg].type}" for arg in chosen)
    passed = ", ".join(f"{arg}: ${arg}" for arg in chosen)
    head = f"({declared})" if declared else ""
    call = f"{name}({passed})" if passed else name
    return f"{kind} {head} {{ {call} {_selection(get_named_type(of.type), depth)} }}"


def _selection(type_: GraphQLNamedType, depth: int) -> str:
    """Everything that can be asked without arguments, down to a depth."""
    if is_leaf_type(type_):
        return ""
    told = ["__typename"]
    if isinstance(type_, GraphQLObjectType):
        for name, each in type_.fields.items():
            inner = get_named_type(each.type)
            is_page = inner.name.endswith("Connection")
            if any(map(is_required_argument, each.args.values())):
                continue
            if is_leaf_type(inner):
                told.append(name)
            elif depth >= (step := int(name not in {"edges", "node", "pageInfo"})):
                call = f"{name}(first: {PAGE})" if is_page and "first" in each.args else name
                told.append(f"{call} {_selection(inner, depth - step)}")
    else:
        assert isinstance(type_, GraphQLInterfaceType) or hasattr(type_, "types")
        for possible in _SCHEMA.get_possible_types(type_):  # type: ignore[arg-type]  # as asserted
            if depth > 0:
                told.append(f"... on {possible.name} {_selection(possible, depth - 1)}")
    return f"{{ {' '.join(told)} }}"
