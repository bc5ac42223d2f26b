"""Authority in plans: no check can be taken away unnoticed, and each comes before any read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio

from domain.access.roles import Role
from domain.kernel import database, many, pages
from domain.kernel.actor import NOBODY, Actor
from domain.kernel.capabilities import Capability
from domain.kernel.ids import new_id
from domain.kernel.listings import Joined, Where
from domain.kernel.ports import GraphQLRequest
from domain.kernel.work import Works
from schema.nodes import global_id
from schema.plans.run import Run
from schema.root import build
from tests.support.matrix import Matrix, a_matrix
from tests.support.members import a_person, register
from tests.support.org import somebody
from tests.support.schema import Asking

SCHEMA = build()
MEMBERS = "{ members { edges { node { name union { name record { uscc } } } } } }"
UNIONS = """{ unions { edges { node { name record { uscc employer { name } }
  seats { edges { node { post } } } } } } }"""
EMPLOYERS = "{ employers { edges { node { name zone { record { uscc } } } } } }"


@pytest_asyncio.fixture
async def matrix(works: Works, test_keyring: object) -> Matrix:
    made = await a_matrix()
    admin = await somebody(Role.FEDERATION_ADMIN, made.city.id)
    await register(works, admin, a_person(made.a.id))
    await register(works, admin, a_person(made.d.id))
    return made


@pytest.fixture
def ask(works: Works) -> Asking:
    return Asking(SCHEMA, works)


def without(actor: Actor, *taken: Capability) -> Actor:
    """The actor with everything but these."""
    reaches = tuple(
        dataclasses.replace(reach, capabilities=reach.capabilities - set(taken))
        for reach in actor.reaches
    )
    return dataclasses.replace(actor, reaches=reaches)


@pytest.mark.parametrize("question", [MEMBERS, UNIONS, EMPLOYERS])
async def test_a_stranger_gets_codes_and_nothing_is_read(
    ask: Asking, matrix: Matrix, question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read(*_: Any) -> Any:
        raise AssertionError("a row was read")

    monkeypatch.setattr(pages, "fetch_as", read)
    monkeypatch.setattr(pages, "fetch", read)
    answer = await ask(question)
    assert list(answer["data"].values()) == [None]
    assert {e["extensions"]["code"] for e in answer["errors"]} == {"access.unauthenticated"}


async def test_a_field_refused_is_null_and_what_stands_behind_it_is_not_read(
    ask: Asking, matrix: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    cadre = await somebody(Role.ZONE_CADRE, matrix.east.id)
    asked: list[str] = []
    fetch_as = database.fetch_as

    async def spy(actor: Actor, sql: str, *args: object) -> Any:
        asked.append(sql)
        return await fetch_as(actor, sql, *args)

    monkeypatch.setattr(pages, "fetch_as", spy)
    ask.is_compared = False
    held = await ask(MEMBERS, cadre)
    refused = await ask(MEMBERS, without(cadre, Capability.ORG_READ))

    assert "errors" not in held
    assert held["data"]["members"]["edges"][0]["node"]["union"]["record"] is not None
    assert ["uscc" in sql for sql in asked] == [True, False], "one statement each"
    assert refused["data"]["members"]["edges"][0]["node"]["union"]["record"] is None
    assert {e["extensions"]["code"] for e in refused["errors"]} == {"forbidden"}


async def test_a_row_outside_the_scope_is_absent_behind_a_join_as_by_itself(
    ask: Asking, matrix: Matrix
) -> None:
    cadre = await somebody(Role.ZONE_CADRE, matrix.east.id)
    answer = await ask("{ unions { edges { node { id record { id } } } } }", cadre)
    seen = {
        edge["node"]["id"]
        for edge in answer["data"]["unions"]["edges"]
        if edge["node"]["record"] is not None
    }
    assert seen == {
        global_id("Union", each.id) for each in (matrix.east, matrix.a, matrix.b, matrix.c)
    }


def _open_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "may_read", lambda self, field: True)


def _open_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "ensure", lambda self, field: None)
    monkeypatch.setattr(Run, "_holds", lambda self, needs: True)


def _open_joins(monkeypatch: pytest.MonkeyPatch) -> None:
    def joined(actor: Actor, joins: Any, args: Any) -> Any:
        made = [
            Joined(j.name, j.column, j.read.listing, j.columns, Where(args=args).clauses)
            for j in joins
        ]
        return tuple(made), args

    monkeypatch.setattr(pages, "joined_to", joined)
    monkeypatch.setattr(many, "joined_to", joined)


def _open_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Where, "in_scope", lambda self, scope, **_: self)


@pytest.mark.parametrize("take_away", [_open_reads, _open_fields, _open_joins, _open_scope])
async def test_no_check_can_be_taken_away_unnoticed(
    ask: Asking,
    matrix: Matrix,
    take_away: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cadre = await somebody(Role.ZONE_CADRE, matrix.east.id)
    actors = [
        *(NOBODY, Actor(account_id=new_id()), cadre),
        *(without(cadre, each) for each in (Capability.ORG_READ, Capability.MEMBER_READ)),
    ]
    requests = [GraphQLRequest(question) for question in (MEMBERS, UNIONS, EMPLOYERS)]
    told: list[bytes | str] = []
    fetch_as = database.fetch_as

    async def spy(actor: Actor, sql: str, *args: object) -> Any:
        told.append(sql)
        return await fetch_as(actor, sql, *args)

    monkeypatch.setattr(pages, "fetch_as", spy)

    async def everything() -> list[bytes | str]:
        told.clear()
        for request in requests:
            told.extend([(await ask.engine.execute(request, actor)).body for actor in actors])
        return told.copy()

    honest = await everything()
    take_away(monkeypatch)

    assert await everything() != honest, "nobody would notice that this check is gone"
