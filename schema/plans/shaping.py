"""Selections become shapes. Fields are collected by graphql-core itself, once for one outcome of
the directives; so fragments, merging and order are the reference's own.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphql import (
    FragmentDefinitionNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
)
from graphql.execution.collect_fields import (
    FieldDetails,
    FragmentDetails,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues

from domain.kernel.capabilities import Capability
from schema.bind import ROOTS, _declared, origin, type_declaration
from schema.declare import Column, Computed, Connected, Given, GlobalId, ToOne, Verb
from schema.documents import Operation
from schema.paging import Connection, Edge, PageInfo
from schema.plans.arguments import Arguments
from schema.plans.calling import function_of
from schema.plans.joining import arrange
from schema.plans.shapes import (
    AnySource,
    Field,
    OfPage,
    Operated,
    Shape,
    TypeName,
    Uncovered,
    Whole,
)


class Shaping:
    """Makes the shapes of one operation for one outcome of its directives. Raises Uncovered."""

    def __init__(
        self, schema: GraphQLSchema, operation: Operation, variables: VariableValues
    ) -> None:
        self._schema = schema
        self._operation = operation.definition
        self._variables = variables
        self._fragments = {
            node.name.value: node
            for node in operation.document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        self._details = {
            name: FragmentDetails(node, None) for name, node in self._fragments.items()
        }
        self._slots = 0
        self._needs: dict[Capability, None] = {}
        self._shapes: list[Shape] = []

    def operated(self) -> Operated:
        """The operation."""
        type_ = self._schema.get_root_type(self._operation.operation)
        assert type_ is not None, "a validated operation has its root type"
        collected = collect_fields(
            self._schema, self._details, self._variables, type_, self._operation
        )
        fields = [
            self._field(type_, key, details, in_page=False)
            for key, details in collected.grouped_field_set.items()
        ]
        root = self._shape(type_, origin(type_), fields)
        arrange(root)
        return Operated(
            self._schema,
            self._operation,
            self._fragments,
            root,
            self._slots,
            tuple(self._needs),
            self._shapes,
        )

    def _field(
        self, parent: GraphQLObjectType, key: str, details: list[FieldDetails], *, in_page: bool
    ) -> Field:
        name = details[0].node.name.value
        definition = self._schema.get_field(parent, name)
        assert definition is not None, "a validated field is defined"
        source, needs = self._source(parent, name, definition, in_page=in_page)
        nodes = [each.node for each in details]
        made = Field(key, nodes, parent, definition, source, needs)
        if needs is not None:
            self._needs[needs] = None
        is_page = isinstance(source, Connected) or in_page
        for type_ in self._possible(get_named_type(definition.type)):
            stays_in_page = is_page and issubclass(origin(type_), (Connection, Edge, PageInfo))
            made.shapes[type_.name] = self._object(type_, details, in_page=stays_in_page)
        if isinstance(source, ToOne | Connected | Verb) or source == OfPage("total_count"):
            made.slot = self._slots
            self._slots += 1
        if isinstance(source, Connected | Verb):
            made.arguments = Arguments(self._schema, definition, nodes[0])
        if isinstance(source, Verb):
            made.function = function_of(definition)
        return made

    def _source(
        self, parent: GraphQLObjectType, name: str, definition: GraphQLField, *, in_page: bool
    ) -> tuple[AnySource, Capability | None]:
        if name == "__typename":
            return TypeName(), None
        if name.startswith("__"):
            raise Uncovered("introspection")
        declared = _declared(definition)
        assert declared is not None, "bound"
        source: AnySource = declared.source
        if in_page:
            return OfPage(_python_name(definition)), None
        if parent is self._schema.subscription_type:
            return Whole(), None
        is_leaf = is_leaf_type(get_named_type(definition.type))
        is_plain = isinstance(source, (Column, Computed, GlobalId))
        if is_plain and not is_leaf:
            raise Uncovered("objects in a column")
        own = type_declaration(origin(parent)) if parent.name not in ROOTS else None
        is_own = declared.needs is not None and (own is None or declared.needs is not own.needs)
        is_checked = is_own and declared.needs is not Capability.PUBLIC
        return source, declared.needs if is_checked else None

    def _possible(self, type_: GraphQLNamedType) -> Iterable[GraphQLObjectType]:
        if is_leaf_type(type_):
            return ()
        if is_abstract_type(type_):
            return self._schema.get_possible_types(type_)
        assert isinstance(type_, GraphQLObjectType)
        return (type_,)

    def _object(
        self, type_: GraphQLObjectType, details: list[FieldDetails], *, in_page: bool
    ) -> Shape:
        collected = collect_subfields(
            self._schema, self._details, self._variables, self._operation, type_, details
        )
        fields = [
            self._field(type_, key, each, in_page=in_page)
            for key, each in collected.grouped_field_set.items()
        ]
        return self._shape(type_, origin(type_), fields)

    def _shape(self, type_: GraphQLObjectType, cls: type, fields: list[Field]) -> Shape:
        has_row = "row" in getattr(cls, "__dataclass_fields__", {})
        is_row = has_row and not any(isinstance(each.source, Given) for each in fields)
        shape = Shape(type_, cls, fields, has_row, is_row, index=len(self._shapes))
        for each in fields:
            each.owner = shape
        self._shapes.append(shape)
        return shape


def _python_name(definition: GraphQLField) -> str:
    name: str = definition.extensions["strawberry-definition"].python_name
    return name
