"""Inputs are coerced and converted as graphql-core and strawberry do, whatever a client sends."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from graphql import (
    GraphQLInputObjectType,
    GraphQLInputType,
    OperationDefinitionNode,
    get_named_type,
    is_enum_type,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
    parse,
)
from graphql.execution import get_variable_values
from graphql.execution.values import VariableValues
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.nodes import global_id
from schema.plans.arguments import Arguments
from schema.plans.inputs import VARIABLE_ERRORS_MAX, Variables
from schema.root import build, core_schema
from tests.support.questions import PLAIN

SCHEMA = core_schema(build())
EXAMPLES = 400
IDENTIFIER = global_id("Member", UUID("00000000-0000-7000-8000-000000000001"))
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.just([]),
    st.just({}),
)
VERBS = [
    (root, name)
    for root in (SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type)
    if root is not None
    for name, field in root.fields.items()
    if field.args
]


def values(type_: GraphQLInputType) -> st.SearchStrategy[Any]:
    """Right ones mostly; now and then anything."""
    return st.one_of(_right(type_), _right(type_), _right(type_), ODD)


def _right(type_: GraphQLInputType) -> st.SearchStrategy[Any]:
    if is_non_null_type(type_):
        return _right(type_.of_type)
    if is_list_type(type_):
        return st.lists(values(type_.of_type), max_size=3)
    if is_input_object_type(type_):
        return _objects(type_)
    named: Any = type_
    if is_enum_type(named):
        return st.sampled_from(list(named.values))
    return st.sampled_from([IDENTIFIER] if named.name == "ID" else PLAIN[named.name])


def _objects(type_: GraphQLInputObjectType) -> st.SearchStrategy[Any]:
    optional = {name: values(field.type) for name, field in type_.fields.items()}
    whole = st.fixed_dictionaries({name: _right(each.type) for name, each in type_.fields.items()})
    return st.one_of(whole, st.fixed_dictionaries({}, optional={**optional, "unknown": ODD}))


def operation(root: Any, name: str) -> OperationDefinitionNode:
    """One that passes each argument by a variable of its own."""
    field = root.fields[name]
    declared = ", ".join(f"${each}: {argument.type}" for each, argument in field.args.items())
    passed = ", ".join(f"{each}: ${each}" for each in field.args)
    is_leaf = not hasattr(get_named_type(field.type), "fields")
    kind = root.name.lower()
    text = f"{kind} ({declared}) {{ {name}({passed}){'' if is_leaf else ' { __typename }'} }}"
    (definition,) = parse(text).definitions
    assert isinstance(definition, OperationDefinitionNode)
    return definition


def told(outcome: Any) -> Any:
    return outcome if isinstance(outcome, VariableValues) else [each.formatted for each in outcome]


@settings(max_examples=EXAMPLES)
@given(st.data())
def test_whatever_is_sent_is_taken_or_refused_as_the_libraries_do(data: st.DataObject) -> None:
    root, name = data.draw(st.sampled_from(VERBS))
    definition, field = operation(root, name), root.fields[name]
    sent = data.draw(
        st.fixed_dictionaries({}, optional={n: values(a.type) for n, a in field.args.items()})
    )

    taken = Variables(SCHEMA, definition).coerced(sent)

    by_library = get_variable_values(
        SCHEMA,
        definition.variable_definitions or (),
        sent,
        max_errors=VARIABLE_ERRORS_MAX,
        hide_suggestions=True,
    )
    assert repr(told(taken)) == repr(told(by_library))
    if isinstance(taken, VariableValues):
        node: Any = definition.selection_set.selections[0]
        arguments = Arguments(SCHEMA, field, node)
        assert outcome(arguments.converted, taken) == outcome(arguments._by_libraries, taken)


def outcome(convert: Any, taken: VariableValues) -> str:
    try:
        return repr(convert(taken))
    except Exception as error:
        return f"{type(error).__name__}: {error}"
