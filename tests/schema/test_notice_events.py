"""Notices live: rendered from their facts, for whom they concern, received by being pushed."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from uuid import UUID

import orjson
import pytest

from domain.kernel.actor import NOBODY, SYSTEM, Actor
from domain.kernel.errors import Forbidden, NotFound
from domain.kernel.ports import GraphQLAnswer, GraphQLRequest
from domain.kernel.streams import LoggedEvent, read_events, stream_states
from domain.kernel.work import Works
from domain.notices.board import flush_board
from domain.notices.rules import Audience, Terms
from schema.nodes import global_id
from schema.notices import NoticesMutation, NoticesQuery, NoticesSubscription
from schema.org import OrgQuery
from schema.root import NodeQuery, build_from
from tests.support.clock import FrozenClock
from tests.support.matrix import Matrix, a_cadre, a_matrix, an_officer
from tests.support.notices import publish
from tests.support.schema import Asking

SCHEMA = build_from([NodeQuery, OrgQuery, NoticesQuery], [NoticesMutation], [NoticesSubscription])
INBOX = "query ($id: ID!) { inboxNotices(unionId: $id) { edges { cursor } } }"
INBOX_EVENTS = """subscription ($id: ID!) { inboxEvents(unionId: $id) {
  cursor kind noticeId publisherId versionNo title body bodyHtml
  wantsConfirmation replyBy reason } }"""
BOARD_EVENTS = """subscription ($id: ID!) { receiptBoardEvents(noticeId: $id) {
  cursor kind noticeId
  counts { union { id } recipients delivered read confirmed confirmedLate } } }"""


@pytest.fixture
def ask(works: Works) -> Asking:
    return Asking(SCHEMA, works)


def union_id(of: UUID) -> str:
    return global_id("Union", of)


def notice_gid(of: UUID) -> str:
    return global_id("Notice", of)


async def to_the_east(works: Works, m: Matrix) -> UUID:
    return await publish(works, a_cadre(m.east), m.east, Audience(zone_id=m.east.id))


async def logged(stream: str) -> list[LoggedEvent]:
    return await read_events((await stream_states([stream]))[stream], 0)


async def test_a_pushed_notice_is_rendered_from_its_fact_and_its_officer_owes_a_receipt(
    ask: Asking, works: Works, clock: FrozenClock
) -> None:
    m = await a_matrix()
    officer = an_officer(m.a)
    live = await ask.subscribe(INBOX_EVENTS, officer, id=union_id(m.a.id))
    assert live.streams == (f"ou:{m.a.id}",)
    assert await live.authorise(officer) == {f"ou:{m.a.id}": 1}
    due = clock.now() + timedelta(days=1)
    notice_id = await publish(
        works, a_cadre(m.east), m.east, Audience(zone_id=m.east.id), terms=Terms(due, True)
    )
    events = await logged(f"ou:{m.a.id}")
    body = await live.render(events[0])
    assert body is not None
    told = orjson.loads(body)["data"]["inboxEvents"]
    assert told.pop("bodyHtml").startswith("<p>请于<strong>")
    assert told == {
        "cursor": f"ou:{m.a.id}:{events[0].epoch}:1",
        "kind": "PUBLISHED",
        "noticeId": notice_gid(notice_id),
        "publisherId": union_id(m.east.id),
        "versionNo": 1,
        "title": "关于换届选举的通知",
        "body": "请于**12月底**前完成换届。",
        "wantsConfirmation": True,
        "replyBy": due.isoformat(),
        "reason": None,
    }
    foreign = dataclasses.replace(events[0], kind="org.union_moved", body={})
    assert await live.render(foreign) is None
    assert live.receipts_of == officer.account_id


async def test_the_inbox_stream_is_for_current_officers_asked_anew(ask: Asking) -> None:
    m = await a_matrix()
    officer = an_officer(m.a)
    live = await ask.subscribe(INBOX_EVENTS, officer, id=union_id(m.a.id))
    await live.authorise(officer)
    with pytest.raises(NotFound):
        await live.authorise(dataclasses.replace(officer, offices=frozenset()))
    with pytest.raises(Forbidden):
        await live.authorise(Actor(account_id=officer.account_id))
    for stranger in (an_officer(m.b), a_cadre(m.east)):
        foreign = await ask.subscribe(INBOX_EVENTS, stranger, id=union_id(m.a.id))
        with pytest.raises(NotFound):
            await foreign.authorise(stranger)
    refused = await ask.engine.subscribe(
        GraphQLRequest(INBOX_EVENTS, variables={"id": union_id(m.a.id)}), NOBODY
    )
    assert isinstance(refused, GraphQLAnswer)
    assert b"access.unauthenticated" in refused.body


async def test_the_publisher_watches_the_counts_and_nobody_else_does(
    ask: Asking, works: Works, clock: FrozenClock
) -> None:
    m = await a_matrix()
    notice_id, publisher, officer = await to_the_east(works, m), a_cadre(m.east), an_officer(m.a)
    live = await ask.subscribe(BOARD_EVENTS, publisher, id=notice_gid(notice_id))
    assert await live.authorise(publisher) == {f"nt:{notice_id}": 1}
    assert await live.authorise(a_cadre(m.city)) == {f"nt:{notice_id}": 1}
    assert live.receipts_of is None
    for actor, error in (
        (a_cadre(m.west), NotFound),
        (officer, Forbidden),
        (dataclasses.replace(publisher, reaches=()), Forbidden),
    ):
        with pytest.raises(error):
            await live.authorise(actor)

    await ask(INBOX, officer, id=union_id(m.a.id))
    clock.advance(seconds=1)
    async with works.open(SYSTEM) as w:
        await flush_board(w, notice_id)
    (event,) = await logged(f"nt:{notice_id}")
    body = await live.render(event)
    assert body is not None
    assert orjson.loads(body)["data"]["receiptBoardEvents"] == {
        "cursor": f"nt:{notice_id}:{event.epoch}:1",
        "kind": "COUNTED",
        "noticeId": notice_gid(notice_id),
        "counts": {
            "union": None,
            "recipients": 3,
            "delivered": 1,
            "read": 0,
            "confirmed": 0,
            "confirmedLate": 0,
        },
    }
