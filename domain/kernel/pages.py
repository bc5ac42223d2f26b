"""Keyset pages: a page starts after a row's key, so it is stable under inserts and equally fast
at any depth. Cursors are opaque to clients and hold sort keys only.

One statement reads a page, with the rows behind its foreign keys, or the pages of many parents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar
from uuid import UUID

from domain.kernel.actor import Actor
from domain.kernel.database import Record, fetch, fetch_as
from domain.kernel.errors import Invalid
from domain.kernel.listings import (
    BadCursor,
    Joined,
    Key,
    Listing,
    PageShape,
    Where,
    count_sql,
    narrowed,
    page_sql,
    rows_sql,
)

__all__ = [
    "BadCursor",
    "BadPage",
    "ById",
    "Join",
    "Key",
    "Listing",
    "Page",
    "PageRequest",
    "Selection",
    "Where",
    "fetch_page",
    "narrowed",
]

PAGE_ROWS_MAX = 100
"""Rows a page at the most: one page stays a few milliseconds and a few kilobytes."""
PAGE_ROWS_DEFAULT = 50

Opened = Callable[[Any], Mapping[str, Any]]
"""Makes of a row as it lies in the database what its reader is given."""


class BadPage(Invalid):
    """``first``/``last`` out of 0…100, or both given."""

    code: ClassVar[str] = "page.bad_size"


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The four arguments of a Relay connection."""

    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None

    def __post_init__(self) -> None:
        for field, size in (("first", self.first), ("last", self.last)):
            if size is not None and not 0 <= size <= PAGE_ROWS_MAX:
                raise BadPage(field, max=PAGE_ROWS_MAX)
        if self.first is not None and self.last is not None:
            raise BadPage("last", max=PAGE_ROWS_MAX)

    @property
    def is_backward(self) -> bool:
        return self.last is not None

    @property
    def size(self) -> int:
        size = self.last if self.last is not None else self.first
        return PAGE_ROWS_DEFAULT if size is None else size


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in the list's order, and whether more lie on either side."""

    listing: Listing
    rows: Sequence[Any]
    has_next: bool
    has_previous: bool


@dataclass(frozen=True, slots=True, eq=False)
class ById:
    """A slice's access function by id, as data: callable, and joinable to a page.

    ``visible(actor, where)`` adds who may see a row; it may raise what the call shall raise.
    """

    listing: Listing
    visible: Callable[[Actor, Where], Where]
    is_protected: bool = True
    """Whether row-level security guards its tables, so that reading needs the actor's context."""

    async def __call__(self, actor: Actor, ids: Sequence[UUID]) -> Mapping[UUID, Record]:
        """Of these ids, the rows that the actor may see."""
        return await self.rows(actor, ids)

    async def rows(
        self,
        actor: Actor,
        ids: Sequence[UUID],
        columns: Sequence[str] | None = None,
        joins: Sequence[Join] = (),
    ) -> Mapping[UUID, Record]:
        """The same with just these columns, and with joined ones."""
        key = self.listing.columns["id"]
        where = self.visible(actor, Where().and_(f"{key} = ANY({{0}}::uuid[])", list(ids)))
        behind, args = joined_to(actor, joins, where.args)
        names = tuple(dict.fromkeys(("id", *(columns or self.listing.columns))))
        sql = rows_sql(self.listing, where.clauses, names, behind)
        if self.is_protected or any(join.read.is_protected for join in joins):
            found = await fetch_as(actor, sql, *args)
        else:
            found = await fetch(sql, *args)
        return {row["id"]: row for row in found}


@dataclass(frozen=True, slots=True, eq=False)
class Join:
    """A wish for the row behind a column, see ``Joined``."""

    name: str
    column: str
    read: ById
    columns: tuple[str, ...]


async def fetch_page(
    actor: Actor,
    listing: Listing,
    where: Where,
    request: PageRequest,
    columns: Sequence[str] | None = None,
    joins: Sequence[Join] = (),
) -> Page:
    """One page of the list under the actor's row-level security. Raises BadCursor."""
    chosen = from_cursors(listing, where, request)
    behind, args = joined_to(actor, joins, chosen.args)
    names = tuple(listing.columns if columns is None else columns)
    shape = PageShape(listing, chosen.clauses, names, request.is_backward, request.size, behind)
    return page_of(listing, request, list(await fetch_as(actor, page_sql(shape), *args)))


async def count(actor: Actor, listing: Listing, where: Where) -> int:
    """How many rows the whole list has for this actor."""
    rows = await fetch_as(actor, count_sql(listing, where.clauses), *where.args)
    return int(rows[0]["n"])


@dataclass(frozen=True, slots=True)
class Selection:
    """A list with its condition: what a service's ``select_…`` verb answers, not yet read."""

    listing: Listing
    where: Where
    opened: Opened | None = None
    """For rows that are not shown as they lie in the database."""

    async def page(
        self,
        actor: Actor,
        request: PageRequest,
        columns: Sequence[str] | None = None,
        joins: Sequence[Join] = (),
    ) -> Page:
        """One page. Raises BadCursor."""
        wanted = None if self.opened is not None else columns
        read = await fetch_page(actor, self.listing, self.where, request, wanted, joins)
        return self.shown(read)

    def shown(self, page: Page) -> Page:
        """The page with its rows opened."""
        if self.opened is None:
            return page
        return replace(page, rows=[self.opened(row) for row in page.rows])

    async def count(self, actor: Actor) -> int:
        """How many rows the whole list has."""
        return await count(actor, self.listing, self.where)


def from_cursors(listing: Listing, where: Where, request: PageRequest) -> Where:
    """The condition, beyond the request's cursors. Raises BadCursor."""
    if request.after is not None:
        where = _beyond(where, listing, listing.parse_cursor(request.after, "after"), ahead=True)
    if request.before is not None:
        before = listing.parse_cursor(request.before, "before")
        where = _beyond(where, listing, before, ahead=False)
    return where


def page_of(listing: Listing, request: PageRequest, rows: list[Record]) -> Page:
    """The page out of its rows and the one more that was asked for."""
    is_more = len(rows) > request.size
    rows = rows[: request.size]
    if request.is_backward:
        rows.reverse()
        return Page(listing, rows, has_next=request.before is not None, has_previous=is_more)
    return Page(listing, rows, has_next=is_more, has_previous=request.after is not None)


def joined_to(
    actor: Actor, joins: Sequence[Join], args: tuple[object, ...]
) -> tuple[tuple[Joined, ...], tuple[object, ...]]:
    """The joins with who may see their rows, and all values. Raises what ``visible`` raises."""
    made: list[Joined] = []
    for join in joins:
        seen = join.read.visible(actor, Where(args=args))
        listing = join.read.listing
        made.append(Joined(join.name, join.column, listing, join.columns, seen.clauses))
        args = seen.args
    return tuple(made), args


def _beyond(where: Where, listing: Listing, values: tuple[object, ...], *, ahead: bool) -> Where:
    operator = ">" if ahead != listing.is_descending else "<"
    left = ", ".join(key.expression for key in listing.key)
    right = ", ".join(f"{{{n}}}" for n in range(len(values)))
    return where.and_(f"({left}) {operator} ({right})", *values)
