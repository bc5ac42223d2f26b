"""Notices through the schema: five callers for each verb, and what each of them sees."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.kernel.actor import NOBODY, Actor
from domain.kernel.database import fetch
from domain.kernel.ids import new_id
from domain.kernel.work import Works
from domain.notices.rules import Audience
from schema.nodes import global_id
from schema.notices import NoticesMutation, NoticesQuery, NoticesSubscription
from schema.org import OrgQuery
from schema.root import NodeQuery, build_from
from tests.support.announcing import RememberedAnnouncements
from tests.support.clock import FrozenClock
from tests.support.matrix import Matrix, a_cadre, a_matrix, an_officer
from tests.support.notices import publish, rows_of_notices
from tests.support.schema import Asking

SCHEMA = build_from([NodeQuery, OrgQuery, NoticesQuery], [NoticesMutation], [NoticesSubscription])
PUBLISH = """mutation ($input: PublishNoticeInput!) {
  publishNotice(input: $input) { notice { id title bodyHtml state versionNo replyBy
    publisher { name } versions { totalCount } } } }"""
CORRECT = """mutation ($input: CorrectNoticeInput!) {
  correctNotice(input: $input) { notice { title versionNo versions { edges { node { no reason } } }
  } } }"""
WITHDRAW = """mutation ($input: WithdrawNoticeInput!) {
  withdrawNotice(input: $input) { notice { state withdrawalReason body } } }"""
RECEIVE = """mutation ($input: ReceiveNoticesInput!) {
  receiveNotices(input: $input) { receivedIds } }"""
READ = """mutation ($input: MarkNoticeReadInput!) {
  markNoticeRead(input: $input) { notice { id } } }"""
CONFIRM = """mutation ($input: ConfirmNoticeInput!) {
  confirmNotice(input: $input) { receipt { kind versionNo isLate accountId union { name } } } }"""
NOTICE = "query ($id: ID!) { notice(id: $id) { title body } }"
INBOX = """query ($id: ID!) { inboxNotices(unionId: $id) { totalCount
  edges { node { notice { id title } deliveredAt readAt confirmedAt } } } }"""
PUBLISHED = "{ publishedNotices { edges { node { id } } } }"
BOARD = """query ($id: ID!) { receiptBoard(noticeId: $id) {
  total { ...counts } byZone { ...counts } byLine { ...counts } } }
  fragment counts on ReceiptCounts {
    union { id } recipients delivered read confirmed confirmedLate }"""
SILENT = """query ($id: ID!) { silentUnions(noticeId: $id, kind: CONFIRMED) { totalCount
  edges { node { name union { id level } } } } }"""
RECEIPTS = "query ($id: ID!) { receipts(noticeId: $id) { edges { node { kind accountId } } } }"
PREVIEW = """query ($publisher: ID!, $audience: AudienceInput!) {
  audiencePreview(publisherId: $publisher, audience: $audience, first: 2) {
    totalCount edges { node { name } } pageInfo { hasNextPage } } }"""


@pytest.fixture
def ask(works: Works) -> Asking:
    return Asking(SCHEMA, works)


def union_id(of: UUID) -> str:
    return global_id("Union", of)


def notice_gid(of: UUID) -> str:
    return global_id("Notice", of)


async def to_the_east(works: Works, m: Matrix) -> UUID:
    return await publish(works, a_cadre(m.east), m.east, Audience(zone_id=m.east.id))


@dataclasses.dataclass(frozen=True)
class Callers:
    """The five, and what they are refused with when a verb is the publisher's or the officers'."""

    nobody: Actor
    member: Actor
    officer: Actor
    officer_elsewhere: Actor
    publisher: Actor


def callers(m: Matrix) -> Callers:
    return Callers(
        NOBODY,
        Actor(account_id=new_id(), member_id=new_id()),
        an_officer(m.a),
        an_officer(m.d),
        a_cadre(m.east),
    )


@asynccontextmanager
async def nothing_happens(announcements: RememberedAnnouncements) -> AsyncIterator[None]:
    before, hinted = await rows_of_notices(), len(announcements.events)
    yield
    assert await rows_of_notices() == before
    assert len(announcements.events) == hinted


def publishing(m: Matrix, **fields: Any) -> dict[str, Any]:
    return {
        "publisherId": union_id(m.east.id),
        "audience": {"zoneId": union_id(m.east.id)},
        "title": "通知",
        "body": "**请**确认 <script>",
        "wantsConfirmation": True,
        "clientKey": str(new_id()),
        **fields,
    }


async def test_a_cadre_publishes_and_reads_back_what_was_published(
    ask: Asking, clock: FrozenClock
) -> None:
    m = await a_matrix()
    due = (clock.now() + timedelta(days=3)).isoformat()
    answer = await ask(PUBLISH, a_cadre(m.east), input=publishing(m, replyBy=due))
    notice = answer["data"]["publishNotice"]["notice"]
    assert notice.pop("id")
    assert notice.pop("publisher")["name"]
    assert notice == {
        "title": "通知",
        "bodyHtml": "<p><strong>请</strong>确认 &lt;script&gt;</p>\n",
        "state": "PUBLISHED",
        "versionNo": 1,
        "replyBy": due,
        "versions": {"totalCount": 1},
    }


async def test_publishing_refuses_the_four_others_and_leaves_nothing(
    ask: Asking, announcements: RememberedAnnouncements
) -> None:
    m = await a_matrix()
    who = callers(m)
    async with nothing_happens(announcements):
        for actor, code in (
            (who.nobody, "access.unauthenticated"),
            (who.member, "forbidden"),
            (who.officer, "forbidden"),
            (who.officer_elsewhere, "forbidden"),
            (a_cadre(m.west), "not_found"),
        ):
            assert await ask.code(PUBLISH, actor, input=publishing(m)) == code
            preview = {"publisher": union_id(m.east.id), "audience": {"lineId": None}}
            assert await ask.code(PREVIEW, actor, **preview) == code


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"title": "x\x00"}, "text.bad_character"),
        ({"body": " "}, "text.missing"),
        ({"title": "长" * 121}, "text.too_long"),
        ({"publisherId": "rubbish"}, "not_found"),
        ({"publisherId": global_id("Notice", UUID(int=1))}, "not_found"),
        ({"audience": {}}, "notices.audience_unclear"),
        ({"audience": {"unionIds": ["x"]}}, "not_found"),
        ({"audience": {"unionIds": ["x"] * 2_001}}, "notices.audience_too_large"),
        ({"audience": {"zoneId": global_id("Union", UUID(int=1))}}, "not_found"),
        ({"replyBy": "2020-01-01T00:00:00Z"}, "notices.bad_reply_by"),
        ({"replyBy": "2026-12-01T00:00:00"}, "notices.bad_reply_by"),
    ],
)
async def test_bad_input_has_a_stable_code_and_no_effect(
    ask: Asking, announcements: RememberedAnnouncements, fields: dict[str, Any], code: str
) -> None:
    m = await a_matrix()
    async with nothing_happens(announcements):
        assert await ask.code(PUBLISH, a_cadre(m.east), input=publishing(m, **fields)) == code


async def test_a_bad_country_is_refused(ask: Asking) -> None:
    m = await a_matrix()
    audience = {"zoneId": union_id(m.east.id), "investorCountry": "D\x00"}
    code = await ask.code(PUBLISH, a_cadre(m.east), input=publishing(m, audience=audience))
    assert code not in (None, "internal")


async def test_the_preview_counts_and_pages_the_unions(ask: Asking) -> None:
    m = await a_matrix()
    audience = {"zoneId": union_id(m.east.id), "ownership": None}
    preview = (
        await ask(PREVIEW, a_cadre(m.east), publisher=union_id(m.east.id), audience=audience)
    )["data"]["audiencePreview"]
    assert (preview["totalCount"], len(preview["edges"])) == (3, 2)
    assert preview["pageInfo"] == {"hasNextPage": True}


async def test_correcting_and_withdrawing_are_the_publishers_only(
    ask: Asking, works: Works, announcements: RememberedAnnouncements
) -> None:
    m = await a_matrix()
    notice_id, who = await to_the_east(works, m), callers(m)
    words = {"title": "更正", "body": "新", "reason": "误", "basedOnNo": 1}
    correction = {"noticeId": notice_gid(notice_id), **words}
    withdrawal = {"noticeId": notice_gid(notice_id), "reason": "发错了"}
    async with nothing_happens(announcements):
        for actor, code in (
            (who.nobody, "access.unauthenticated"),
            (who.member, "forbidden"),
            (who.officer, "forbidden"),
            (who.officer_elsewhere, "forbidden"),
            (a_cadre(m.west), "not_found"),
            (a_cadre(m.city), "notices.not_publisher"),
        ):
            assert await ask.code(CORRECT, actor, input=correction) == code
            assert await ask.code(WITHDRAW, actor, input=withdrawal) == code

    corrected = await ask(CORRECT, who.publisher, input=correction)
    assert corrected["data"]["correctNotice"]["notice"] == {
        "title": "更正",
        "versionNo": 2,
        "versions": {
            "edges": [{"node": {"no": 2, "reason": "误"}}, {"node": {"no": 1, "reason": None}}]
        },
    }
    withdrawn = await ask(WITHDRAW, who.publisher, input=withdrawal)
    assert withdrawn["data"]["withdrawNotice"]["notice"] == {
        "state": "WITHDRAWN",
        "withdrawalReason": "发错了",
        "body": "新",
    }


async def test_receipts_are_given_by_officers_of_a_recipient_only(
    ask: Asking, works: Works, announcements: RememberedAnnouncements
) -> None:
    m = await a_matrix()
    notice_id, who = await to_the_east(works, m), callers(m)
    reading = {"noticeId": notice_gid(notice_id), "versionNo": 1}
    confirming = {**reading, "unionId": union_id(m.a.id)}
    async with nothing_happens(announcements):
        for actor, code in (
            (who.nobody, "access.unauthenticated"),
            (who.member, "forbidden"),
            (who.officer_elsewhere, "not_found"),
            (who.publisher, "not_found"),
        ):
            assert await ask.code(READ, actor, input=reading) == code
            assert await ask.code(CONFIRM, actor, input=confirming) == code
        for actor in (who.officer_elsewhere, who.publisher):
            received = await ask(RECEIVE, actor, input={"noticeIds": [notice_gid(notice_id)]})
            assert received["data"]["receiveNotices"]["receivedIds"] == []

    mine = {"noticeIds": [notice_gid(notice_id)]}
    received = await ask(RECEIVE, who.officer, input=mine)
    assert received["data"]["receiveNotices"]["receivedIds"] == mine["noticeIds"]
    assert await ask.code(READ, who.officer, input=reading) is None
    receipt = (await ask(CONFIRM, who.officer, input=confirming))["data"]["confirmNotice"]
    assert receipt["receipt"].pop("union")["name"]
    assert who.officer.account_id is not None
    assert receipt["receipt"] == {
        "kind": "CONFIRMED",
        "versionNo": 1,
        "isLate": False,
        "accountId": global_id("Account", who.officer.account_id),
    }


async def test_reading_an_inbox_is_receiving_what_it_shows(ask: Asking, works: Works) -> None:
    m = await a_matrix()
    notice_id, who = await to_the_east(works, m), callers(m)
    inbox = (await ask(INBOX, who.officer, id=union_id(m.a.id)))["data"]["inboxNotices"]
    assert inbox["totalCount"] == 1
    node = inbox["edges"][0]["node"]
    assert node["notice"]["id"] == notice_gid(notice_id)
    assert node["deliveredAt"] is not None
    assert (node["readAt"], node["confirmedAt"]) == (None, None)
    assert [tuple(row) for row in await fetch("SELECT kind, account_id FROM notice_receipt")] == [
        ("delivered", who.officer.account_id)
    ]


async def test_each_side_sees_its_own_and_strangers_see_nothing(
    ask: Asking, works: Works, announcements: RememberedAnnouncements
) -> None:
    m = await a_matrix()
    notice_id, who = await to_the_east(works, m), callers(m)
    gid = notice_gid(notice_id)
    unauthenticated, forbidden, absent = "access.unauthenticated", "forbidden", "not_found"
    watched = (unauthenticated, forbidden, forbidden, forbidden, None)
    expected: dict[str, tuple[str | None, ...]] = {
        NOTICE: (unauthenticated, absent, None, absent, None),
        BOARD: watched,
        SILENT: watched,
        RECEIPTS: watched,
    }
    async with nothing_happens(announcements):
        for query, codes in expected.items():
            for actor, code in zip(vars(who).values(), codes, strict=True):
                assert await ask.code(query, actor, id=gid) == code, (query, code)
                other = await ask.code(query, actor, id=notice_gid(new_id()))
                assert other == (absent if code is None else code)
            stranger = await ask.code(query, a_cadre(m.west), id=gid)
            assert stranger == absent
        inbox = (unauthenticated, forbidden, absent, absent)
        for actor, code in zip(
            (who.nobody, who.member, who.officer_elsewhere, who.publisher), inbox, strict=True
        ):
            assert await ask.code(INBOX, actor, id=union_id(m.a.id)) == code
        assert (await ask(PUBLISHED, who.publisher))["data"]["publishedNotices"]["edges"] == [
            {"node": {"id": gid}}
        ]
        assert (await ask(PUBLISHED, a_cadre(m.west)))["data"]["publishedNotices"]["edges"] == []


async def test_a_notice_is_refetched_by_its_global_id_and_only_by_whom_it_concerns(
    ask: Asking, works: Works
) -> None:
    m = await a_matrix()
    notice_id = await to_the_east(works, m)
    query = "query ($id: ID!) { node(id: $id) { id ... on Notice { title } } }"
    seen = await ask(query, an_officer(m.a), id=notice_gid(notice_id))
    assert seen["data"]["node"]["title"]
    for stranger in (an_officer(m.d), Actor(account_id=new_id()), NOBODY):
        hidden = await ask(query, stranger, id=notice_gid(notice_id))
        assert hidden["data"] == {"node": None}


async def test_the_board_and_the_silent_follow_the_receipts(ask: Asking, works: Works) -> None:
    m = await a_matrix()
    notice_id, who = await to_the_east(works, m), callers(m)
    confirming = {"noticeId": notice_gid(notice_id), "versionNo": 1, "unionId": union_id(m.a.id)}
    await ask(CONFIRM, who.officer, input=confirming)
    board = (await ask(BOARD, who.publisher, id=notice_gid(notice_id)))["data"]["receiptBoard"]
    one = {"delivered": 1, "read": 1, "confirmed": 1, "confirmedLate": 0}
    assert board["total"] == {"union": None, "recipients": 3, **one}
    assert board["byZone"] == [{"union": {"id": union_id(m.east.id)}, "recipients": 3, **one}]
    assert [part["recipients"] for part in board["byLine"]] == [2, 1]
    silent = (await ask(SILENT, who.publisher, id=notice_gid(notice_id)))["data"]["silentUnions"]
    assert silent["totalCount"] == 2
    assert {edge["node"]["union"]["id"] for edge in silent["edges"]} == {
        union_id(m.b.id),
        union_id(m.c.id),
    }
