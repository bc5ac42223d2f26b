"""Trusted documents: a hash stands for its text, and whoever is bound can send nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import orjson
import pytest
import strawberry

from domain.kernel.actor import NOBODY, Actor, Hierarchy, Reach
from domain.kernel.capabilities import Capability
from domain.kernel.clock import SystemClock
from domain.kernel.ids import new_id
from domain.kernel.ports import GraphQLAnswer, GraphQLRequest
from domain.kernel.work import Works
from schema.context import Info
from schema.declare import verb
from schema.engine import SchemaEngine
from schema.root import build, core_schema
from schema.trusted import (
    BadRegister,
    Bound,
    TrustedDocuments,
    digest,
    misfits,
    read_register,
    write_register,
)
from tests.support.announcing import RememberedAnnouncements
from tests.support.schema import NobodyPresent

TEXT = "query Here { here }"
OTHER = "query There { here }"
MEMBER = Actor(account_id=new_id())
CADRE = Actor(
    account_id=new_id(),
    reaches=(
        Reach("cadre", frozenset({Capability.MEMBER_READ}), Hierarchy.TERRITORY, "/a/", new_id()),
    ),
)
ran: list[str] = []


@strawberry.type
class Query:
    """One field that tells when it has run."""

    @verb(Capability.PUBLIC, "Tells that it ran.")
    def here(info: Info) -> bool:
        ran.append("here")
        return True


def engine(bound: Bound, texts: tuple[str, ...] = (TEXT,)) -> SchemaEngine:
    """An engine whose register holds these texts."""
    ran.clear()
    trusted = TrustedDocuments({digest(text): text for text in texts}, bound)
    works = Works(SystemClock(), RememberedAnnouncements())
    schema = core_schema(strawberry.Schema(query=Query))
    return SchemaEngine(schema, works, NobodyPresent(), trusted=trusted)


def hashed(text: str, query: str = "") -> GraphQLRequest:
    """A request that names a document by its hash."""
    named = {"persistedQuery": {"version": 1, "sha256Hash": digest(text)}}
    return GraphQLRequest(query, extensions=named)


async def ask(of: SchemaEngine, request: GraphQLRequest, actor: Actor) -> str | None:
    """The code of the refusal; None when it ran."""
    answer = await of.execute(request, actor)
    errors = orjson.loads(answer.body).get("errors")
    assert bool(errors) != (ran == ["here"]), "it ran, or was refused; never both"
    return errors[0]["extensions"]["code"] if errors else None


@pytest.mark.parametrize("bound", list(Bound))
@pytest.mark.parametrize("actor", [NOBODY, MEMBER, CADRE], ids=["nobody", "member", "cadre"])
async def test_a_known_hash_runs_its_text_for_everybody(bound: Bound, actor: Actor) -> None:
    assert await ask(engine(bound), hashed(TEXT), actor) is None


async def test_an_unknown_hash_gets_the_code_by_which_clients_send_the_text() -> None:
    of = engine(Bound.NOBODY)
    assert await ask(of, hashed(OTHER), MEMBER) == "PERSISTED_QUERY_NOT_FOUND"
    answer = await of.execute(hashed(OTHER), MEMBER)
    assert orjson.loads(answer.body)["errors"][0]["message"] == "PersistedQueryNotFound"
    assert answer.is_request_error
    assert await ask(of, hashed(OTHER, OTHER), MEMBER) is None


async def test_nothing_is_learnt_from_what_clients_send() -> None:
    of = engine(Bound.NOBODY)
    await of.execute(hashed(OTHER, OTHER), MEMBER)
    ran.clear()
    assert await ask(of, hashed(OTHER), MEMBER) == "PERSISTED_QUERY_NOT_FOUND"


@pytest.mark.parametrize(
    ("bound", "actor", "is_free"),
    [
        (Bound.NOBODY, NOBODY, True),
        (Bound.NOBODY, MEMBER, True),
        (Bound.MEMBERS, NOBODY, False),
        (Bound.MEMBERS, MEMBER, False),
        (Bound.MEMBERS, CADRE, True),
        (Bound.EVERYBODY, CADRE, False),
    ],
)
async def test_only_who_is_not_bound_may_send_a_text_of_their_own(
    bound: Bound, actor: Actor, is_free: bool
) -> None:
    of = engine(bound)
    expected = None if is_free else "graphql.untrusted_document"
    assert await ask(of, GraphQLRequest(OTHER), actor) == expected
    ran.clear()
    assert await ask(of, GraphQLRequest(TEXT), actor) is None, "a registered text may be spelt out"


async def test_the_text_of_somebody_bound_is_not_even_parsed() -> None:
    of = engine(Bound.MEMBERS)
    assert await ask(of, GraphQLRequest("{ {"), MEMBER) == "graphql.untrusted_document"
    assert of.kind(GraphQLRequest("mutation { x }"), MEMBER) is None
    subscribed = await of.subscribe(GraphQLRequest("subscription { x }"), MEMBER)
    assert isinstance(subscribed, GraphQLAnswer)
    assert b"graphql.untrusted_document" in subscribed.body


@pytest.mark.parametrize(
    "asked",
    [
        {"persistedQuery": {"sha256Hash": digest(TEXT)}},
        {"persistedQuery": {"sha256Hash": "0" * 63}},
        {"persistedQuery": {"sha256Hash": 7}},
        {"persistedQuery": {}},
        {"persistedQuery": "x"},
        {"persistedQuery": []},
    ],
    ids=str,
)
async def test_a_text_that_is_not_the_hashs_is_refused(asked: Mapping[str, object]) -> None:
    of = engine(Bound.NOBODY)
    request = GraphQLRequest(OTHER, extensions=asked)
    assert await ask(of, request, MEMBER) == "graphql.document_hash"


def test_a_register_is_written_and_read_back_the_same(tmp_path: Path) -> None:
    path = tmp_path / "documents.json"
    texts = {digest(text): text for text in (TEXT, "query 查询 { here }")}
    write_register(path, texts)
    first = path.read_bytes()
    assert read_register(path) == texts
    write_register(path, dict(reversed(texts.items())))
    assert path.read_bytes() == first


@pytest.mark.parametrize("content", ["", "[]", '{"abc": "query { here }"}', '{"abc": 1}'])
def test_a_register_with_another_hash_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "documents.json"
    path.write_text(content)
    with pytest.raises(BadRegister):
        read_register(path)


def test_a_breaking_change_of_the_schema_is_found_by_the_document_it_breaks() -> None:
    schema = core_schema(build())
    good, bad = "query Here { __typename }", "query Gone { thereIsNoSuchField }"
    found = misfits(schema, {digest(text): text for text in (good, bad)})
    assert [name.split("(")[1] for name in found] == ["query Gone)"]
