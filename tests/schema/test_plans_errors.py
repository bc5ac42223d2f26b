"""Nulls and errors: whatever is missing, broken or refused, plans tell what graphql-core tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Annotated, Any
from uuid import UUID

import orjson
import pytest
import strawberry
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from domain.kernel.actor import Actor
from domain.kernel.capabilities import Capability
from domain.kernel.errors import Conflict
from domain.kernel.ids import new_id
from domain.kernel.ports import GraphQLAnswer, GraphQLRequest
from domain.kernel.work import Works
from schema import declare
from schema.context import Info
from schema.declare import column, computed, node, of_row, payload, row_type, to_one, verb
from schema.nodes import Node
from schema.root import NodeQuery, build_from, core_schema
from tests.support.questions import Question
from tests.support.schema import Asking

SIGNED_IN = Actor(account_id=new_id())
IDS = [new_id() for _ in range(6)]
EXAMPLES = 50
things: dict[UUID, dict[str, Any]] = {}
reads: list[int] = []
broken: list[bool] = []
"""Not empty while no thing can be read by its id."""


class Broken(Conflict):
    code = "test.broken"


async def things_by_id(actor: Actor, ids: Sequence[UUID]) -> Mapping[UUID, Any]:
    reads.append(len(ids))
    if broken:
        raise Broken(number=3)
    return {id_: things[id_] for id_ in ids if id_ in things}


def loud(name: Any) -> Any:
    if name == "break":
        raise Broken(number=7)
    return name.upper()


@row_type(needs=Capability.PUBLIC, description="A part.")
class Part:
    name: str = column("name", "Its name.")
    size: int | None = column("size", "Its size.")


@node(things_by_id, needs=Capability.SELF, description="A thing.")
class Thing(Node):
    name: str = column("name", "Its name.")
    nick: str | None = column("name", "Its name again.")
    size: int = column("size", "Its size.")
    tags: list[str] | None = column("tags", "Its tags.")
    loud: str | None = computed(("name",), loud, "Louder.")
    secret: str | None = column("name", "Needs more.", needs=Capability.AUDIT_READ)
    sealed: str = column("name", "Needs more, always.", needs=Capability.AUDIT_READ)
    mate: Thing | None = to_one("mate", lambda: Thing, "Perhaps another.")
    must: Thing = to_one("must", lambda: Thing, "Another.")

    @verb(Capability.SELF, "Worked out.")
    async def worth(self, info: Info) -> int | None:
        size: int = self.row["size"] * 2
        return size


Either = Annotated[Thing | Part, strawberry.union("Either", description="Either.")]


@payload(needs=Capability.SELF, description="What is held.")
class Holder:
    things: list[Thing] = declare.given("All.")
    some: list[Thing | None] | None = declare.given("Some, or nothing.")
    either: Either | None = declare.given("One of two kinds.")
    parts: list[Part] | None = declare.given("Parts.")


holders: list[Any] = []


@strawberry.type
class HoldersQuery:
    @verb(Capability.SELF, "One.")
    async def holder(self, info: Info) -> Holder:
        return _whole(holders[0])

    @verb(Capability.SELF, "Perhaps one.")
    async def perhaps(self, info: Info) -> Holder | None:
        return _whole(holders[1])

    @verb(Capability.AUDIT_READ, "Refused.")
    async def refused(self, info: Info) -> Holder | None:
        raise AssertionError("never asked")

    @verb(Capability.SELF, "Several.")
    async def several(self, info: Info) -> list[Holder | None]:
        return [None if isinstance(each, Exception) else each for each in holders]


def _whole(value: Holder | Exception) -> Holder:
    if isinstance(value, Exception):
        raise value
    return value


SCHEMA = build_from([NodeQuery, HoldersQuery], [], [])


def _fill(random: Random, harm: float) -> None:
    """Rows and objects in which so large a share of the values is wrong."""

    def value(good: Any, *bad: Any) -> Any:
        return random.choice(bad) if random.random() < harm else good

    def row(id_: UUID) -> dict[str, Any]:
        return {
            "id": id_,
            "name": value("名", None, "break", 5, ["x"], Broken()),
            "size": value(1, None, 2**40, "x", True),
            "tags": value(["a"], None, ["a", None], "abc", 3),
            "mate": value(random.choice(IDS), None, new_id()),
            "must": value(random.choice(IDS), None, new_id()),
        }

    broken[:] = [True] if random.random() < harm / 2 else []
    things.clear()
    things.update({id_: row(id_) for id_ in IDS})

    def thing() -> Thing:
        return of_row(Thing, things[random.choice(IDS)])

    def part() -> Part:
        return of_row(Part, row(new_id()))

    holders[:] = [
        value(
            Holder(
                things=[value(thing(), None) for _ in range(2)],
                some=value([thing(), None, thing()], None),
                either=value(random.choice((thing, part))(), None, "neither"),
                parts=value([part()], None, [None]),
            ),
            Broken(),
        )
        for _ in range(2)
    ]


@pytest.fixture
def ask(works: Works) -> Asking:
    return Asking(SCHEMA, works, is_compared=False)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(random=st.randoms(use_true_random=False), harm=st.sampled_from((0.0, 0.03, 0.2)))
async def test_nulls_and_errors_are_those_of_graphql_core(
    ask: Asking, random: Random, harm: float
) -> None:
    _fill(random, harm)
    question = Question(core_schema(SCHEMA), random, ["x"])
    request = GraphQLRequest(question.text, variables=question.variables)

    mine = await ask.engine.execute(request, SIGNED_IN)
    told = await ask.reference.execute(request, SIGNED_IN)

    if mine != told:
        assert _outline(mine) == _outline(told), f"{request}\n{mine.body!r}\n{told.body!r}"


def _outline(answer: GraphQLAnswer) -> Any:
    """The answer, and for each null that an error made, that one did: which of several that fail
    below the same null is told first depends, in graphql-core, on what was awaited how often."""
    parsed = orjson.loads(answer.body)
    return parsed.get("data"), sorted(
        _nulled(parsed.get("data"), error["path"]) for error in parsed.get("errors", ())
    )


def _nulled(data: Any, path: Sequence[str | int]) -> str:
    place: list[str] = []
    for key in path:
        if data is None:
            break
        place.append(str(key))
        data = data[key]
    return ".".join(place)


async def test_one_error_a_null_in_the_order_of_the_answer(ask: Asking) -> None:
    _fill(Random(1), 0.0)
    things[IDS[0]]["name"] = None
    holders[1] = Holder(
        things=[of_row(Thing, things[IDS[0]]), of_row(Thing, things[IDS[1]])],
        some=[of_row(Thing, things[IDS[0]]), of_row(Thing, things[IDS[1]])],
        either=None,
        parts=None,
    )
    ask.is_compared = True

    answer = await ask(
        "{ last: __typename perhaps { some { secret name } things { secret name } } }", SIGNED_IN
    )

    assert answer["data"] == {"last": "Query", "perhaps": None}
    assert [error["path"] for error in answer["errors"]] == [["perhaps", "things", 0, "name"]]
    answer = await ask(
        "{ perhaps { b: some { secret } a: some { name } } refused { __typename } }", SIGNED_IN
    )
    assert [(error["path"], error["extensions"]["code"]) for error in answer["errors"]] == [
        (["perhaps", "b", 0, "secret"], "forbidden"),
        (["perhaps", "b", 1, "secret"], "forbidden"),
        (["perhaps", "a", 0, "name"], "internal"),
        (["refused"], "forbidden"),
    ]


async def test_a_level_is_one_read_however_many_rows_and_fields_it_has(ask: Asking) -> None:
    _fill(Random(2), 0.0)
    reads.clear()

    await ask("{ several { things { mate { name } must { name mate { size } } } } }", SIGNED_IN)

    assert len(reads) <= 2, "the level of things, and the one below it as far as it is new"
