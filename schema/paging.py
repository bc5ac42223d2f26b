"""Relay connections over keyset pages (分页)."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Generic, TypeVar

import strawberry

from domain.kernel.capabilities import Capability
from domain.kernel.pages import PageRequest, Selection
from schema.context import Context, Info
from schema.declare import DECLARED, Connected, Declared, given, of_row, payload, verb
from schema.signatures import dress

T = TypeVar("T")


@payload(needs=Capability.PUBLIC, description="Where a page stands (分页信息). Relay's PageInfo.")
class PageInfo:
    """Relay's PageInfo."""

    has_next_page: bool = given("Whether edges follow this page.")
    has_previous_page: bool = given("Whether edges precede this page.")
    start_cursor: str | None = given("Cursor of the first edge; null on an empty page.")
    end_cursor: str | None = given("Cursor of the last edge; null on an empty page.")


@payload(needs=Capability.PUBLIC, description="A node and its place in the list.")
class Edge(Generic[T]):
    """Relay's Edge."""

    node: T = given("The node.")
    cursor: str = given("Opaque place of this edge, for `after` and `before`.")


@payload(needs=Capability.PUBLIC, description="A page of a list (连接). Relay's Connection.")
class Connection(Generic[T]):
    """Relay's Connection. ``total_count`` is counted only when asked for."""

    selection: strawberry.Private[Selection]
    edges: list[Edge[T]] = given("The page's edges, in the list's order.")
    page_info: PageInfo = given("Where this page stands.")

    @verb(Capability.PUBLIC, "How many nodes the whole list has (总数); counted when asked for.")
    async def total_count(self, info: Info) -> int:
        return await self.selection.count(info.context.actor)


async def resolve_connection(
    context: Context, selection: Selection, request: PageRequest, of: type[T]
) -> Connection[T]:
    """One page of the selection as nodes of type ``of``."""
    page = await selection.page(context.actor, request)
    edges = [Edge(node=of_row(of, row), cursor=selection.listing.cursor(row)) for row in page.rows]
    info = PageInfo(
        has_next_page=page.has_next,
        has_previous_page=page.has_previous,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else None,
    )
    return Connection(selection=selection, edges=edges, page_info=info)


def connected(
    select: Callable[..., Selection | Awaitable[Selection]],
    of: Callable[[], type],
    description: str,
    *,
    needs: Capability | None = None,
) -> Any:
    """A Relay connection over the selection of ``select(context, row, **arguments)``.

    ``row`` is the parent's row, None at the root; further arguments are the keyword-only
    parameters of ``select``, with ``Annotated[…, strawberry.argument(description=…)]``.
    """

    async def resolve(self: Any, info: Info, **arguments: Any) -> Any:
        request = PageRequest(*(arguments.pop(name, None) for name in _PAGING))
        selection = select(info.context, getattr(self, "row", None), **arguments)
        chosen = await selection if inspect.isawaitable(selection) else selection
        return await resolve_connection(info.context, chosen, request, of())

    keyword = inspect.Parameter.KEYWORD_ONLY
    paging = [
        inspect.Parameter(name, keyword, default=None, annotation=annotation)
        for name, annotation in _PAGING.items()
    ]
    further = [
        parameter
        for parameter in inspect.signature(select, eval_str=True).parameters.values()
        if parameter.kind is keyword
    ]
    return strawberry.field(
        resolver=dress(resolve, [*paging, *further], like=select, is_method=True),
        description=description,
        metadata={DECLARED: Declared(Connected(select, of), needs)},
    )


_PAGING: dict[str, Any] = {
    "first": Annotated[
        int | None, strawberry.argument(description="How many edges from the start, 0…100.")
    ],
    "after": Annotated[
        str | None, strawberry.argument(description="Only edges after this cursor.")
    ],
    "last": Annotated[
        int | None, strawberry.argument(description="How many edges from the end, 0…100.")
    ],
    "before": Annotated[
        str | None, strawberry.argument(description="Only edges before this cursor.")
    ],
}
