"""Keyset pages: a page starts after a row's key, so it is stable under inserts and equally fast
at any depth. Cursors are opaque to clients and hold sort keys only."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import orjson

from domain.kernel.actor import Actor, Scope, path_end
from domain.kernel.database import Record, fetch_as
from domain.kernel.errors import Invalid
from domain.kernel.ids import parse_id

PAGE_ROWS_MAX = 100
"""Rows a page at the most: one page stays a few milliseconds and a few kilobytes."""
PAGE_ROWS_DEFAULT = 50
CURSOR_CHARS_MAX = 300
"""Longer than any cursor we make."""


class BadCursor(Invalid):
    """A cursor that this list did not make."""

    code: ClassVar[str] = "page.bad_cursor"


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
class Where:
    """A condition with its values. ``{0}``, ``{1}`` … in a clause stand for its own values."""

    clauses: tuple[str, ...] = ()
    args: tuple[object, ...] = ()

    def and_(self, clause: str, *args: object) -> Where:
        """This condition and another one."""
        slots = [f"${len(self.args) + n + 1}" for n in range(len(args))]
        return Where((*self.clauses, f"({clause.format(*slots)})"), (*self.args, *args))

    def in_scope(self, scope: Scope, *, territory: str, line: str) -> Where:
        """This condition, and the row's place inside the scope; an empty scope matches nothing."""
        ranges = [(territory, path) for path in scope.territory]
        ranges += [(line, path) for path in scope.line]
        if not ranges:
            return self.and_("false")
        clauses: list[str] = []
        args: list[object] = []
        for column, path in ranges:
            clauses.append(f"({column} >= {{{len(args)}}} AND {column} < {{{len(args) + 1}}})")
            args += [path, path_end(path)]
        return self.and_(" OR ".join(clauses), *args)

    @property
    def sql(self) -> str:
        return " AND ".join(self.clauses) or "true"


@dataclass(frozen=True, slots=True)
class Key:
    """One column of a sort key: its SQL expression, its name in the row, its kind."""

    expression: str
    name: str
    kind: type[UUID] | type[int] | type[str] | type[datetime]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list that can be paged: FROM, the columns by name, a unique sort key."""

    table: str
    """The FROM clause, with its joins."""
    columns: Mapping[str, str]
    """Name in the row → SQL expression."""
    key: tuple[Key, ...]
    is_descending: bool = False

    def cursor(self, row: Mapping[str, Any] | Record) -> str:
        """The row's place in this list."""
        values = [_plain(row[key.name]) for key in self.key]
        return base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")

    def parse_cursor(self, text: str, field: str) -> tuple[object, ...]:
        """The key values of a cursor. Raises BadCursor."""
        if len(text) > CURSOR_CHARS_MAX:
            raise BadCursor(field)
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            values = orjson.loads(raw)
        except (binascii.Error, ValueError) as bad:
            raise BadCursor(field) from bad
        if not isinstance(values, list) or len(values) != len(self.key):
            raise BadCursor(field)
        return tuple(
            _typed(value, key.kind, field) for value, key in zip(values, self.key, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in the list's order, and whether more lie on either side."""

    listing: Listing
    rows: Sequence[Record]
    has_next: bool
    has_previous: bool


async def fetch_page(
    actor: Actor,
    listing: Listing,
    where: Where,
    request: PageRequest,
    columns: Sequence[str] | None = None,
) -> Page:
    """One page of the list under the actor's row-level security. Raises BadCursor."""
    wanted = dict.fromkeys([*(columns or listing.columns), *(key.name for key in listing.key)])
    chosen = where
    if request.after is not None:
        chosen = _beyond(chosen, listing, listing.parse_cursor(request.after, "after"), ahead=True)
    if request.before is not None:
        chosen = _beyond(
            chosen, listing, listing.parse_cursor(request.before, "before"), ahead=False
        )
    is_descending = listing.is_descending != request.is_backward
    direction = "DESC" if is_descending else "ASC"
    order = ", ".join(f"{key.expression} {direction}" for key in listing.key)
    select = ", ".join(f'{listing.columns[name]} AS "{name}"' for name in wanted)
    rows = list(
        await fetch_as(
            actor,
            f"SELECT {select} FROM {listing.table} WHERE {chosen.sql}"
            f" ORDER BY {order} LIMIT {request.size + 1}",
            *chosen.args,
        )
    )
    is_more = len(rows) > request.size
    rows = rows[: request.size]
    if request.is_backward:
        rows.reverse()
        return Page(listing, rows, has_next=request.before is not None, has_previous=is_more)
    return Page(listing, rows, has_next=is_more, has_previous=request.after is not None)


async def count(actor: Actor, listing: Listing, where: Where) -> int:
    """How many rows the whole list has for this actor."""
    rows = await fetch_as(
        actor, f"SELECT count(*) AS n FROM {listing.table} WHERE {where.sql}", *where.args
    )
    return int(rows[0]["n"])


@dataclass(frozen=True, slots=True)
class Selection:
    """A list with its condition: what a service's ``select_…`` verb answers, not yet read."""

    listing: Listing
    where: Where

    async def page(
        self, actor: Actor, request: PageRequest, columns: Sequence[str] | None = None
    ) -> Page:
        """One page. Raises BadCursor."""
        return await fetch_page(actor, self.listing, self.where, request, columns)

    async def count(self, actor: Actor) -> int:
        """How many rows the whole list has."""
        return await count(actor, self.listing, self.where)


def narrowed(listing: Listing, **columns: str) -> Listing:
    """The same list with further columns."""
    return replace(listing, columns={**listing.columns, **columns})


def _beyond(where: Where, listing: Listing, values: tuple[object, ...], *, ahead: bool) -> Where:
    operator = ">" if ahead != listing.is_descending else "<"
    left = ", ".join(key.expression for key in listing.key)
    right = ", ".join(f"{{{n}}}" for n in range(len(values)))
    return where.and_(f"({left}) {operator} ({right})", *values)


def _plain(value: Any) -> str | int:
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, int) else str(value)


def _typed(value: object, kind: type, field: str) -> object:
    if kind is int:
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
            return value
    elif isinstance(value, str) and "\x00" not in value:
        if kind is str:
            return value
        if kind is UUID and (parsed := parse_id(value)) is not None:
            return parsed
        if kind is datetime:
            return _instant(value, field)
    raise BadCursor(field)


def _instant(text: str, field: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as bad:
        raise BadCursor(field) from bad
    if instant.tzinfo is None:
        raise BadCursor(field)
    return instant
