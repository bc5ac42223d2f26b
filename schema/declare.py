"""Where each field comes from and what it needs, said once.

A type's fields are declared, not resolved: a column of its row, a value computed from columns, the
row behind a foreign key, a keyset connection, an attribute that a mutation hands over. The
resolvers follow from the declarations (``schema.bind``), and so may a compiler from selections to
SQL. A field without a declaration stops the build.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import Annotated, Any, TypeAlias, TypeVar, dataclass_transform

import strawberry
from strawberry.types.private import StrawberryPrivate

from domain.kernel.capabilities import Capability
from domain.kernel.database import Record
from domain.kernel.pages import Selection
from schema.context import BatchRead, Context, Info

Row: TypeAlias = Mapping[str, Any] | Record
T = TypeVar("T")
E = TypeVar("E", bound=Enum)
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """One column of the row, unchanged but for ``as_`` (an enum, say)."""

    name: str
    as_: Callable[[Any], Any] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Computed:
    """A pure function of some columns of the row."""

    columns: tuple[str, ...]
    compute: Callable[..., Any]


@dataclasses.dataclass(frozen=True, slots=True)
class ToOne:
    """The row behind a foreign key, read in one batch with its siblings."""

    column: str
    target: Callable[[], type]
    """Late, because types name each other."""
    as_: type | None = None
    """Another view of the target's rows, when the field's type is not the node itself."""


@dataclasses.dataclass(frozen=True, slots=True)
class Connected:
    """A keyset connection over what the slice's ``select_…`` verb answers."""

    select: Callable[..., Selection | Awaitable[Selection]]
    of: Callable[[], type]


@dataclasses.dataclass(frozen=True, slots=True)
class Given:
    """An attribute that a mutation, a query or an event hands over."""


@dataclasses.dataclass(frozen=True, slots=True)
class Verb:
    """A query or mutation: a function that calls the slice's service."""


@dataclasses.dataclass(frozen=True, slots=True)
class GlobalId:
    """The Relay id of a node."""


@dataclasses.dataclass(frozen=True, slots=True)
class Streamed:
    """A subscription: ``open`` names the streams and projects their events (``schema.live``)."""

    open: Callable[..., Any]
    shared_by: tuple[str, ...] | None = None
    """Attributes of the feed that its projection reads besides the event, so that those for whom
    they are equal may share a rendering; None: nobody may."""


Source: TypeAlias = Column | Computed | ToOne | Connected | Given | Verb | GlobalId | Streamed


@dataclasses.dataclass(frozen=True, slots=True)
class Declared:
    """What a field carries: its source and the capability it needs (None: its type's own)."""

    source: Source
    needs: Capability | None = None


DECLARED = "declared"
"""The key under which a strawberry field carries its declaration."""


def column(
    name: str,
    description: str,
    *,
    needs: Capability | None = None,
    as_: Callable[[Any], Any] | None = None,
    deprecation_reason: str | None = None,
) -> Any:
    """A field that is a column of the row."""
    return _field(
        Column(name, as_), description, needs=needs, deprecation_reason=deprecation_reason
    )


def computed(
    columns: tuple[str, ...],
    compute: Callable[..., Any],
    description: str,
    *,
    needs: Capability | None = None,
) -> Any:
    """A field that is a pure function of columns, given to it in this order."""
    return _field(Computed(columns, compute), description, needs=needs)


def to_one(
    column: str,
    target: Callable[[], type],
    description: str,
    *,
    needs: Capability | None = None,
    as_: type | None = None,
) -> Any:
    """A field that is another node, by the id in ``column``; declare it nullable if that may be."""
    return _field(ToOne(column, target, as_), description, needs=needs)


def given(description: str, *, needs: Capability | None = None) -> Any:
    """A field whose value the resolver of its parent hands over as an attribute."""
    return strawberry.field(description=description, metadata={DECLARED: Declared(Given(), needs)})


def verb(needs: Capability, description: str) -> Callable[[Function], Any]:
    """A query or mutation by a function ``(info: Info, …)`` that calls the slice's service."""

    def declare(function: Function) -> Any:
        return strawberry.field(
            resolver=function,
            description=description,
            metadata={DECLARED: Declared(Verb(), needs)},
        )

    return declare


@dataclasses.dataclass(frozen=True, slots=True)
class TypeDeclaration:
    """What a type carries: the capability its fields need, and how its rows are read by id."""

    needs: Capability
    read: BatchRead | None = None


TYPE_DECLARATION = "__declaration__"


@dataclass_transform()
def node(read: BatchRead, *, needs: Capability, description: str) -> Callable[[type[T]], type[T]]:
    """A type with rows, a global id and a place in ``node(id:)``.

    ``read`` is the slice's access function: of these ids, the rows that the actor may see. Derive
    the class from ``schema.nodes.Node``.
    """

    def declare(cls: type[T]) -> type[T]:
        setattr(cls, TYPE_DECLARATION, TypeDeclaration(needs, read))
        made: type[T] = strawberry.type(cls, description=description)
        return made

    return declare


@dataclass_transform()
def row_type(*, needs: Capability, description: str) -> Callable[[type[T]], type[T]]:
    """A type over a row (or an event's body) without an identity of its own."""

    def declare(cls: type[T]) -> type[T]:
        setattr(cls, TYPE_DECLARATION, TypeDeclaration(needs))
        cls.__annotations__ = {"row": _PRIVATE_ROW, **cls.__annotations__}
        made: type[T] = strawberry.type(cls, description=description)
        return made

    return declare


@dataclass_transform()
def payload(*, needs: Capability, description: str) -> Callable[[type[T]], type[T]]:
    """A type whose fields are all ``given``: what a mutation answers, for instance."""

    def declare(cls: type[T]) -> type[T]:
        setattr(cls, TYPE_DECLARATION, TypeDeclaration(needs))
        made: type[T] = strawberry.type(cls, description=description)
        return made

    return declare


_PRIVATE_ROW: Any = Annotated[Any, StrawberryPrivate()]
"""What ``strawberry.Private[Any]`` stands for; mypy takes no such value."""


def of_row(cls: type[T], row: Row) -> T:
    """The row as an instance of a ``node`` or ``row_type``."""
    made = cls.__new__(cls)
    made.row = row  # type: ignore[attr-defined]  # every such type has it
    return made


def choice(enum: type[E], description: str, *, called: str | None = None, **values: str) -> type[E]:
    """Make an existing Enum a GraphQL enum; ``values`` describes each member, in lower case.

    ``called``: its name in GraphQL, where the slice's own name would be too general.
    """
    made = strawberry.enum(enum, name=called, description=description)
    definition: Any = made.__strawberry_definition__  # type: ignore[attr-defined]  # strawberry's
    for value in definition.values:
        value.description = values[value.name.lower()]
    return made


def context_of(info: Info) -> Context:
    """The operation's context."""
    return info.context


def _field(
    source: Source,
    description: str,
    *,
    needs: Capability | None,
    deprecation_reason: str | None = None,
) -> Any:
    return strawberry.field(
        default=None,
        description=description,
        deprecation_reason=deprecation_reason,
        metadata={DECLARED: Declared(source, needs)},
    )
