"""Reading: level by level, one statement for all rows of a level, and nothing that is refused.

A page is one statement with the rows behind it; pages of many parents are one statement where
their conditions differ by values only; a foreign key that is not joined is one read of all its ids.
What fails is kept as ``Failed`` in the place of the value: ``schema.plans.careful`` tells of it.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from graphql import is_abstract_type
from graphql.type import get_named_type

from schema.declare import Connected, Given, ToOne, Verb
from schema.plans.connections import read_connection, read_counts, settled, together
from schema.plans.keys import read_alike, read_rows_behind
from schema.plans.leaves import Failed
from schema.plans.run import Run, instance
from schema.plans.shapes import Field, OfPage, Shape, Whole


async def read_field(run: Run, field: Field, objects: Sequence[Any]) -> None:
    """Read what the field of these objects needs, and all below it."""
    if field.slot is not None and run.may_read(field):
        await _fill(run, field, objects)
    if field in run.refused:
        return
    for shape, below in _below(run, field, objects):
        await read_shape(run, shape, below)


async def read_shape(run: Run, shape: Shape, objects: Sequence[Any]) -> None:
    """Read what the fields of these objects need, the fields side by side."""
    if not shape.is_deep or not objects:
        return
    deep = [field for field in shape.fields if field.is_deep]
    await read_alike(run, deep, objects)
    await together([read_field(run, field, objects) for field in deep])


async def _fill(run: Run, field: Field, objects: Sequence[Any]) -> None:
    source = field.source
    if isinstance(source, ToOne):
        await read_rows_behind(run, field, objects)
    elif isinstance(source, Connected):
        await read_connection(run, field, source, objects)
    elif isinstance(source, Verb):
        await _each(run, field, objects, _verb(run, field))
    else:
        assert source == OfPage("total_count"), source
        await read_counts(run, field, objects)


async def _each(
    run: Run, field: Field, objects: Sequence[Any], read: Callable[[Any], Awaitable[Any]]
) -> None:
    """One read for each object, side by side, as graphql-core does."""
    assert field.slot is not None
    slot = run.slots[field.slot]
    if len(objects) == 1:
        slot[id(objects[0])] = await settled(read, objects[0])
        return
    distinct = {id(each): each for each in objects}
    values = await together([settled(read, each) for each in distinct.values()])
    slot.update(zip(distinct, values, strict=True))


def _verb(run: Run, field: Field) -> Callable[[Any], Awaitable[Any]]:
    function, arguments = field.function, field.arguments
    assert function is not None
    assert arguments is not None

    async def call(value: Any) -> Any:
        given = arguments.converted(run.variables)
        made = function(instance(field.owner, value), run.info(field), **given)
        result = await made if inspect.isawaitable(made) else made
        return Failed(result) if isinstance(result, Exception) else result

    return call


def _below(run: Run, field: Field, objects: Sequence[Any]) -> Iterator[tuple[Shape, list[Any]]]:
    """The objects that the field leads to, by their shapes."""
    if not any(shape.is_deep for shape in field.shapes.values()):
        return
    source = field.source
    if field.join is not None:
        there = field.only.column("id")
        yield field.only, [each for each in objects if each[there] is not None]
    elif source == OfPage("edges"):
        yield field.only, [row for page in objects for row in page.rows]
    elif source in (OfPage("node"), OfPage("page_info")):
        yield field.only, list(objects)
    elif isinstance(source, ToOne | Connected):
        assert field.slot is not None
        values = run.slots[field.slot].values()
        yield field.only, [each for each in values if each is not None and type(each) is not Failed]
    else:
        yield from _handed_over(run, field, objects)


def _handed_over(
    run: Run, field: Field, objects: Sequence[Any]
) -> Iterator[tuple[Shape, list[Any]]]:
    if isinstance(field.source, Given):
        name = field.definition.extensions["strawberry-definition"].python_name
        values = [getattr(each, name, None) for each in objects]
    elif isinstance(field.source, Whole):
        values = list(objects)
    else:
        assert field.slot is not None
        values = [value for value in run.slots[field.slot].values() if type(value) is not Failed]
    is_abstract = is_abstract_type(get_named_type(field.type))
    by_shape: dict[Shape, list[Any]] = defaultdict(list)
    by_class = {shape.cls: shape for shape in field.shapes.values()}
    for value in _flat(values):
        shape = by_class.get(type(value)) if is_abstract else field.only
        if shape is not None and not (shape.is_row and not hasattr(value, "row")):
            by_shape[shape].append(value.row if shape.is_row else value)
    yield from by_shape.items()


def _flat(values: Sequence[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _flat(value)
        elif value is not None:
            yield value
