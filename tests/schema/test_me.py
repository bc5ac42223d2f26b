"""The own account's stream: mine only, and ids only."""

from __future__ import annotations

import pytest

from domain.kernel.actor import NOBODY, Actor
from domain.kernel.errors import NotFound
from domain.kernel.ids import new_id
from domain.kernel.ports import GraphQLAnswer, GraphQLRequest
from domain.kernel.streams import LoggedEvent
from domain.kernel.work import Works
from schema.me import MeSubscription
from schema.nodes import global_id
from schema.root import NodeQuery, build_from
from tests.support.clock import THEN
from tests.support.schema import Asking

ME = Actor(account_id=new_id())
DOCUMENT = "subscription { myEvents { cursor kind at caseId conversationId unionId } }"


@pytest.fixture
def ask(works: Works) -> Asking:
    return Asking(build_from([NodeQuery], [], [MeSubscription]), works)


def happened(kind: str, **body: str) -> LoggedEvent:
    return LoggedEvent(f"me:{ME.account_id}", "e", 1, kind, False, THEN, body)


async def test_an_event_names_what_it_is_about_by_global_id(ask: Asking) -> None:
    live = await ask.subscribe(DOCUMENT, ME)
    case = new_id()

    body = await live.render(happened("consultations.case_accepted", case_id=str(case)))

    assert body is not None
    assert global_id("Case", case).encode() in body
    assert f'"cursor":"me:{ME.account_id}:e:1"'.encode() in body
    assert b"CASE_ACCEPTED" in body
    assert await live.render(happened("access.something_internal")) is None


async def test_the_stream_is_for_its_owner_only(ask: Asking) -> None:
    live = await ask.subscribe(DOCUMENT, ME)

    assert await live.authorise(ME) == {f"me:{ME.account_id}": 1}
    with pytest.raises(NotFound):
        await live.authorise(Actor(account_id=new_id()))
    refused = await ask.engine.subscribe(GraphQLRequest(DOCUMENT), NOBODY)
    assert isinstance(refused, GraphQLAnswer)
    assert b"access.unauthenticated" in refused.body
