"""Which rows come with a page by LEFT JOIN, and which are read in a batch.

A foreign key is joined where its target's access function is data (``ById``) and all that is
selected of the target are columns; everything else is one read for all rows of a level.
"""

from __future__ import annotations

from collections.abc import Sequence

from domain.kernel.capabilities import Capability
from domain.kernel.pages import ById, Join
from schema.bind import type_declaration
from schema.context import BatchRead
from schema.declare import Connected, ToOne
from schema.plans.shapes import Field, OfPage, Reading, Shape

JOINS_MAX = 8
"""Rows behind one page's row; further ones are read in a batch."""


def arrange(root: Shape) -> None:
    """Let rows behind a page's rows come with the page, as far as their slices allow it."""
    for each in root.fields:
        host = host_of(each)
        if host is not None:
            _join(host)
        if host is not None or isinstance(each.source, Connected):
            each.reading = _reading(each, host)
        for shape in each.shapes.values():
            arrange(shape)
        below = any(shape.is_deep for shape in each.shapes.values())
        each.is_deep = each.slot is not None or below
    root.is_deep = any(each.is_deep for each in root.fields)


def _reading(field: Field, host: Shape | None) -> Reading:
    joined = tuple(_joined_fields(host)) if host is not None else ()
    is_page = isinstance(field.source, Connected)
    columns = host.columns() if host is not None else None if nodes_of(field) else ()
    wanted = (OfPage("edges"), OfPage("page_info"))
    is_counted = is_page and not any(each.source in wanted for each in field.only.fields)
    return Reading(columns, joined, joins_of(joined), is_counted)


def host_of(field: Field) -> Shape | None:
    """The shape of the rows that the field's own statement reads, if just one selects from them."""
    if isinstance(field.source, ToOne):
        is_host = field.join is None and isinstance(read_of(field.source), ById)
        return field.only if is_host else None
    nodes = nodes_of(field) if isinstance(field.source, Connected) else ()
    return nodes[0] if len(nodes) == 1 else None


def nodes_of(connected: Field) -> Sequence[Shape]:
    """The shapes of a connection's rows: one for each ``node`` that is selected of its edges."""
    return [
        node.only
        for edges in connected.only.fields
        if edges.source == OfPage("edges")
        for node in edges.only.fields
        if node.source == OfPage("node")
    ]


def _joined_fields(host: Shape) -> list[tuple[Shape, Field]]:
    """The fields whose rows come with the host's, with the shapes they belong to, outer first."""
    found: list[tuple[Shape, Field]] = []
    for each in host.fields:
        if each.join is not None:
            found.append((host, each))
            found += _joined_fields(each.only)
    return sorted(found, key=lambda pair: pair[1].join or "")


def read_of(source: ToOne) -> BatchRead:
    """How the rows behind a foreign key are read."""
    declaration = type_declaration(source.target())
    assert declaration is not None, source
    assert declaration.read is not None, source
    return declaration.read


def _join(host: Shape) -> None:
    pending, count = [host], 0
    while pending:
        shape = pending.pop(0)
        for each in shape.fields:
            if count < JOINS_MAX and _is_joinable(each):
                count += 1
                each.join, each.slot = f"{count}.", None
                each.only.prefix = each.join
                pending.append(each.only)


def _is_joinable(field: Field) -> bool:
    source = field.source
    if not isinstance(source, ToOne) or not isinstance(read_of(source), ById):
        return False
    return field.only.columns() is not None and field.only.is_row


def needs_of(source: ToOne) -> Capability:
    """What the type behind a foreign key needs."""
    declaration = type_declaration(source.target())
    assert declaration is not None, source
    return declaration.needs


def joins_of(fields: Sequence[tuple[Shape, Field]]) -> tuple[Join, ...]:
    """What to ask of the statement that reads the host's rows."""
    made = []
    for shape, field in fields:
        source = field.source
        assert isinstance(source, ToOne)
        assert field.join is not None
        read, columns = read_of(source), field.only.columns()
        assert isinstance(read, ById)
        assert columns is not None
        names = tuple(dict.fromkeys(("id", *columns)))
        made.append(Join(field.join.rstrip("."), shape.column(source.column), read, names))
    return tuple(made)
