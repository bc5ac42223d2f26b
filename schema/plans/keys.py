"""Foreign keys: the rows behind them by a join, or by one read for all rows of a level."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

from domain.kernel.pages import ById, Join, Where
from schema.context import BATCH_KEYS_MAX, BatchRead
from schema.declare import ToOne
from schema.plans.joining import joins_of, read_of
from schema.plans.leaves import Failed
from schema.plans.run import Run
from schema.plans.shapes import Field, Reading


def joins_held(run: Run, reading: Reading) -> tuple[Join, ...]:
    """The joins of a statement, without what is refused."""
    if not reading.joins:
        return ()
    held = [pair for pair in reading.joined if _may_join(run, pair[1])]
    return reading.joins if len(held) == len(reading.joins) else joins_of(held)


def _may_join(run: Run, field: Field) -> bool:
    assert isinstance(field.source, ToOne)
    if not run.may_read(field):
        return False
    read = read_of(field.source)
    assert isinstance(read, ById)
    try:
        read.visible(run.context.actor, Where())
    except Exception as error:
        run.refuse(field, error)
        return False
    return True


async def read_alike(run: Run, fields: Sequence[Field], objects: Sequence[Any]) -> None:
    """Fill foreign keys that the same function reads by one call for all of them."""
    alike = [
        (read_of(field.source), field)
        for field in fields
        if isinstance(field.source, ToOne)
        and field.slot is not None
        and not isinstance(read_of(field.source), ById)
    ]
    alike.sort(key=lambda pair: id(pair[0]))
    for read, group in groupby(alike, key=lambda pair: pair[0]):
        named = [field for _, field in group if run.may_read(field)]
        if len(named) > 1:
            keys = [key for field in named for key in _keys(field, objects)]
            await _read_ids(run, read, dict.fromkeys(keys))


async def read_rows_behind(run: Run, field: Field, objects: Sequence[Any]) -> None:
    """Read the rows behind a foreign key of the objects that did not come with them."""
    assert isinstance(field.source, ToOne)
    assert field.slot is not None
    read = read_of(field.source)
    keys = dict.fromkeys(_keys(field, objects))
    if not isinstance(read, ById):
        run.slots[field.slot] = await _read_ids(run, read, keys)
        return
    assert field.reading is not None
    columns, joins = field.reading.columns, joins_held(run, field.reading)
    slot = run.slots[field.slot]
    missing = [key for key in keys if key not in slot]
    for start in range(0, len(missing), BATCH_KEYS_MAX):
        ids = missing[start : start + BATCH_KEYS_MAX]
        try:
            slot.update(await read.rows(run.context.actor, ids, columns, joins))
        except Exception as error:
            slot.update(dict.fromkeys(ids, Failed(error)))


async def _read_ids(run: Run, read: BatchRead, keys: dict[UUID, None]) -> dict[UUID, Any]:
    """All rows of this operation by that function, those of the keys among them."""
    known = run.known.setdefault(read, {})
    missing = [key for key in keys if key not in known]
    for start in range(0, len(missing), BATCH_KEYS_MAX):
        ids = missing[start : start + BATCH_KEYS_MAX]
        try:
            rows = await read(run.context.actor, ids)
            known.update({key: rows.get(key) for key in ids})
        except Exception as error:
            known.update(dict.fromkeys(ids, Failed(error)))
    return known


def _keys(field: Field, objects: Sequence[Any]) -> Iterator[UUID]:
    assert isinstance(field.source, ToOne)
    shape = field.owner
    column = shape.column(field.source.column)
    for each in objects:
        row = each if shape.is_row else each.row
        if (key := row[column]) is not None:
            yield key
