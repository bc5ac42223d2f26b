"""Lists of many parents at once: their pages, or their counts, by one statement.

Only for plain selections of one listing whose conditions differ by values that an array can carry;
anything else is read one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domain.kernel.actor import Actor
from domain.kernel.database import Record, fetch_as
from domain.kernel.listings import PageShape, Where, count_sql, page_sql
from domain.kernel.pages import Join, Page, PageRequest, Selection, from_cursors, joined_to, page_of


async def fetch_pages(
    actor: Actor,
    selections: Sequence[Selection],
    request: PageRequest,
    columns: Sequence[str] | None = None,
    joins: Sequence[Join] = (),
) -> list[Page] | None:
    """A page of each of these plain selections by one statement. Raises BadCursor.

    None where they differ by more than values that an array can carry: read them one by one.
    """
    listing = selections[0].listing
    wheres = [from_cursors(listing, each.where, request) for each in selections]
    if any(each.listing is not listing for each in selections):
        return None
    spread = _spread(wheres)
    if spread is None:
        return None
    differing, args = spread
    behind, all_args = joined_to(actor, joins, args)
    is_whole = columns is None or any(each.opened is not None for each in selections)
    names = tuple(listing.columns if is_whole or columns is None else columns)
    shape = PageShape(
        listing,
        wheres[0].clauses,
        names,
        request.is_backward,
        request.size,
        behind,
        differing,
    )
    by_parent: list[list[Record]] = [[] for _ in selections]
    for row in await fetch_as(actor, page_sql(shape), *all_args):
        by_parent[row["#"] - 1].append(row)
    return [
        each.shown(page_of(listing, request, rows))
        for each, rows in zip(selections, by_parent, strict=True)
    ]


async def fetch_counts(actor: Actor, selections: Sequence[Selection]) -> list[int] | None:
    """How many rows each of these plain selections has, by one statement; None as above."""
    listing = selections[0].listing
    if any(each.listing is not listing for each in selections):
        return None
    spread = _spread([each.where for each in selections])
    if spread is None:
        return None
    differing, args = spread
    sql = count_sql(listing, selections[0].where.clauses, differing)
    return [int(row["n"]) for row in await fetch_as(actor, sql, *args)]


_SPREADABLE = ((UUID, "uuid"), (int, "bigint"), (datetime, "timestamptz"))
"""Values that an array carries without changing how they compare; a text would lose the column's
collation."""


def _spread(
    wheres: Sequence[Where],
) -> tuple[tuple[tuple[int, str], ...], tuple[object, ...]] | None:
    """Which values differ (number, SQL type), and all values, those that differ as lists."""
    if any(where.clauses != wheres[0].clauses for where in wheres):
        return None
    args: list[object] = []
    differing: list[tuple[int, str]] = []
    for number, values in enumerate(zip(*(where.args for where in wheres), strict=True), 1):
        if all(value == values[0] for value in values):
            args.append(values[0])
            continue
        sql_type = next((name for kind, name in _SPREADABLE if isinstance(values[0], kind)), None)
        if sql_type is None or isinstance(values[0], bool):
            return None
        differing.append((number, sql_type))
        args.append(list(values))
    return (tuple(differing), tuple(args)) if differing else None
