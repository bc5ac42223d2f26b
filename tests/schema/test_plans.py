"""Compiled operations answer what graphql-core answers, to the byte, whoever asks whatever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from uuid import UUID

import pytest_asyncio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from domain.access.roles import Role
from domain.kernel.actor import NOBODY, Actor
from domain.kernel.database import fetch
from domain.kernel.work import Works
from domain.notices.rules import Audience
from schema.nodes import global_id
from schema.root import build, core_schema
from tests.support.consultations import World, a_world
from tests.support.matrix import a_cadre, a_matrix, an_officer
from tests.support.members import a_person, register
from tests.support.notices import publish
from tests.support.org import somebody
from tests.support.questions import Question
from tests.support.schema import Asking

SCHEMA = build()
EXAMPLES = 60


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
    return Federation(Asking(SCHEMA, works), actors, [global_id(*each) for each in named])


@settings(
    max_examples=EXAMPLES,
    deadline=None,
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
