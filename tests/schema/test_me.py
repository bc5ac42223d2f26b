"""The own account's stream: mine only, and ids only."""

from __future__ import annotations

import dataclasses

import orjson
import pytest

from domain.consultations import messages
from domain.kernel.actor import NOBODY, Actor
from domain.kernel.errors import NotFound
from domain.kernel.ids import new_id
from domain.kernel.ports import GraphQLAnswer, GraphQLRequest
from domain.kernel.streams import LoggedEvent, StreamState, read_events
from domain.kernel.work import Works
from domain.notices.receipts import mark_read
from domain.notices.rules import Audience
from schema.me import MeSubscription
from schema.nodes import global_id
from schema.root import NodeQuery, build, build_from
from tests.support.clock import THEN
from tests.support.consultations import a_consultant, a_person, running, say
from tests.support.matrix import a_cadre, a_matrix, an_officer
from tests.support.notices import publish
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


UNREAD = """{ myUnread { position conversations { conversationId caseId unreadCount }
  inboxes { unionId unreadCount } } }"""


async def test_what_is_unread_is_in_one_place_and_followed_from_there(
    works: Works, test_keyring: object
) -> None:
    ask = Asking(build(), works)
    m = await a_matrix()
    consultant, asker = await a_consultant(works), a_person()
    case, talk = await running(works, asker, consultant)
    officer = dataclasses.replace(consultant, offices=frozenset({m.a.id, m.b.id}))
    notices = [
        await publish(works, a_cadre(m.east), m.east, Audience(zone_id=m.east.id)) for _ in range(2)
    ]
    for text in "一二":
        await say(works, asker, talk, text)
    async with works.open(an_officer(m.a, account_id=officer.account_id)) as w:
        await mark_read(w, notices[0], version_no=1)

    unread = (await ask(UNREAD, officer))["data"]["myUnread"]

    assert unread["conversations"] == [
        {
            "conversationId": global_id("Conversation", talk),
            "caseId": global_id("Case", case),
            "unreadCount": 2,
        }
    ]
    assert {inbox["unionId"]: inbox["unreadCount"] for inbox in unread["inboxes"]} == {
        global_id("Union", m.a.id): 1,
        global_id("Union", m.b.id): 2,
    }
    async with works.open(consultant) as w:
        await messages.mark_read(w, talk, 2)
    live = await ask.subscribe(
        "subscription { myEvents { kind conversationId unreadCount } }", officer
    )
    stream, epoch, offset = unread["position"].rsplit(":", 2)
    events = await read_events(StreamState(stream, epoch), int(offset))
    told = [orjson.loads(await live.render(event) or b"")["data"]["myEvents"] for event in events]
    assert told == [
        {
            "kind": "UNREAD_CHANGED",
            "conversationId": global_id("Conversation", talk),
            "unreadCount": 0,
        }
    ]
    assert (await ask(UNREAD, officer))["data"]["myUnread"]["conversations"] == []


async def test_what_is_unread_is_nobody_else_s(works: Works, test_keyring: object) -> None:
    ask = Asking(build(), works)
    m = await a_matrix()
    consultant, asker = await a_consultant(works), a_person()
    _, talk = await running(works, asker, consultant)
    await publish(works, a_cadre(m.east), m.east, Audience(zone_id=m.east.id))
    await say(works, asker, talk, "一")

    for stranger in (asker, a_person(), await a_consultant(works), a_cadre(m.city)):
        unread = (await ask(UNREAD, stranger))["data"]["myUnread"]
        assert (unread["conversations"], unread["inboxes"]) == ([], [])
    without = dataclasses.replace(consultant, reaches=())
    assert (await ask(UNREAD, without))["data"]["myUnread"]["conversations"] == []
    assert await ask.code(UNREAD, NOBODY) == "access.unauthenticated"
