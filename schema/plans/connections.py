"""Connections: a page for each parent, by one statement where the conditions allow it."""

from __future__ import annotations

import asyncio
import inspect
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from typing import Any, TypeVar

from domain.kernel.many import fetch_counts, fetch_pages
from domain.kernel.pages import Page, PageRequest, Selection
from schema.declare import Connected
from schema.plans.keys import joins_held
from schema.plans.leaves import Failed
from schema.plans.run import PageOf, Run
from schema.plans.shapes import Field

T = TypeVar("T")

_PAGING = ("first", "after", "last", "before")


async def read_connection(
    run: Run, field: Field, source: Connected, objects: Sequence[Any]
) -> None:
    """Choose and read a page for each of the objects."""
    assert field.slot is not None
    assert field.arguments is not None
    slot = run.slots[field.slot]
    try:
        given = field.arguments.converted(run.variables)
        request = PageRequest(*(given.pop(name, None) for name in _PAGING))
    except Exception as error:
        slot.update({id(each): Failed(error) for each in objects})
        return

    async def select(value: Any) -> Selection:
        owner = field.owner
        row = value if owner.is_row else value.row if owner.has_row else None
        selection = source.select(run.context, row, **given)
        return await selection if inspect.isawaitable(selection) else selection

    if len(objects) == 1:
        slot[id(objects[0])] = await settled(
            lambda value: _page_of(_Asked(run, field, request), select(value)), objects[0]
        )
        return
    distinct = {id(each): each for each in objects}
    selections = await together([settled(select, each) for each in distinct.values()])
    chosen = dict(zip(distinct, selections, strict=True))
    slot.update({key: each for key, each in chosen.items() if isinstance(each, Failed)})
    wanted = {key: each for key, each in chosen.items() if not isinstance(each, Failed)}
    slot.update(await _pages(run, field, request, wanted))


async def _page_of(asked: _Asked, selection: Awaitable[Selection]) -> PageOf:
    return await asked.page(await selection)


async def _pages(
    run: Run, field: Field, request: PageRequest, selections: dict[int, Selection]
) -> dict[int, Any]:
    """The pages, by one statement for all that differ by values only."""
    asked = _Asked(run, field, request)
    alike: dict[Any, dict[int, Selection]] = defaultdict(dict)
    for key, each in selections.items():
        alike[(type(each), each.where.clauses)][key] = each
    pages = await together([asked.pages(list(group.values())) for group in alike.values()])
    keys = [key for group in alike.values() for key in group]
    return dict(zip(keys, chain.from_iterable(pages), strict=True))


class _Asked:
    """What is asked of each selection of one connection."""

    def __init__(self, run: Run, field: Field, request: PageRequest) -> None:
        assert field.reading is not None
        self.actor = run.context.actor
        self.request = request
        self.columns = field.reading.columns
        self.joins = joins_held(run, field.reading)
        self.is_counted_only = field.reading.is_counted_only

    async def pages(self, selections: Sequence[Selection]) -> Sequence[Any]:
        """Pages of selections that have their conditions in common."""
        if len(selections) > 1 and type(selections[0]) is Selection:
            try:
                pages = await fetch_pages(
                    self.actor, selections, self.request, self.columns, self.joins
                )
            except Exception as error:
                return [Failed(error)] * len(selections)
            if pages is not None:
                return list(map(PageOf, pages, selections))
        return await together([settled(self.page, each) for each in selections])

    async def page(self, selection: Selection) -> PageOf:
        """One page; none is read where only its list is counted."""
        request = self.request
        has_cursor = request.after is not None or request.before is not None
        if self.is_counted_only and not has_cursor and type(selection) is Selection:
            return PageOf(Page(selection.listing, (), False, False), selection)
        page = await selection.page(self.actor, request, self.columns, self.joins)
        return PageOf(page, selection)


async def read_counts(run: Run, field: Field, pages: Sequence[PageOf]) -> None:
    """How many rows the lists of these pages have."""
    assert field.slot is not None
    slot, actor = run.slots[field.slot], run.context.actor
    alike: dict[Any, list[PageOf]] = defaultdict(list)
    for page in pages:
        alike[(type(page.selection), page.selection.where.clauses)].append(page)

    async def one(page: PageOf) -> int:
        return await page.selection.count(actor)

    async def counts(group: list[PageOf]) -> Sequence[Any]:
        if len(group) > 1 and type(group[0].selection) is Selection:
            try:
                found = await fetch_counts(actor, [page.selection for page in group])
            except Exception as error:
                return [Failed(error)] * len(group)
            if found is not None:
                return found
        return await together([settled(one, page) for page in group])

    groups = list(alike.values())
    for group, found in zip(groups, await together(list(map(counts, groups))), strict=True):
        slot.update({id(page): n for page, n in zip(group, found, strict=True)})


async def together(reads: Sequence[Awaitable[T]]) -> list[T]:
    """Side by side; a single one needs no task of its own."""
    if len(reads) == 1:
        return [await reads[0]]
    return list(await asyncio.gather(*reads))


async def settled(read: Callable[[Any], Awaitable[Any]], value: Any) -> Any:
    """What came of it: a value, or ``Failed``."""
    try:
        return await read(value)
    except Exception as error:
        return Failed(error)
