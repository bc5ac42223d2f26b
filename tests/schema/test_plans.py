"""Compiled operations answer what graphql-core answers, to the byte, whoever asks whatever."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from uuid import UUID

import pytest_asyncio
from graphql.execution.values import VariableValues
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from domain.access.roles import Role
from domain.kernel.actor import NOBODY, Actor
from domain.kernel.database import fetch
from domain.kernel.work import Works
from domain.notices.rules import Audience
from schema.documents import DocumentCache
from schema.nodes import global_id
from schema.plans.plan import Plans
from schema.root import build, core_schema
from tests.support.consultations import World, a_world
from tests.support.matrix import a_cadre, a_matrix, an_officer
from tests.support.members import a_person, register
from tests.support.notices import publish
from tests.support.operations import PLAIN, Operations
from tests.support.org import somebody
from tests.support.questions import Question
from tests.support.schema import Asking

SCHEMA = build()
ROOT = Path(__file__).parents[2]
INBOX = "query ($union: ID!) { inboxNotices(unionId: $union) { edges { cursor } } }"
EXAMPLES = 40


@dataclass
class Federation:
    """People of all kinds, and the ids of all that there is."""

    ask: Asking
    actors: Sequence[Actor]
    ids: Sequence[str]


@pytest_asyncio.fixture
async def federation(works: Works, test_keyring: object) -> Federation:
    matrix = await a_matrix()
    admin = await somebody(Role.FEDERATION_ADMIN, matrix.city.id)
    members = [
        await register(works, admin, a_person(union.id, phone="13812348000"))
        for union in (matrix.a, matrix.b, matrix.c, matrix.d, matrix.a)
    ]
    world: World = await a_world(works)
    cadre = a_cadre(matrix.east)
    notice = await publish(works, cadre, matrix.east, Audience(zone_id=matrix.east.id))
    named: list[tuple[str, UUID]] = [
        *(("Member", each) for each in members),
        *(("Union", each.id) for each in (matrix.city, matrix.east, matrix.metal, matrix.a)),
        *(("Notice", notice), ("Case", world.case), ("Conversation", world.conversation)),
        *(("Handover", world.handover), ("UnionRecord", matrix.a.id), ("UnionRecord", matrix.d.id)),
        *(("MemberIdentity", each) for each in members[:2]),
        ("Consultant", world.consultant.consultant_id or world.case),
        ("Account", admin.account_id or world.case),
        *(("Employer", row["id"]) for row in await fetch("SELECT id FROM org_employer")),
    ]
    actors = [
        *(NOBODY, admin, cadre, an_officer(matrix.a, matrix.b)),
        *(await somebody(Role.ZONE_CADRE, matrix.east.id, member=members[0]), world.member),
        *(world.consultant, world.leader),
    ]
    ask = Asking(SCHEMA, works)
    for union in (matrix.a, matrix.b):
        # Being shown counts as delivered: once done, no question changes anything any more.
        await ask(INBOX, actors[3], union=global_id("Union", union.id))
    return Federation(ask, actors, [global_id(*each) for each in named])


def documents_of_clients() -> dict[str, str]:
    """What the web app sends, what the pages show, and one operation for each argument."""
    app = json.loads((ROOT / "gateway/web/app/persisted-documents.json").read_text())
    shown = {
        f"{page.name} {number}": text
        for page in sorted((ROOT / "docs").glob("*.md"))
        for number, text in enumerate(re.findall(r"```graphql\n(.*?)```", page.read_text(), re.S))
    }
    operations = Operations()
    made = {
        str(leaf): operations.ask(leaf, lambda leaf: PLAIN.get(leaf.type))[0]
        for leaf in operations.leaves()
    }
    return {**app, **shown, **made}


def test_no_operation_of_a_client_is_left_to_graphql_core() -> None:
    schema = core_schema(SCHEMA)
    plans, cache = Plans(schema), DocumentCache(schema)
    compiled = 0
    for text in documents_of_clients().values():
        for operation in cache.get(text).operations.values():
            names = [
                each.variable.name.value for each in operation.definition.variable_definitions or ()
            ]
            for truth in (True, False):
                values = VariableValues({}, dict.fromkeys(names, truth))
                compiled += plans.of(operation, values) is not None
    assert compiled > 200
    assert not plans.uncovered


def test_what_is_not_covered_is_counted_by_its_reason() -> None:
    schema = core_schema(SCHEMA)
    plans, cache = Plans(schema), DocumentCache(schema)
    asked = {
        "introspection": "{ __schema { queryType { name } } viewer { kind } }",
        "outcomes": "query (%s) { %s }",
    }
    names = [f"c{n}" for n in range(5)]
    asked["outcomes"] %= (
        ", ".join(f"${name}: Boolean!" for name in names),
        " ".join(f"{name}: __typename @skip(if: ${name})" for name in names),
    )
    for reason, text in asked.items():
        operation = cache.get(text).operation(None)
        assert operation is not None, text
        for number in range(2**5):
            truths = {name: bool(number >> n & 1) for n, name in enumerate(names)}
            plans.of(operation, VariableValues({}, truths))
        assert plans.uncovered[reason] > 0
    assert set(plans.uncovered) == set(asked)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(random=st.randoms(use_true_random=False), who=st.integers(0, 7))
async def test_whatever_is_asked_has_the_answer_of_graphql_core(
    federation: Federation, random: Random, who: int
) -> None:
    question = Question(core_schema(SCHEMA), random, federation.ids)

    answer = await federation.ask(question.text, federation.actors[who], **question.variables)

    assert answer.keys() & {"data", "errors"}
