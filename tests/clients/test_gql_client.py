"""The stock Python client does the two main jobs, knowing nothing but the schema and ``after``."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from domain.kernel.work import Works
from tests.support import server
from tests.support.chatting import SEND, a_pair
from tests.support.gql_client import Data, Person
from tests.support.main_jobs import (
    Office,
    a_zone_with_officers,
    assert_heard_all_once,
    assert_received_and_confirmed,
)
from tests.support.matrix import Spot
from tests.support.redis_server import eventually

TURNS = 12
OFFICERS = 3
WITHIN_S = 15.0

PLACE = "query ($id: ID!) { conversation(id: $id) { position } }"
EVENTS = """subscription ($id: ID!, $after: String) {
    conversationEvents(conversationId: $id, after: $after) {
        __typename
        ... on MessageSent { cursor message { seq clientKey text } }
        ... on MarksAdvanced { cursor } } }"""

INBOX_PLACE = "query ($id: ID!) { inboxPosition(unionId: $id) }"
INBOX = """subscription ($id: ID!, $after: String) {
    inboxEvents(unionId: $id, after: $after) { cursor kind noticeId versionNo title } }"""
BOARD_PLACE = "query ($id: ID!) { receiptBoard(noticeId: $id) { position } }"
BOARD = """subscription ($id: ID!, $after: String) {
    receiptBoardEvents(noticeId: $id, after: $after) {
        cursor counts { recipients delivered read confirmed } } }"""
PUBLISH = """mutation ($input: PublishNoticeInput!) {
    publishNotice(input: $input) { notice { id } } }"""
CONFIRM = """mutation ($notice: ID!, $union: ID!) {
    confirmNotice(input: {noticeId: $notice, unionId: $union, versionNo: 1}) {
        receipt { kind } } }"""


@dataclass(slots=True)
class Talker:
    """One side of the chat, and its report."""

    person: Person
    conversation: str
    heard: list[Data] = field(default_factory=list)
    acknowledged: dict[str, int] = field(default_factory=dict)

    async def listen(self) -> None:
        snapshot = await self.person.execute(PLACE, id=self.conversation)
        self.person.follow(
            EVENTS, snapshot["conversation"]["position"], self._take, id=self.conversation
        )

    async def say(self, text: str) -> None:
        key = str(uuid4())
        told = await self.person.execute(SEND, id=self.conversation, key=key, text=text)
        self.acknowledged[key] = told["sendMessage"]["message"]["seq"]

    def _take(self, event: Data) -> None:
        if event["__typename"] == "MessageSent":
            self.heard.append(event["message"])

    @property
    def report(self) -> dict[str, Any]:
        return {"heard": self.heard, "acknowledged": self.acknowledged}


async def test_gql_chats_through_two_forced_disconnects(
    one: server.Server, works: Works, city: Spot
) -> None:
    pair = await a_pair(works, city)
    async with Person(one.socket, pair.tokens[0]) as m, Person(one.socket, pair.tokens[1]) as c:
        member, counsellor = Talker(m, pair.id), Talker(c, pair.id)
        await asyncio.gather(member.listen(), counsellor.listen())
        for turn in range(TURNS):
            cut = {TURNS // 3: [m], 2 * TURNS // 3: [m, c]}.get(turn, [])
            if cut:  # the feed has a cursor by now, and is live again after the cut before
                await eventually(
                    lambda said=2 * turn: len(member.heard) == len(counsellor.heard) == said,
                    WITHIN_S,
                )
            speaking = asyncio.gather(
                member.say(f"m{turn} 你好·𠮷"), counsellor.say(f"c{turn} 慢慢说")
            )
            await asyncio.sleep(0)  # both are under way
            for person in cut:
                person.cut()
            await speaking
        await eventually(
            lambda: all(len(each.heard) >= 2 * TURNS for each in (member, counsellor)), WITHIN_S
        )

    assert_heard_all_once(member.report, counsellor.report, TURNS)
    assert_heard_all_once(counsellor.report, member.report, TURNS)
    assert m.resumed >= 2, "each cut has to be resumed from a cursor"
    assert c.resumed >= 1


async def receiving(officer: Person, office: Office, received: list[Data]) -> None:
    """The officer follows the inbox from now on."""
    place = (await officer.execute(INBOX_PLACE, id=office.union))["inboxPosition"]
    officer.follow(INBOX, place, received.append, id=office.union)


def a_notice(publisher: Office, to: list[Office]) -> Data:
    return {
        "publisherId": publisher.union,
        "audience": {"unionIds": [office.union for office in to]},
        "title": "关于年底换届选举的通知",
        "body": "请各工会于**十二月底**前完成换届选举。",
        "wantsConfirmation": True,
        "clientKey": str(uuid4()),
    }


async def test_gql_publishes_a_notice_and_watches_the_receipts(
    one: server.Server, works: Works, city: Spot
) -> None:
    publisher, offices = await a_zone_with_officers(works, city, OFFICERS)
    received: list[list[Data]] = [[] for _ in offices]
    boards: list[Data] = []
    officers = [Person(one.socket, office.token) for office in offices]
    async with officers[0], officers[1], officers[2], Person(one.socket, publisher.token) as cadre:
        for officer, office, events in zip(officers, offices, received, strict=True):
            await receiving(officer, office, events)
        officers[0].cut()
        told = await cadre.execute(PUBLISH, input=a_notice(publisher, offices))
        notice = told["publishNotice"]["notice"]
        place = (await cadre.execute(BOARD_PLACE, id=notice["id"]))["receiptBoard"]["position"]
        cadre.follow(BOARD, place, lambda event: boards.append(event["counts"]), id=notice["id"])
        await eventually(lambda: all(received) and boards, WITHIN_S)

        cadre.cut()
        officers[1].cut()
        for officer, office in zip(officers, offices, strict=True):
            await officer.execute(CONFIRM, notice=notice["id"], union=office.union)
        await eventually(lambda: boards[-1]["confirmed"] == OFFICERS, WITHIN_S)

    assert cadre.resumed >= 1, "the board has to be resumed from a cursor"
    assert_received_and_confirmed(
        {"notice": notice, "received": received, "boards": boards}, OFFICERS
    )
