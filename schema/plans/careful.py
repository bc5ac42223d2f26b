"""The careful way: the same answer field by field, with its nulls and errors.

Taken when the fast way meets anything unusual. It reads nothing: it goes over what was read, and
completes values in the order and by the rules of graphql-core (fields that wait for nothing before
those that were read), so that the first failure below a null is the one that is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    GraphQLOutputType,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    located_error,
)
from graphql.pyutils import Path

from domain.kernel.errors import NotFound
from schema.declare import Column, Computed, Connected, Given, GlobalId, ToOne
from schema.nodes import global_id
from schema.plans.answers import OnePerNull
from schema.plans.joining import needs_of
from schema.plans.leaves import Failed, Missing, complete_leaf
from schema.plans.run import Run
from schema.plans.shapes import Field, OfPage, Shape, TypeName, Whole


class _OfEdge:
    """A row with the list that it is in."""

    __slots__ = ("cursor", "row")

    def __init__(self, row: Any, cursor: Any) -> None:
        self.row = row
        self.cursor = cursor


class Careful:
    """One answer in the making, with what went wrong so far."""

    def __init__(self, run: Run, errors: OnePerNull) -> None:
        self._run = run
        self._errors = errors

    def field(self, field: Field, value: Any, path: Path | None) -> Any:
        """The completed field. Raises GraphQLError when a null has to go further up."""
        here = Path(path, field.key, field.parent.name)
        try:
            found = self._found(field, value)
            if isinstance(found, Exception):
                raise found
            return self._complete(field, field.type, found, here)
        except Exception as error:
            self._told(field, field.type, error, here)
            return None

    def _told(self, field: Field, type_: GraphQLOutputType, raw: Exception, path: Path) -> None:
        error = located_error(raw, field.nodes, path.as_list())
        if is_non_null_type(type_):
            raise error
        self._errors.add(error, path)

    def _found(self, field: Field, value: Any) -> Any:
        """What the field's resolver would answer."""
        run, source, owner = self._run, field.source, field.owner
        if field in run.refused and not isinstance(source, ToOne):
            raise run.refused[field]
        run.ensure(field)
        row: Any = value if owner.is_row else value.row if owner.has_row else None
        match source:
            case TypeName():
                return field.parent.name
            case GlobalId():
                return global_id(field.parent.name, row[owner.column("id")])
            case Column(name, as_):
                found = row[owner.column(name)]
                return found if found is None or as_ is None else as_(found)
            case Computed(columns, compute):
                return compute(*(row[owner.column(name)] for name in columns))
            case ToOne():
                return self._to_one(field, source, row)
            case Given():
                name = field.definition.extensions["strawberry-definition"].python_name
                return getattr(value, name)
            case Whole():
                return value
            case OfPage(name) if field.slot is None:
                return self._of_page(name, value)
        assert field.slot is not None
        return _sound(run.slots[field.slot][id(value)])

    def _to_one(self, field: Field, source: ToOne, row: Any) -> Any:
        run = self._run
        key = row[field.owner.column(source.column)]
        if key is None:
            return None
        run.context.ensure(needs_of(source))
        if field in run.refused:
            raise run.refused[field]
        if field.join is not None:
            found = row if row[field.only.column("id")] is not None else None
        else:
            assert field.slot is not None
            found = _sound(run.slots[field.slot].get(key))
        if found is None and is_non_null_type(field.type):
            raise NotFound
        return found

    def _of_page(self, name: str, value: Any) -> Any:
        match name:
            case "edges":
                return [_OfEdge(row, value.cursor) for row in value.rows]
            case "page_info":
                return value
            case "node":
                return value.row
            case "cursor":
                return value.cursor(value.row)
        return getattr(value, name)

    def _complete(self, field: Field, type_: GraphQLOutputType, value: Any, path: Path) -> Any:
        if is_non_null_type(type_):
            completed = self._complete(field, type_.of_type, value, path)
            if completed is None:
                raise Missing
            return completed
        if value is None:
            return None
        if is_list_type(type_):
            return self._list(field, type_.of_type, value, path)
        if is_leaf_type(type_):
            return complete_leaf(type_, value)
        shape = self._shape(field, type_, value)
        is_unwrapped = shape.is_row and not _is_read(field)
        return self.fields(shape, value.row if is_unwrapped else value, path)

    def _list(self, field: Field, of: GraphQLOutputType, values: Any, path: Path) -> list[Any]:
        if isinstance(values, str | bytes | Mapping):
            raise TypeError("no list")
        done: list[Any] = []
        for number, value in enumerate(values):
            here = path.add_key(number, None)
            try:
                if isinstance(value, Exception):
                    raise value
                done.append(self._complete(field, of, value, here))
            except Exception as error:
                self._told(field, of, error, here)
                done.append(None)
        return done

    def _shape(self, field: Field, type_: Any, value: Any) -> Shape:
        """The shape of the value's own type. Raises what the type says of foreign values."""
        info = self._run.info(field)
        name = type_.name
        if is_abstract_type(type_):
            assert type_.resolve_type is not None, "strawberry's types know theirs"
            name = type_.resolve_type(value, info, type_)
        shape = field.shapes[name]
        is_of: Any = shape.of.is_type_of
        if not _is_read(field) and is_of is not None and not is_of(value, info):
            raise TypeError(f"no {name}")
        return shape

    def fields(self, shape: Shape, value: Any, path: Path | None) -> dict[str, Any]:
        """The completed fields of an object, in the order of the selection."""
        done = {field.key: self.field(field, value, path) for field in _soonest_first(shape.fields)}
        return {field.key: done[field.key] for field in shape.fields}


def _soonest_first(fields: list[Field]) -> Iterator[Field]:
    """What waits for nothing is done, and fails, before what had to be read."""
    yield from (field for field in fields if not _waits(field))
    yield from (field for field in fields if _waits(field))


def _waits(field: Field) -> bool:
    if isinstance(field.source, ToOne) or field.slot is not None:
        return True
    return any(_waits(inner) for shape in field.shapes.values() for inner in shape.fields)


def _is_read(field: Field) -> bool:
    """Whether its values are bare rows and pages that were read, not objects handed over."""
    return isinstance(field.source, ToOne | OfPage | Connected)


def _sound(found: Any) -> Any:
    if isinstance(found, Failed):
        raise found.error
    return found
