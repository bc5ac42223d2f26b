"""The directory, records and members through the schema: masked, in scope, by capability."""

from __future__ import annotations

from typing import Any

import pytest

from domain.access.roles import Role
from domain.kernel.actor import NOBODY, Actor, Hierarchy
from domain.kernel.ids import new_id
from domain.kernel.work import Works
from schema.members import MembersQuery
from schema.nodes import global_id
from schema.org import OrgQuery
from schema.root import NodeQuery, build_from
from tests.support.members import a_person, register
from tests.support.org import Town, a_town, somebody
from tests.support.schema import Asking

PAGE = """query($first: Int, $after: String, $union: ID) {
  members(first: $first, after: $after, union: $union) {
    totalCount
    edges { node { id name union { id name } } }
    pageInfo { hasNextPage endCursor }
  }
}"""
DETAIL = """query($id: ID!) {
  member(id: $id) {
    name state idType isMigrant identity { idNumber phone } union { name territoryParent { name } }
    memberships(first: 5) { edges { node { state fromOn toOn union { name } } } }
  }
}"""


@pytest.fixture
def ask(works: Works) -> Asking:
    return Asking(build_from([NodeQuery, OrgQuery, MembersQuery], [], []), works)


@pytest.fixture
async def town(works: Works, test_keyring: object) -> Town:  # the fixture
    return await a_town(works)


async def filled(works: Works, town: Town) -> dict[str, str]:
    admin = await somebody(Role.FEDERATION_ADMIN, town.city)
    made = {}
    for name in "abcd":
        new = a_person(getattr(town, name), phone="13812348000")
        made[name] = global_id("Member", await register(works, admin, new))
    return made


def names(answer: dict[str, Any], field: str) -> list[str]:
    assert "errors" not in answer, answer
    return [edge["node"]["name"] for edge in answer["data"][field]["edges"]]


async def test_a_cadre_pages_through_the_members_of_the_own_scope(
    ask: Asking, works: Works, town: Town
) -> None:
    await filled(works, town)
    cadre = await somebody(Role.ZONE_CADRE, town.east)

    first = (await ask(PAGE, cadre, first=2))["data"]["members"]
    rest = (await ask(PAGE, cadre, first=2, after=first["pageInfo"]["endCursor"]))["data"][
        "members"
    ]

    assert first["totalCount"] == 3
    assert [edge["node"]["name"] for edge in first["edges"]] == ["王**", "王**"]
    assert first["pageInfo"]["hasNextPage"]
    assert not rest["pageInfo"]["hasNextPage"]
    unions = [edge["node"]["union"]["name"] for edge in first["edges"] + rest["edges"]]
    assert sorted(unions) == ["丙厂工会", "乙厂工会", "甲厂工会"]


async def test_a_detail_is_masked_and_nothing_else_is_offered(
    ask: Asking, works: Works, town: Town
) -> None:
    ids = await filled(works, town)

    answer = await ask(DETAIL, await somebody(Role.CHAIR, town.a), id=ids["a"])

    member = answer["data"]["member"]
    assert member["identity"]["phone"] == "138****8000"
    assert member["identity"]["idNumber"][:6] == "320585"
    assert member["identity"]["idNumber"][6:14] == "********"
    assert member["union"]["territoryParent"]["name"] == "东园工会联合会"
    (membership,) = member["memberships"]["edges"]
    assert membership["node"] == {
        "state": "ACTIVE",
        "fromOn": "2026-11-23",
        "toOn": None,
        "union": {"name": "甲厂工会"},
    }


