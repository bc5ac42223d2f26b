"""Writes, for each shape, one Python function from an object to its dict.

The text is made of the templates below and of numbers; every name that a client or a slice gave
(response keys, columns, values) goes in as a constant, never as text. A function does no more than
what always happens: it looks up, checks exact types, builds the dict. Anything else (a null where
none may be, a refusal, a value of another type) raises, and ``schema.plans.careful`` tells what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLOutputType,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)

from schema.declare import Column, Computed, Connected, Given, GlobalId, ToOne, Verb
from schema.nodes import global_ids
from schema.plans.leaves import AS_IT_IS, Failed, Names, Refused, completing
from schema.plans.shapes import Field, OfPage, Shape, TypeName, Whole

Project = Callable[..., Any]


class _Function:
    """One function in the making: its lines, and the constants that they name."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.lines: list[str] = []
        self.constants: dict[str, Any] = {"Failed": Failed, "Refused": Refused}
        self._variables = 0
        self.row = "o" if shape.is_row else "o.row"

    def constant(self, value: Any) -> str:
        """A name for the value."""
        name = f"k{len(self.constants)}"
        self.constants[name] = value
        return name

    def fresh(self) -> str:
        """The name of a new variable."""
        self._variables += 1
        return f"v{self._variables}"

    def column(self, name: str) -> str:
        """The expression of a column of the row."""
        return f"{self.row}[{self.constant(self.shape.column(name))}]"

    def add(self, line: str) -> None:
        """A line."""
        self.lines.append(line)


def project_of(shape: Shape) -> Project:
    """The function of a shape: ``(object, slots) -> dict``; of an edge also its ``cursor``."""
    function = _Function(shape)
    items = [f"{function.constant(field.key)}: {_value(function, field)}" for field in shape.fields]
    lines = [*function.lines, f"return {{{', '.join(items)}}}"]
    text = "def project(o, s, c=None):\n" + "\n".join(f"    {line}" for line in lines)
    namespace = function.constants
    exec(compile(text, f"<plan of {shape.of.name}>", "exec"), namespace)  # noqa: S102 - our own text
    project: Project = namespace["project"]
    return project


def _value(function: _Function, field: Field) -> str:
    """The expression of a field's completed value; lines that prepare it are added."""
    source, v = field.source, function.fresh()
    match source:
        case TypeName():
            return function.constant(function.shape.of.name)
        case GlobalId():
            encode = function.constant(global_ids(function.shape.of.name))
            return f"{encode}({function.column('id')})"
        case Column(name, as_):
            function.add(f"{v} = {function.column(name)}")
            return _leaf(function, field.type, v, as_)
        case Computed(columns, compute):
            given = ", ".join(function.column(name) for name in columns)
            function.add(f"{v} = {function.constant(compute)}({given})")
            return _leaf(function, field.type, v)
        case ToOne(column) if field.join is not None:
            return _joined(function, field, column)
        case ToOne(column):
            function.add(f"{v} = s[{field.slot}].get({function.column(column)})")
            return _object(function, field, v)
        case OfPage(name):
            return _of_page(function, field, name, v)
        case Given():
            name = field.definition.extensions["strawberry-definition"].python_name
            function.add(f"{v} = getattr(o, {function.constant(name)})")
        case Whole():
            function.add(f"{v} = o")
        case Connected() | Verb():
            function.add(f"{v} = s[{field.slot}][id(o)]")
            if isinstance(source, Connected):
                return _object(function, field, v)
    if is_leaf_type(get_named_type(field.type)):
        return _leaf(function, field.type, v)
    return f"{function.constant(_completing(field.type, field.shapes))}({v}, s)"


def _leaf(function: _Function, type_: GraphQLOutputType, v: str, as_: Any = None) -> str:
    named = get_nullable_type(type_)
    complete = completing(type_)
    if as_ is not None:
        plain = complete

        def complete(value: Any) -> Any:
            return plain(None if value is None else as_(value))

    if isinstance(named, GraphQLEnumType):
        return f"{function.constant(Names(complete))}[{v}]"
    name = function.constant(complete)
    test = AS_IT_IS.get(getattr(named, "name", ""))
    if test is None or as_ is not None:
        return f"{name}({v})"
    function.add(f"if not ({test.format(v)}):")
    function.add(f"    {v} = {name}({v})")
    return v


def _object(function: _Function, field: Field, v: str) -> str:
    project = function.constant(field.only.project)
    function.add(f"if type({v}) is Failed:")
    function.add("    raise Refused")
    if not is_non_null_type(field.type):
        return f"None if {v} is None else {project}({v}, s)"
    function.add(f"if {v} is None:")
    function.add("    raise Refused")
    return f"{project}({v}, s)"


def _joined(function: _Function, field: Field, column: str) -> str:
    project = function.constant(field.only.project)
    there = f"{function.row}[{function.constant(field.only.column('id'))}]"
    if not is_non_null_type(field.type):
        return f"None if {there} is None else {project}({function.row}, s)"
    function.add(f"if {there} is None:")
    function.add("    raise Refused")
    return f"{project}({function.row}, s)"


def _of_page(function: _Function, field: Field, name: str, v: str) -> str:
    match name:
        case "edges":
            project = function.constant(field.only.project)
            return f"[{project}(r, s, o.cursor) for r in o.rows]"
        case "page_info":
            return f"{function.constant(field.only.project)}(o, s)"
        case "node":
            return f"{function.constant(field.only.project)}(o, s)"
        case "cursor":
            return "c(o)"
        case "total_count":
            function.add(f"{v} = s[{field.slot}][id(o)]")
            return _leaf(function, field.type, v)
    return f"o.{name}"


def _completing(type_: GraphQLOutputType, shapes: Mapping[str, Shape]) -> Project:
    """Completes objects that somebody handed over, in all wrappings of their type."""
    if is_non_null_type(type_):
        inner = _completing(type_.of_type, shapes)

        def never_null(value: Any, s: Any) -> Any:
            if value is None:
                raise Refused
            return inner(value, s)

        return never_null
    if is_list_type(type_):
        each = _completing(type_.of_type, shapes)

        def of_list(value: Any, s: Any) -> Any:
            if value is None:
                return None
            if not isinstance(value, list | tuple):
                raise Refused
            return [each(item, s) for item in value]

        return of_list
    by_class = {shape.cls: shape for shape in shapes.values()}
    if is_object_type(type_) and type_.is_type_of is None:
        return _any_class(next(iter(by_class.values())))

    def of_class(value: Any, s: Any) -> Any:
        if value is None:
            return None
        shape = by_class[type(value)]
        return shape.project(value.row if shape.is_row else value, s)

    return of_class


def _any_class(shape: Shape) -> Project:
    """Of an object type that asks for no class of its own."""

    def of_object(value: Any, s: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, Failed | Exception):
            raise Refused
        return shape.project(value.row if shape.is_row else value, s)

    return of_object
