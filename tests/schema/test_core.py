"""The schema core: declarations become resolvers, limits hold, errors have codes."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import orjson
import pytest
import strawberry

from domain.kernel.actor import NOBODY, Actor
from domain.kernel.capabilities import Capability
from domain.kernel.database import fetch
from domain.kernel.errors import Conflict, NotFound
from domain.kernel.ids import new_id
from domain.kernel.pages import Key, Listing, Selection, Where
from domain.kernel.streams import LoggedEvent
from domain.kernel.work import Works
from schema.bind import UndeclaredField
from schema.context import Context, Info
from schema.declare import (
    column,
    computed,
    given,
    node,
    of_row,
    payload,
    row_type,
    to_one,
    verb,
)
from schema.live import streamed
from schema.nodes import Node, global_id
from schema.paging import Connection, connected
from schema.root import NodeQuery, build, build_from, core_schema
from tests.support.clock import THEN
from tests.support.schema import Asking

SIGNED_IN = Actor(account_id=new_id())
STREAMS = Listing("stream AS s", {"id": "s.id", "top": "s.top"}, (Key("s.id", "id", str),))
BOXES = {new_id(): "one", new_id(): "two"}
reads: list[int] = []


async def boxes_by_id(actor: Actor, ids: Sequence[UUID]) -> Mapping[UUID, Any]:
    reads.append(len(ids))
    return {id_: {"id": id_, "name": BOXES[id_], "other": next(iter(BOXES))} for id_ in ids}


@node(boxes_by_id, needs=Capability.SELF, description="A box.")
class Box(Node):
    name: str = column("name", "Its name.")
    loud: str = computed(("name",), str.upper, "Its name, louder.")
    secret: str | None = column("name", "Needs more.", needs=Capability.AUDIT_READ)
    other: Box = to_one("other", lambda: Box, "Another.")


@row_type(needs=Capability.PUBLIC, description="A stream.")
class Stream:
    name: str = column("id", "Its id.")
    top: int = column("top", "Its top.")


def select_streams(context: Context, row: Any, *, above: int = -1) -> Selection:
    return Selection(STREAMS, Where().and_("s.top > {0}", above))


class Taken(Conflict):
    code = "test.taken"


@payload(needs=Capability.SELF, description="What came of it.")
class TakePayload:
    box: Box = given("The box.")


@strawberry.type
class TrialQuery:
    streams: Connection[Stream] = connected(
        select_streams, lambda: Stream, "All streams.", needs=Capability.PUBLIC
    )

    @verb(Capability.SELF, "Boxes.")
    async def boxes(self, info: Info) -> list[Box]:
        rows = await boxes_by_id(info.context.actor, list(BOXES))
        return [of_row(Box, row) for row in rows.values()]

    @verb(Capability.PUBLIC, "A bug.")
    async def bug(self) -> str:
        raise ZeroDivisionError("110101199003077777")


@strawberry.type
class TrialMutation:
    @verb(Capability.SELF, "Take one.")
    async def take(self, info: Info, id: strawberry.ID) -> TakePayload:
        raise Taken(number=7)


@dataclass
class TickFeed:
    streams: tuple[str, ...]
    presence_scopes: tuple[str, ...] = ()
    receipts_of: UUID | None = None

    async def authorise(self, actor: Actor) -> Mapping[str, int]:
        if actor.account_id != SIGNED_IN.account_id:
            raise NotFound
        return {self.streams[0]: 1}

    async def project(self, event: LoggedEvent) -> Stream | None:
        return of_row(Stream, {"id": event.stream, "top": event.offset})


@strawberry.type
class TrialSubscription:
    @streamed(Capability.SELF, "Ticks.")
    def ticks(context: Context, name: str) -> Annotated[TickFeed, Stream]:
        return TickFeed((f"te:{name}",))


asked: list[str] = []


def select_twice(context: Context, row: Any) -> Selection:
    asked.append("read")
    return Selection(STREAMS, Where())


@row_type(needs=Capability.PUBLIC, description="A stream with streams.")
class Nest:
    inner: Connection[Stream] = connected(select_twice, lambda: Stream, "More.")


@strawberry.type
class NestQuery:
    nests: Connection[Nest] = connected(
        select_twice, lambda: Nest, "Nests.", needs=Capability.PUBLIC
    )


@pytest.fixture
def ask(works: Works) -> Asking:
    return Asking(build_from([NodeQuery, TrialQuery], [TrialMutation], [TrialSubscription]), works)


async def test_columns_computed_and_to_one_follow_from_their_declarations(ask: Asking) -> None:
    ask.is_compared = False
    reads.clear()
    answer = await ask("{ boxes { id name loud other { name other { name } } } }", SIGNED_IN)

    first = next(iter(BOXES))
    assert "errors" not in answer
    assert answer["data"]["boxes"][1] == {
        "id": global_id("Box", list(BOXES)[1]),
        "name": "two",
        "loud": "TWO",
        "other": {"name": "one", "other": {"name": "one"}},
    }
    assert reads == [2, 1], f"{first} is read once for both boxes"


async def test_a_field_that_needs_more_than_its_type_checks_for_itself(ask: Asking) -> None:
    answer = await ask("{ boxes { secret } }", SIGNED_IN)

    assert answer["data"] == {"boxes": [{"secret": None}, {"secret": None}]}
    assert {e["extensions"]["code"] for e in answer["errors"]} == {"forbidden"}
    assert await ask.code("{ boxes { name } }") == "access.unauthenticated"


async def test_a_node_is_refetched_by_its_id_and_null_to_whoever_may_not(ask: Asking) -> None:
    id_ = global_id("Box", next(iter(BOXES)))
    query = "query ($id: ID!) { node(id: $id) { id ... on Box { name } } }"

    assert (await ask(query, SIGNED_IN, id=id_))["data"]["node"]["name"] == "one"
    assert (await ask(query, NOBODY, id=id_)) == {"data": {"node": None}}
    for strange in ("", "x", "Qm94", global_id("Stream", new_id()), "é", "A" * 500):
        assert (await ask(query, SIGNED_IN, id=strange)) == {"data": {"node": None}}


async def test_pages_go_forward_and_backward_without_gap(ask: Asking, works: Works) -> None:
    async with works.open(NOBODY) as w:
        await w.execute(
            "INSERT INTO stream (id, epoch, top) SELECT 'te:' || n, '', n"
            " FROM generate_series(10, 19) n"
        )
    query = """query ($first: Int, $after: String, $last: Int, $before: String) {
        streams(first: $first, after: $after, last: $last, before: $before, above: 9) {
            totalCount edges { cursor node { top } }
            pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""

    page = (await ask(query, first=4))["data"]["streams"]
    assert [edge["node"]["top"] for edge in page["edges"]] == [10, 11, 12, 13]
    assert page["totalCount"] == 10
    after = page["pageInfo"]["endCursor"]
    page = (await ask(query, first=10, after=after))["data"]["streams"]
    assert [edge["node"]["top"] for edge in page["edges"]] == [14, 15, 16, 17, 18, 19]
    assert (page["pageInfo"]["hasNextPage"], page["pageInfo"]["hasPreviousPage"]) == (False, True)
    page = (await ask(query, last=2, before=after))["data"]["streams"]
    assert [edge["node"]["top"] for edge in page["edges"]] == [11, 12]
    assert await ask.code(query, first=4, after="nonsense") == "page.bad_cursor"
    assert await ask.code(query, first=101) == "page.bad_size"
    assert (await fetch("SELECT count(*) AS n FROM stream"))[0]["n"] == 10


async def test_a_domain_error_leaves_with_its_code_and_a_bug_tells_nothing(
    ask: Asking, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await ask('mutation { take(id: "x") { box { id } } }', SIGNED_IN)
    assert answer["errors"][0]["extensions"] == {"code": "test.taken", "number": 7}

    with caplog.at_level(logging.INFO):
        answer = await ask("{ bug }")
    assert answer["errors"][0]["message"] == "internal"
    assert "ZeroDivisionError" in caplog.text
    assert "1101011990" not in caplog.text + orjson.dumps(answer).decode()


def _doubling(levels: int) -> str:
    fragments = "".join(
        f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }} " for n in range(levels)
    )
    return f"{{ ...F0 }} {fragments} fragment F{levels} on Query {{ a: __typename }}"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "graphql.parse_failed"),
        ("{ nothing }", "graphql.validation_failed"),
        ("{ boxes { " + "other { " * 13 + "name" + " }" * 14 + " }", "graphql.too_deep"),
        (
            "{ " + " ".join(f"a{n}: bug" for n in range(40)) + " }",
            "graphql.too_many_",
        ),
        (_doubling(18), "graphql.too_many_aliases"),
        ("{ " + "streams(first: 100) { edges { node { name } } } " * 60 + "}", "graphql.too_many"),
        ("{ #" + "x" * 20_000 + "\n boxes { id } }", "graphql.too_long"),
        (
            "mutation { "
            + " ".join(f'a{n}: take(id: "") {{ box {{ id }} }}' for n in range(6))
            + " }",
            "graphql.too_many_root_fields",
        ),
        ("{ boxes { id } } {", "graphql.parse_failed"),
        ("query A { bug } query B { bug }", "graphql.unknown_operation"),
        ('subscription { ticks(name: "a") { top } }', "graphql.subscription_needs_socket"),
    ],
)
async def test_a_bad_document_is_refused_before_anything_runs(
    ask: Asking, query: str, code: str
) -> None:
    answer = await ask(query, SIGNED_IN)

    assert "data" not in answer
    assert answer["errors"][0]["extensions"]["code"].startswith(code)


