"""Lists as data: FROM, columns by name, a unique sort key, conditions; and the texts of their SQL.

A text depends on the shape of what is asked, never on values, so each is made once and the
driver's prepared statements are found again.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, ClassVar
from uuid import UUID

import orjson

from domain.kernel.actor import Scope, path_end
from domain.kernel.database import Record
from domain.kernel.errors import Invalid
from domain.kernel.ids import parse_id

CURSOR_CHARS_MAX = 300
"""Longer than any cursor we make."""
SQL_TEXTS_MAX = 1_000
"""Texts of pages kept: as many as documents."""


class BadCursor(Invalid):
    """A cursor that this list did not make."""

    code: ClassVar[str] = "page.bad_cursor"


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


@dataclass(frozen=True, slots=True, eq=False)
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
class Joined:
    """The row behind a column of a page's row, as further columns ``<name>.<column>``.

    Absent or not to be seen, all of them are NULL; ``<name>.id`` tells.
    """

    name: str
    column: str
    """Of the page's row; ``<name>.<column>`` of another ``Joined`` before this one."""
    listing: Listing
    columns: tuple[str, ...]
    clauses: tuple[str, ...]
    """Who may see it; values are numbered on after the page's own."""


def narrowed(listing: Listing, **columns: str) -> Listing:
    """The same list with further columns."""
    return replace(listing, columns={**listing.columns, **columns})


@dataclass(frozen=True, slots=True)
class PageShape:
    """All that the text of a page depends on."""

    listing: Listing
    clauses: tuple[str, ...]
    columns: tuple[str, ...]
    is_backward: bool
    size: int
    joins: tuple[Joined, ...] = ()
    spread: tuple[tuple[int, str], ...] = ()
    """Pages of many parents at once: which values differ by parent (their number, SQL type)."""


@lru_cache(SQL_TEXTS_MAX)
def page_sql(shape: PageShape) -> str:
    """The statement of one page, with one row more than asked for; or of many parents' pages.

    The latter take arrays for the values that differ, and number the parents in ``#``.
    """
    listing = shape.listing
    names = dict.fromkeys([*shape.columns, *(key.name for key in listing.key)])
    direction = "DESC" if listing.is_descending != shape.is_backward else "ASC"
    condition = _spread(shape.clauses, shape.spread)
    order = ", ".join(f"{key.expression} {direction}" for key in listing.key)
    page = (
        f"SELECT {_select(listing, names)} FROM {listing.table} WHERE {condition}"
        f" ORDER BY {order} LIMIT {shape.size + 1}"
    )
    if not shape.joins and not shape.spread:
        return page
    again = ", ".join(f'p."{key.name}" {direction}' for key in listing.key)
    joined = ", ".join(
        ["p.*", *(f'"{j.name}"."{c}" AS "{j.name}.{c}"' for j in shape.joins for c in j.columns)]
    )
    behind = "".join(_lateral(join) for join in shape.joins)
    if not shape.spread:
        return f"SELECT {joined} FROM ({page}) p{behind} ORDER BY {again}"
    return (
        f'SELECT "#of"."#", {joined} FROM {_parents(shape.spread)}'
        f' CROSS JOIN LATERAL ({page}) p{behind} ORDER BY "#of"."#", {again}'
    )


@lru_cache(SQL_TEXTS_MAX)
def count_sql(
    listing: Listing, clauses: tuple[str, ...], spread: tuple[tuple[int, str], ...] = ()
) -> str:
    """The statement of how many rows a list has; of many parents' lists, in their order."""
    counted = f"SELECT count(*) AS n FROM {listing.table} WHERE {_spread(clauses, spread)}"
    if not spread:
        return counted
    return f'SELECT ({counted}) AS n FROM {_parents(spread)} ORDER BY "#of"."#"'


@lru_cache(SQL_TEXTS_MAX)
def rows_sql(
    listing: Listing,
    clauses: tuple[str, ...],
    columns: tuple[str, ...],
    joins: tuple[Joined, ...] = (),
) -> str:
    """The statement of all rows that a condition leaves, in no order."""
    inner = (
        f"SELECT {_select(listing, columns)} FROM {listing.table}"
        f" WHERE {' AND '.join(clauses) or 'true'}"
    )
    if not joins:
        return inner
    joined = ", ".join(f'"{j.name}"."{c}" AS "{j.name}.{c}"' for j in joins for c in j.columns)
    return f"SELECT p.*, {joined} FROM ({inner}) p{''.join(_lateral(join) for join in joins)}"


def _spread(clauses: tuple[str, ...], spread: tuple[tuple[int, str], ...]) -> str:
    """The condition, its values that differ by parent taken from ``#of``: no listing says that."""
    condition = " AND ".join(clauses) or "true"
    for number, _ in spread:
        condition = re.sub(rf"\${number}(?!\d)", f'"#of"."a{number}"', condition)
    return condition


def _parents(spread: tuple[tuple[int, str], ...]) -> str:
    arrays = ", ".join(f"${number}::{sql_type}[]" for number, sql_type in spread)
    names = ", ".join([*(f'"a{number}"' for number, _ in spread), '"#"'])
    return f'unnest({arrays}) WITH ORDINALITY AS "#of"({names})'


def _lateral(join: Joined) -> str:
    of, _, column = join.column.rpartition(".")
    source = f'"{of}"."{column}"' if of else f'p."{column}"'
    condition = " AND ".join([f"{join.listing.columns['id']} = {source}", *join.clauses])
    return (
        f" LEFT JOIN LATERAL (SELECT {_select(join.listing, join.columns)}"
        f' FROM {join.listing.table} WHERE {condition}) "{join.name}" ON true'
    )


def _select(listing: Listing, names: Any) -> str:
    return ", ".join(f'{listing.columns[name]} AS "{name}"' for name in names)


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