async def test_strangers_get_codes_and_no_rows(ask: Asking, works: Works, town: Town) -> None:
    ids = await filled(works, town)
    plain = Actor(account_id=new_id())
    node = "query($id: ID!) { node(id: $id) { id } }"

    assert await ask.code(PAGE, NOBODY, first=1) == "access.unauthenticated"
    assert await ask.code(PAGE, plain, first=1) == "forbidden"
    for actor in (plain, await somebody(Role.CHAIR, town.b)):
        for id_ in (ids["a"], global_id("Member", new_id()), "x", global_id("Union", town.a)):
            assert await ask.code(DETAIL, actor, id=id_) == "not_found"
        assert (await ask(node, actor, id=ids["a"]))["data"] == {"node": None}
        identity = ids["a"].replace("Member", "MemberIdentity")
        assert (await ask(node, actor, id=identity))["data"] == {"node": None}
    assert await ask.code(DETAIL, NOBODY, id=ids["a"]) == "access.unauthenticated"


async def test_a_member_sees_the_own_record(ask: Asking, works: Works, town: Town) -> None:
    admin = await somebody(Role.FEDERATION_ADMIN, town.city)
    member_id = await register(works, admin, a_person(town.a))
    me = Actor(account_id=new_id(), member_id=member_id)

    answer = await ask(DETAIL, me, id=global_id("Member", member_id))

    assert answer["data"]["member"]["union"]["name"] == "甲厂工会"


async def test_the_directory_is_open_and_the_record_is_not(ask: Asking, town: Town) -> None:
    plain = Actor(account_id=new_id())
    unions = "query($line: ID) { unions(first: 50, withinLine: $line) { edges { node { name } } } }"
    union = """query($id: ID!) {
      union(id: $id) { name level kind lineParent { name } children(first: 9) { edges {
        node { name } } } }
    }"""
    record = "query($id: ID!) { union(id: $id) { record { legalPerson reportedMembers } } }"
    city = global_id("Union", town.city)

    assert len(names(await ask(unions, plain), "unions")) == 10
    metal = await ask(unions, plain, line=global_id("Union", town.metal))
    assert names(metal, "unions") == ["甲厂工会", "丁厂工会", "机械工会"]
    answer = await ask(union, plain, id=global_id("Union", town.association))
    assert names({"data": answer["data"]["union"]}, "children") == ["甲厂工会", "乙厂工会"]
    assert await ask.code(unions, NOBODY) == "access.unauthenticated"
    assert await ask.code(record, plain, id=city) == "forbidden"
    chair = await somebody(Role.CHAIR, town.a)
    assert (await ask(record, chair, id=city))["data"]["union"]["record"] is None
    leader = await somebody(Role.LEADER, town.city)
    assert (await ask(record, leader, id=city))["data"]["union"]["record"] == {
        "legalPerson": "REGISTERED",
        "reportedMembers": None,
    }


async def test_seats_employers_and_departments_have_their_doors(ask: Asking, town: Town) -> None:
    plain = Actor(account_id=new_id())
    seats = "query($id: ID!) { union(id: $id) { seats(first: 5) { edges { node { post } } } } }"
    employers = "{ employers(first: 5) { edges { node { name } } } }"
    union = global_id("Union", town.a)
    liner = await somebody(Role.LINE_CADRE, town.metal, Hierarchy.LINE)

    assert (await ask(seats, liner, id=union))["data"]["union"]["seats"] == {"edges": []}
    assert await ask.code(seats, await somebody(Role.CHAIR, town.b), id=union) == "not_found"
    assert await ask.code(seats, plain, id=union) == "forbidden"
    assert names(await ask(employers, liner), "employers") == []
    assert await ask.code(employers, plain) == "forbidden"
    assert (await ask("{ departments { name functions } }", plain))["data"] == {"departments": []}
    assert await ask.code("{ departments { name } }", NOBODY) == "access.unauthenticated"


async def test_odd_arguments_have_codes(ask: Asking, town: Town) -> None:
    leader = await somebody(Role.DEPARTMENT_CADRE, town.city)

    assert await ask.code(PAGE, leader, first=101) == "page.bad_size"
    assert await ask.code(PAGE, leader, first=1, after="x") == "page.bad_cursor"
    assert await ask.code(PAGE, leader, first=1, union="x") == "not_found"
    assert await ask.code(PAGE, leader, first=1, union=global_id("Member", town.a)) == "not_found"