async def test_the_cost_of_lists_counts_variables_too(works: Works) -> None:
    asked.clear()
    ask = Asking(build_from([NestQuery], [], []), works)
    query = """query ($n: Int) { nests(first: $n) { edges { node {
        inner(first: $n) { edges { node { name } } } } } } }"""

    assert await ask.code(query, n=100) == "graphql.too_costly"
    assert asked == []
    assert await ask.code(query, n=10) is None


async def test_unstorable_texts_and_wrong_variables_are_refused_without_quoting_them(
    ask: Asking,
) -> None:
    query = "query ($first: Int) { streams(first: $first) { totalCount } }"

    assert await ask.code(query, first="\x00") == "text.bad_character"
    literal = '{ streams(after: "a%s") { totalCount } }'
    assert await ask.code(literal % r"\u0000") == "text.bad_character"
    assert await ask.code(literal % r"\u{0}") == "text.bad_character"
    assert await ask.code(literal % r"\ud800") == "graphql.parse_failed"
    assert await ask.code(f"{{ streams(first: {'9' * 5_000}) {{ totalCount }} }}") == "json.number"
    assert await ask.code(f"{{ streams(first: 1.{'9' * 99}) {{ totalCount }} }}") == "json.number"
    answer = await ask(query, first="110101199003077777")
    assert answer["errors"][0]["extensions"]["code"] == "graphql.bad_variable"
    assert "1101011990" not in orjson.dumps(answer).decode()


