"""An operation's selections as shapes: for each place of the answer its fields and their sources.

Fields are collected by graphql-core itself, once, for one outcome of the directives; so fragments,
merging and order are the reference's own. What has no declaration that we can read is refused.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
)

from domain.kernel.capabilities import Capability
from domain.kernel.pages import Join
from schema.declare import Column, Computed, GlobalId, Source, ToOne
from schema.plans.arguments import Arguments


class Uncovered(Exception):
    """A selection that no plan covers; its text is the reason, a word or two."""


@dataclass(frozen=True, slots=True)
class TypeName:
    """``__typename``."""


@dataclass(frozen=True, slots=True)
class Whole:
    """The value itself: the event at the root of a subscription."""


@dataclass(frozen=True, slots=True)
class OfPage:
    """Relay's words over a page that was read: edges, cursors, where it stands."""

    name: str


AnySource = Source | TypeName | Whole | OfPage


@dataclass(eq=False, slots=True)
class Field:
    """One field of the answer."""

    key: str
    """Its name there."""
    nodes: list[FieldNode]
    parent: GraphQLObjectType
    definition: GraphQLField
    source: AnySource
    needs: Capability | None
    """Beyond what its type needs."""
    owner: Shape = dataclasses.field(init=False)
    """The shape that it belongs to."""
    arguments: Arguments | None = None
    """Of what is read with arguments."""
    function: Any = None
    """Of a verb, as ``schema.plans.calling`` calls it."""
    slot: int | None = None
    """Where the run keeps what was read for it; None: nothing has to be read."""
    shapes: dict[str, Shape] = dataclasses.field(default_factory=dict)
    """Of each possible object type, by name; none for leaves."""
    reading: Reading | None = None
    """Of a page, or of rows by id: what its statement brings along."""
    join: str | None = None
    """The prefix of its columns, where its row comes with its parent's."""
    is_deep: bool = False
    """Whether anything has to be read for it or below it."""

    @property
    def type(self) -> GraphQLOutputType:
        """Its type, with its wrappings."""
        return self.definition.type

    @property
    def only(self) -> Shape:
        """Its one shape."""
        (shape,) = self.shapes.values()
        return shape


@dataclass(frozen=True, eq=False, slots=True)
class Reading:
    """What a statement has to bring: columns of its own rows (None: all), and rows behind them."""

    columns: tuple[str, ...] | None
    joined: tuple[tuple[Shape, Field], ...]
    joins: tuple[Join, ...]
    is_counted_only: bool
    """Whether no page is wanted, only how many rows its list has."""


@dataclass(eq=False, slots=True)
class Shape:
    """Objects of one type at one place of the answer."""

    of: GraphQLObjectType
    cls: type
    fields: list[Field]
    has_row: bool
    """Whether its objects stand on rows."""
    is_row: bool
    """Whether the bare row is passed for the object."""
    prefix: str = ""
    """Of its columns in the row."""
    is_deep: bool = False
    project: Any = None
    """Objects to dicts, made by ``schema.plans.source``."""
    index: int = 0

    def column(self, name: str) -> str:
        """The column's name in the row."""
        return self.prefix + name

    def columns(self) -> tuple[str, ...] | None:
        """The columns that its fields use, its own only; None: all."""
        names: dict[str, None] = {}
        for each in self.fields:
            match each.source:
                case Column(name):
                    names[name] = None
                case Computed(columns):
                    names.update(dict.fromkeys(columns))
                case GlobalId():
                    names["id"] = None
                case ToOne(column):
                    names[column] = None
                case TypeName():
                    pass
                case _:
                    return None
        return tuple(names)


@dataclass(eq=False, slots=True)
class Operated:
    """A whole operation as shapes."""

    schema: GraphQLSchema
    operation: OperationDefinitionNode
    fragments: dict[str, FragmentDefinitionNode]
    root: Shape
    slots: int
    needs: tuple[Capability, ...]
    """All that fields ask for on top of their types."""
    shapes: list[Shape]
