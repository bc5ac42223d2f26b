"""Reminding through the schema: what the publisher is answered and the silent union is pushed."""

from __future__ import annotations

import orjson

from domain.kernel.streams import read_events, stream_states
from domain.kernel.work import Works
from domain.notices.rules import Audience
from schema.nodes import global_id
from schema.notices import NoticesMutation, NoticesQuery, NoticesSubscription
from schema.org import OrgQuery
from schema.root import NodeQuery, build_from
from tests.support.matrix import a_cadre, a_matrix, an_officer
from tests.support.notices import publish
from tests.support.schema import Asking

SCHEMA = build_from([NodeQuery, OrgQuery, NoticesQuery], [NoticesMutation], [NoticesSubscription])
NUDGE = """mutation ($input: NudgeNoticeInput!) {
  nudgeNotice(input: $input) { nudgedCount notice { nudgedAt } } }"""
SILENT = """query ($id: ID!, $under: ID) {
  silentUnions(noticeId: $id, kind: CONFIRMED, under: $under) { totalCount } }"""


async def test_the_publisher_reminds_and_the_silent_union_is_told(works: Works) -> None:
    ask = Asking(SCHEMA, works)
    m = await a_matrix()
    cadre = a_cadre(m.east)
    id_ = await publish(works, cadre, m.east, Audience(zone_id=m.east.id))
    notice = global_id("Notice", id_)
    live = await ask.subscribe(
        "subscription ($id: ID!) { inboxEvents(unionId: $id) { kind noticeId title } }",
        an_officer(m.a),
        id=global_id("Union", m.a.id),
    )

    answer = await ask(NUDGE, cadre, input={"noticeId": notice})

    told = answer["data"]["nudgeNotice"]
    assert told["nudgedCount"] == 3
    assert told["notice"]["nudgedAt"] is not None
    stream = f"ou:{m.a.id}"
    pushed = await live.render((await read_events((await stream_states([stream]))[stream], 0))[-1])
    assert pushed is not None
    assert orjson.loads(pushed)["data"]["inboxEvents"] == {
        "kind": "NUDGED",
        "noticeId": notice,
        "title": None,
    }


async def test_who_may_not_remind_is_told_nothing_more(works: Works) -> None:
    ask = Asking(SCHEMA, works)
    m = await a_matrix()
    id_ = await publish(works, a_cadre(m.east), m.east, Audience(zone_id=m.east.id))
    given = {"input": {"noticeId": global_id("Notice", id_)}}
    assert await ask.code(NUDGE, an_officer(m.a), **given) == "forbidden"
    assert await ask.code(NUDGE, a_cadre(m.west), **given) == "not_found"
    assert await ask.code(NUDGE, a_cadre(m.city), **given) == "notices.not_publisher"


async def test_the_silent_are_counted_under_a_zone_or_line(works: Works) -> None:
    ask = Asking(SCHEMA, works)
    m = await a_matrix()
    cadre = a_cadre(m.city)
    id_ = await publish(works, cadre, m.city, Audience(zone_id=m.city.id))
    notice = global_id("Notice", id_)
    west, metal = global_id("Union", m.west.id), global_id("Union", m.metal.id)
    answers = [await ask(SILENT, cadre, id=notice, under=each) for each in (None, west, metal)]
    assert [each["data"]["silentUnions"]["totalCount"] for each in answers] == [8, 2, 4]
