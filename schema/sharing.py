"""Which subscriptions get the same bytes for the same event, and how that is kept true.

Nothing is shared unless it is declared: the feed's class names what its projection reads besides
the event (``shared_by``), and every field that the operation selects, on every type
that may come, must be a pure function of the event's row. All of that goes into the share key, and
a shared rendering runs with nothing else: a context and a feed that refuse every other access. The
first refusal poisons it, so that it is never sent (``SharePoisoned``).
"""

from __future__ import annotations

import hashlib
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn
from uuid import UUID

import orjson
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    Visitor,
    get_named_type,
    is_abstract_type,
    is_object_type,
    visit,
)

from domain.kernel.capabilities import Capability
from domain.kernel.ports import SharePoisoned
from schema.bind import _declared, origin, type_declaration
from schema.declare import Column, Computed, Given, GlobalId, Streamed

RESUME_ARGUMENT = "after"
"""Says where to begin, not what is told: it tells nobody apart."""
_PURE = (Column, Computed, Given, GlobalId)


@dataclass(frozen=True, slots=True)
class Shape:
    """What an operation shares by its text alone."""

    digest: bytes
    resumed_by: frozenset[str]
    """Variables that are used for nothing but to resume."""
    shared_by: tuple[str, ...]
    """What the feed's projection reads besides the event."""

    def with_variables(self, coerced: Mapping[str, Any]) -> bytes | None:
        """A key for these variables; None where they cannot be compared."""
        told = {name: value for name, value in coerced.items() if name not in self.resumed_by}
        return _digest(self.digest, told)


def shape_of(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, text: str
) -> Shape | None:
    """The shape of a valid subscription; None: each subscriber is rendered for alone."""
    root = schema.subscription_type
    node = operation.selection_set.selections[0]
    if root is None or len(operation.selection_set.selections) != 1:
        return None
    if not isinstance(node, FieldNode) or node.selection_set is None:
        return None
    field = root.fields.get(node.name.value)
    declared = _declared(field) if field is not None else None
    if field is None or declared is None or not isinstance(declared.source, Streamed):
        return None
    if declared.source.shared_by is None or declared.needs is None:
        return None
    looking = _Selections(schema, document, declared.needs)
    if not looking.are_pure(node.selection_set, _possible(schema, field.type)):
        return None
    name = operation.name.value if operation.name else ""
    digest = hashlib.blake2b(f"{name}\0{text}".encode(), digest_size=32).digest()
    return Shape(digest, _resumed_by(document, node), declared.source.shared_by)


def share_key(base: bytes, streams: Sequence[str], values: Mapping[str, Any]) -> bytes | None:
    """The key: shape and variables, streams, and what the projection reads: the audience."""
    return _digest(base, [streams, values])


class SharedContext:
    """The context of a rendering for many: there is no actor, nothing to write or to load with.

    ``granted`` is what each of them needed to subscribe, and was asked for anew since.
    """

    __slots__ = ("_granted", "is_poisoned")

    def __init__(self, granted: Capability) -> None:
        self._granted = granted
        self.is_poisoned = False

    def ensure(self, needs: Capability) -> None:
        """Pass for what all of them have been found to hold."""
        if needs is not self._granted:
            self.is_poisoned = True
            raise SharePoisoned(needs)

    def __getattr__(self, name: str) -> NoReturn:
        self.is_poisoned = True
        raise SharePoisoned(name)


class SharedFeed:
    """A feed of which only what is in the share key can be read, and its methods be called."""

    def __init__(self, of: type, values: Mapping[str, Any], context: SharedContext) -> None:
        self.__dict__.update(values)
        self.__dict__["\0"] = (of, context)

    def __getattr__(self, name: str) -> Any:
        of, context = self.__dict__["\0"]
        method = of.__dict__.get(name)
        if isinstance(method, types.FunctionType):
            return types.MethodType(method, self)
        context.is_poisoned = True
        raise SharePoisoned(name)


class _Selections:
    """Looks through the selections of one operation."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, needs: Capability) -> None:
        self._schema = schema
        self._needs = needs
        self._fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }

    def are_pure(self, selected: SelectionSetNode, types_: Sequence[GraphQLObjectType]) -> bool:
        """Whether on each of these types only pure fields are selected, all the way down."""
        return all(
            self._is_pure(node, type_) for type_ in types_ for node in self._fields(selected, type_)
        )

    def _is_pure(self, node: FieldNode, type_: GraphQLObjectType) -> bool:
        if node.name.value == "__typename":
            return True
        field = type_.fields[node.name.value]
        declared = _declared(field)
        declaration = type_declaration(origin(type_))
        if declared is None or declaration is None or not isinstance(declared.source, _PURE):
            return False
        for needs in (declared.needs, declaration.needs):
            if needs not in (None, self._needs, Capability.PUBLIC, Capability.SELF):
                return False
        if node.selection_set is None:
            return True
        return self.are_pure(node.selection_set, _possible(self._schema, field.type))

    def _fields(self, selected: SelectionSetNode, type_: GraphQLObjectType) -> Iterator[FieldNode]:
        for node in selected.selections:
            if isinstance(node, FieldNode):
                yield node
                continue
            part: FragmentDefinitionNode | InlineFragmentNode
            if isinstance(node, FragmentSpreadNode):
                part = self._fragments[node.name.value]
            else:
                assert isinstance(node, InlineFragmentNode)
                part = node
            if self._applies(part, type_):
                yield from self._fields(part.selection_set, type_)

    def _applies(
        self, part: FragmentDefinitionNode | InlineFragmentNode, type_: GraphQLObjectType
    ) -> bool:
        if part.type_condition is None:
            return True
        condition = self._schema.type_map[part.type_condition.name.value]
        return condition is type_ or (
            is_abstract_type(condition) and self._schema.is_sub_type(condition, type_)
        )


def _possible(schema: GraphQLSchema, type_: Any) -> Sequence[GraphQLObjectType]:
    named = get_named_type(type_)
    if is_abstract_type(named):
        return schema.get_possible_types(named)
    return [named] if is_object_type(named) else []


def _resumed_by(document: DocumentNode, root: FieldNode) -> frozenset[str]:
    uses: dict[str, int] = {}

    class Counting(Visitor):
        """Counts where each variable is used; its definition is one of them."""

        def enter_variable(self, node: VariableNode, *_: Any) -> None:
            uses[node.name.value] = uses.get(node.name.value, 0) + 1

    visit(document, Counting())
    return frozenset(
        argument.value.name.value
        for argument in root.arguments or ()
        if argument.name.value == RESUME_ARGUMENT
        and isinstance(argument.value, VariableNode)
        and uses[argument.value.name.value] == 2
    )


def _digest(base: bytes, value: Any) -> bytes | None:
    try:
        told = orjson.dumps(value, default=_plain, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return None
    return hashlib.blake2b(base + told, digest_size=32).digest()


def _plain(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    if isinstance(value, UUID):  # the driver's own subclass
        return str(value)
    raise TypeError
