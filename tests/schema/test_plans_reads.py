"""What plans read: a statement a level, the columns that are selected, nothing twice."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from domain.access.roles import Role
from domain.kernel import database, many, pages
from domain.kernel.actor import Actor
from domain.kernel.work import Works
from domain.notices.rules import Audience
from schema.nodes import global_id
from schema.root import build
from tests.support.matrix import Matrix, a_matrix
from tests.support.members import a_person, register
from tests.support.notices import publish
from tests.support.org import somebody
from tests.support.schema import Asking
from tests.support.statements import counted_round_trips

SCHEMA = build()
THREE_LEVELS = """query ($id: ID!) { union(id: $id) { children { edges { node { name
  children(first: 2) { totalCount edges { cursor node { name territoryParent { name }
  children(last: 1) { edges { node { name } } pageInfo { hasPreviousPage } } } } } } } } } }"""


@pytest_asyncio.fixture
async def matrix(works: Works, test_keyring: object) -> Matrix:
    return await a_matrix()


@pytest.fixture
def ask(works: Works) -> Asking:
    return Asking(SCHEMA, works)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What pages and rows by id are read with."""
    seen: list[str] = []

    async def fetch_as(actor: Actor, sql: str, *args: object) -> Any:
        seen.append(sql)
        return await database.fetch_as(actor, sql, *args)

    async def fetch(sql: str, *args: object) -> Any:
        seen.append(sql)
        return await database.fetch(sql, *args)

    monkeypatch.setattr(pages, "fetch_as", fetch_as)
    monkeypatch.setattr(pages, "fetch", fetch)
    monkeypatch.setattr(many, "fetch_as", fetch_as)
    return seen


async def test_a_matrix_three_levels_deep_is_a_statement_a_level(
    ask: Asking, matrix: Matrix, statements: list[str]
) -> None:
    cadre = await somebody(Role.ZONE_CADRE, matrix.east.id)
    city = global_id("Union", matrix.city.id)
    whole = await ask(THREE_LEVELS, cadre, id=city)
    zones = whole["data"]["union"]["children"]["edges"]
    assert [len(zone["node"]["children"]["edges"]) for zone in zones] == [2, 1, 2, 0]
    statements.clear()
    ask.is_compared = False

    await ask(THREE_LEVELS, cadre, id=city)

    assert len(statements) == 1 + 3 + 1, "the union, the three levels, the counts of the second"


async def test_a_page_is_one_statement_with_just_its_columns_and_the_rows_behind_it(
    ask: Asking, matrix: Matrix, statements: list[str], works: Works
) -> None:
    admin = await somebody(Role.FEDERATION_ADMIN, matrix.city.id)
    await register(works, admin, a_person(matrix.a.id))
    ask.is_compared = False
    statements.clear()

    answer = await ask(
        "{ members { edges { node { name union { name record { employer { uscc } } } } } } }", admin
    )

    (edge,) = answer["data"]["members"]["edges"]
    assert edge["node"]["union"]["record"]["employer"]["uscc"]
    (statement,) = statements
    assert "collected_at" not in statement
    assert statement.count("LEFT JOIN LATERAL") == 3


async def test_a_list_that_is_only_counted_is_not_read(
    ask: Asking, matrix: Matrix, statements: list[str]
) -> None:
    admin = await somebody(Role.FEDERATION_ADMIN, matrix.city.id)
    ask.is_compared = False

    assert (await ask("{ unions { totalCount } }", admin))["data"]["unions"]["totalCount"] == 9
    assert ["count(*)" in sql for sql in statements] == [True]


async def test_pages_of_many_parents_begin_and_end_where_each_alone_would(
    ask: Asking, matrix: Matrix
) -> None:
    admin = await somebody(Role.FEDERATION_ADMIN, matrix.city.id)
    asked = """{ unions { edges { node { name a: children(first: 1) { ...page }
      b: children(last: 1) { ...page } c: children(first: 0) { ...page } } } } }
      fragment page on UnionConnection { totalCount edges { cursor node { name } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }"""

    answer = await ask(asked, admin)

    east = answer["data"]["unions"]["edges"][1]["node"]
    assert (east["a"]["totalCount"], east["a"]["pageInfo"]["hasNextPage"]) == (3, True)
    assert east["a"]["edges"] != east["b"]["edges"]


async def test_versions_of_many_notices_cost_as_many_round_trips_as_those_of_one(
    ask: Asking, matrix: Matrix, works: Works
) -> None:
    cadre = await somebody(Role.ZONE_CADRE, matrix.east.id)
    asked = "{ publishedNotices { edges { node { versions { edges { node { no title } } } } } } }"
    round_trips: dict[int, int] = {}
    for count in (1, 4):
        while len(found := await _versions(ask, asked, cadre)) < count:
            await publish(works, cadre, matrix.east, Audience(zone_id=matrix.east.id))
        ask.is_compared = False
        async with counted_round_trips() as sent:
            assert await _versions(ask, asked, cadre) == found == [1] * count
        round_trips[count] = len(sent)
        ask.is_compared = True

    assert round_trips[4] == round_trips[1]


async def _versions(ask: Asking, asked: str, actor: Actor) -> list[int]:
    edges = (await ask(asked, actor))["data"]["publishedNotices"]["edges"]
    return [len(edge["node"]["versions"]["edges"]) for edge in edges]