def test_a_field_without_a_declaration_stops_the_build() -> None:
    @strawberry.type
    class LooseQuery:
        loose: str = "x"

    with pytest.raises(UndeclaredField, match=r"Query\.loose"):
        build_from([LooseQuery], [], [])


async def test_a_subscription_names_its_streams_and_renders_events(ask: Asking) -> None:
    live = await ask.subscribe(
        'subscription ($n: String!) { t: ticks(name: $n, after: "p") { top } }', SIGNED_IN, n="a"
    )
    event = LoggedEvent("te:a", "e", 5, "test.tick", False, THEN, {})

    assert live.streams == ("te:a",)
    assert live.after == "p"
    assert await live.authorise(SIGNED_IN) == {"te:a": 1}
    assert await live.render(event) == b'{"data":{"t":{"top":5}}}'
    with pytest.raises(NotFound):
        await live.authorise(Actor(account_id=new_id()))


@pytest.mark.parametrize("argument", ["$n", '"a"'])
async def test_one_text_opens_each_subscription_with_its_own_arguments(
    ask: Asking, argument: str
) -> None:
    text = f'{{ ticks(name: {argument}, after: "p") {{ top }} }}'
    declared = "($n: String!) " if argument == "$n" else ""
    for name in "aba" if declared else "aa":
        live = await ask.subscribe(f"subscription {declared}{text}", SIGNED_IN, n=name)
        assert (live.streams, live.after) == ((f"te:{name}",), "p")


def test_a_refused_list_leaves_the_rest_of_the_answer() -> None:
    query = core_schema(build()).query_type
    assert query is not None

    lists = {name: str(f.type) for name, f in query.fields.items() if "Connection" in str(f.type)}
    assert len(lists) > 10
    assert [name for name, type_ in lists.items() if type_.endswith("!")] == []
