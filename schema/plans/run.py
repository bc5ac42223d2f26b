"""What one execution of a plan knows: who asks, with what, and what has been read so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from graphql import GraphQLResolveInfo
from graphql.execution.values import VariableValues
from graphql.pyutils import Path, gather_with_cancel, is_awaitable
from graphql.type.definition import GraphQLResolveInfoHelpers

from domain.kernel.capabilities import Capability
from domain.kernel.errors import DomainError
from domain.kernel.listings import Listing
from domain.kernel.pages import Page, Selection
from schema.context import BatchRead, Context
from schema.declare import ToOne, of_row
from schema.plans.joining import needs_of
from schema.plans.shapes import Field, Operated, Shape
from schema.sharing import SharedContext

_HELPERS = GraphQLResolveInfoHelpers(
    gather=lambda values: gather_with_cancel(*values), track=lambda _values: None
)
"""For resolvers that ask graphql-core to run something; ours never do."""


class PageOf:
    """A page that was read, with Relay's words for it."""

    __slots__ = ("has_next_page", "has_previous_page", "listing", "rows", "selection")

    def __init__(self, page: Page, selection: Selection) -> None:
        self.rows: Sequence[Any] = page.rows
        self.listing: Listing = page.listing
        self.selection = selection
        self.has_next_page = page.has_next
        self.has_previous_page = page.has_previous

    @property
    def cursor(self) -> Any:
        """Row → its cursor."""
        return self.listing.cursor

    @property
    def start_cursor(self) -> str | None:
        """Of the first row."""
        return self.listing.cursor(self.rows[0]) if self.rows else None

    @property
    def end_cursor(self) -> str | None:
        """Of the last row."""
        return self.listing.cursor(self.rows[-1]) if self.rows else None


class Run:
    """One execution. ``slots`` holds what was read: by key for a foreign key, else by object."""

    __slots__ = (
        *("context", "is_refused", "known", "operated", "refused", "root", "slots"),
        "variables",
    )

    def __init__(
        self,
        operated: Operated,
        context: Context | SharedContext,
        variables: VariableValues,
        root: Any = None,
    ) -> None:
        self.operated = operated
        self.context: Any = context
        self.variables = variables
        self.root = root
        self.slots: list[dict[Any, Any]] = [{} for _ in range(operated.slots)]
        self.known: dict[BatchRead, dict[UUID, Any]] = {}
        self.refused: dict[Field, Exception] = {}
        """Fields that nothing was read for, and why."""
        self.is_refused = not all(map(self._holds, operated.needs))
        """Whether anything selected is refused, so that the careful way has to tell."""

    def _holds(self, needs: Capability) -> bool:
        try:
            self.context.ensure(needs)
        except DomainError:
            return False
        return True

    def may_read(self, field: Field) -> bool:
        """Whether the field's capabilities are held; they are asked before a row is read."""
        try:
            self.ensure(field)
            if isinstance(field.source, ToOne):
                self.context.ensure(needs_of(field.source))
        except DomainError as refusal:
            self.refuse(field, refusal)
            return False
        return True

    def refuse(self, field: Field, error: Exception) -> None:
        """Nothing is read for the field."""
        self.refused[field] = error
        self.is_refused = True

    def ensure(self, field: Field) -> None:
        """Pass if what the field needs on top of its type is held. Raises DomainError."""
        if field.needs is not None:
            self.context.ensure(field.needs)

    def info(self, field: Field) -> GraphQLResolveInfo[Context]:
        """What graphql-core tells a resolver."""
        operated = self.operated
        return GraphQLResolveInfo(
            field.nodes[0].name.value,
            field.nodes,
            field.type,
            field.parent,
            Path(None, field.key, field.parent.name),
            operated.schema,
            operated.fragments,
            self.root,
            operated.operation,
            self.variables,
            self.context,
            is_awaitable,
            None,
            _HELPERS,
        )


def instance(shape: Shape, value: Any) -> Any:
    """The object that a function of its type expects."""
    return of_row(shape.cls, value) if shape.is_row and shape.has_row else value
