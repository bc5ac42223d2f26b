"""Never N+1: below a list, no statement is sent again for another parent, whatever is asked.

One question for each field that has to be read, of each type with a list of its own, made from the
schema: a new field is asked for without anybody's doing; a new list must be named here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from graphql import GraphQLField, GraphQLObjectType, get_named_type, is_leaf_type

from domain.access.roles import Role
from domain.kernel.actor import Actor
from domain.kernel.work import Works
from domain.notices.rules import Audience
from schema.bind import _declared
from schema.declare import Connected, ToOne, Verb
from schema.nodes import global_id
from schema.root import build, core_schema
from tests.support.consultations import a_consultant, a_person, running, say
from tests.support.matrix import a_matrix, an_officer
from tests.support.members import a_person as a_new_member
from tests.support.members import register
from tests.support.notices import publish
from tests.support.org import somebody
from tests.support.schema import Asking
from tests.support.statements import counted_round_trips

SCHEMA = build()
CORE = core_schema(SCHEMA)
DEPTH_MAX = 2
"""Levels of fields that are read, one below the other."""


def is_read(field: GraphQLField) -> bool:
    """Whether something has to be read for it."""
    declared = _declared(field)
    return declared is not None and isinstance(declared.source, ToOne | Connected | Verb)


def fields_of(type_: Any) -> Mapping[str, GraphQLField]:
    assert isinstance(type_, GraphQLObjectType), type_
    return type_.fields


def below(type_: Any, depth: int = DEPTH_MAX) -> Iterator[str]:
    """The selections of a node that lead to one more read each."""
    for name, field in fields_of(type_).items():
        if not is_read(field) or depth == 0:
            continue
        there = get_named_type(field.type)
        if is_leaf_type(there):
            yield name
        elif there.name.endswith("Connection"):
            paged = f"{name}(first: 5)"
            yield f"{paged} {{ totalCount }}"
            node = node_of(there)
            yield f"{paged} {{ edges {{ node {{ __typename {some_leaves(node)} }} }} }}"
            for each in below(node, depth - 1):
                yield f"{paged} {{ edges {{ node {{ {each} }} }} }}"
        else:
            yield f"{name} {{ __typename {some_leaves(there)} }}"
            for each in below(there, depth - 1):
                yield f"{name} {{ {each} }}"


def node_of(connection: Any) -> GraphQLObjectType:
    edge = get_named_type(fields_of(connection)["edges"].type)
    node = get_named_type(fields_of(edge)["node"].type)
    assert isinstance(node, GraphQLObjectType)
    return node


def some_leaves(type_: Any) -> str:
    return " ".join(
        name
        for name, field in fields_of(type_).items()
        if is_leaf_type(get_named_type(field.type)) and not field.args and not is_read(field)
    )


LISTS = {
    name: field
    for name, field in fields_of(CORE.query_type).items()
    if get_named_type(field.type).name.endswith("Connection")
}


@dataclass
class Hall:
    """Two and more of everything, and who may see them."""

    ask: Asking
    who: Mapping[str, tuple[Actor, str]]
    """List → who sees at least two of it, and the arguments."""


@pytest_asyncio.fixture
async def hall(works: Works, test_keyring: object) -> Hall:
    matrix = await a_matrix()
    admin = await somebody(Role.FEDERATION_ADMIN, matrix.city.id)
    for union in (matrix.a, matrix.b):
        await register(works, admin, a_new_member(union.id, phone="13812348000"))
    cadre = await somebody(Role.ZONE_CADRE, matrix.east.id)
    notices = [
        await publish(works, cadre, matrix.east, Audience(zone_id=matrix.east.id)) for _ in range(2)
    ]
    consultant = await a_consultant(works)
    await a_consultant(works)
    for _ in range(2):
        member = a_person()
        _, conversation = await running(works, member, consultant)
        await say(works, member, conversation, "你好")
    ask, officer = Asking(SCHEMA, works, is_compared=False), an_officer(matrix.a, matrix.b)
    for union in (matrix.b, matrix.a):  # being shown counts as delivered, and leaves a receipt
        union_id = global_id("Union", union.id)
        shown = f'{{ inboxNotices(unionId: "{union_id}") {{ edges {{ cursor }} }} }}'
        assert "errors" not in await ask(shown, officer)
    notice = f'noticeId: "{global_id("Notice", notices[0])}"'
    east = f'publisherId: "{global_id("Union", matrix.east.id)}"'
    zone = f'audience: {{ zoneId: "{global_id("Union", matrix.east.id)}" }}'
    return Hall(
        ask,
        {
            "unions": (admin, ""),
            "employers": (admin, ""),
            "members": (admin, ""),
            "consultants": (a_person(), "service: COUNSELLING"),
            "myCases": (consultant, ""),
            "inboxNotices": (officer, f'unionId: "{global_id("Union", matrix.a.id)}"'),
            "publishedNotices": (cadre, ""),
            "silentUnions": (cadre, f"{notice}, kind: CONFIRMED"),
            "receipts": (cadre, notice),
            "audiencePreview": (cadre, f"{east}, {zone}"),
        },
    )


NOT_MANY = {"queue": "nothing below an entry is read"}


def test_every_list_of_the_schema_is_asked_for_here(hall: Hall) -> None:
    deep = {
        name for name, field in LISTS.items() if any(below(node_of(get_named_type(field.type))))
    }

    assert set(hall.who) == deep == LISTS.keys() - NOT_MANY.keys()


@pytest.mark.parametrize("name", sorted(LISTS.keys() - NOT_MANY.keys()))
async def test_no_statement_is_sent_again_for_another_parent(hall: Hall, name: str) -> None:
    actor, given = hall.who[name]
    arguments = f"({given})" if given else ""
    for selection in below(node_of(get_named_type(LISTS[name].type))):
        asked = f"{{ {name}{arguments} {{ edges {{ node {{ __typename {selection} }} }} }} }}"
        async with counted_round_trips() as sent:
            answer = await hall.ask(asked, actor)
        assert "errors" not in answer, asked
        assert len(answer["data"][name]["edges"]) > 1, asked
        again = {text: count for text, count in Counter(sent).items() if count > 1}
        assert not again, asked
