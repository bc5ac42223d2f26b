"""Photographs each room for docs/screens, before a running `unionhall demo`.

usage: python -m tests.browser.screens [http://127.0.0.1:8000]
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from playwright.async_api import Browser, Page

from domain.kernel.ids import new_id
from gateway import sample
from gateway.sample import person_phone
from tests.browser.conftest import Caller
from tests.support.browser import DESK, PHONE, Screen, browser, screen

FOLDER = Path(__file__).parents[2] / "docs" / "screens"
PASSWORD = "unionhall-2016"
MEMBER, COUNSELLOR = "15474149077", "15459319027"
CITY_CADRE, CHAIR = "15492755875", "15412345678"
CHAIRS = 24
"""Those who answer the notice in the pictures: two of three confirm, the others only read."""
SIZES = {"phone": PHONE, "desk": DESK}
LANGUAGES = ("zh", "en")
WAITING = (
    ("PARENTING", "ORDINARY"),
    ("FAMILY", "ORDINARY"),
    ("WORK_STRESS", "URGENT"),
    ("RELATIONSHIPS", "ORDINARY"),
)
WAITING_FIRST = 2
"""The members after the one who signs in."""
SETTLED_MS = 400

Shoot = Callable[[str], Awaitable[None]]


async def door(person: Screen, shoot: Shoot) -> None:
    """The sign-in page."""
    await shoot("sign-in")


async def member(person: Screen, shoot: Shoot, conversation_path: str) -> None:
    """The member's room."""
    await person.sign_in(MEMBER, PASSWORD)
    for name, path, waited in (
        ("home", "/member", "a.service"),
        ("people", "/member/people", ".person"),
        ("ask", "/member/ask/COUNSELLING", ".ask"),
        ("talk", conversation_path, ".talk-line"),
        ("me", "/member/me", ".look"),
    ):
        await person.open(path)
        await person.page.wait_for_selector(waited)
        await shoot(f"member-{name}")


async def consultant(person: Screen, shoot: Shoot) -> None:
    """The counsellor's window."""
    page = person.page
    await person.sign_in(COUNSELLOR, PASSWORD)
    await page.wait_for_selector(".cw-entry")
    await shoot("consultant-queue")
    is_wide = (page.viewport_size or DESK)["width"] >= DESK["width"]
    for row in (await page.locator(".cw-running .cw-row").all())[: 2 if is_wide else 1]:
        await row.click()
    await page.wait_for_selector(".talk-line")
    await shoot("consultant-desk")
    await page.locator(".cw-chat-bar .el-button").first.click()
    await page.wait_for_selector("dialog:modal .cw-acts")
    await shoot("consultant-hand-over")
    await page.keyboard.press("Escape")
    await page.locator(".cw-bar .icon-act").first.click()
    await shoot("consultant-keys")
    await page.keyboard.press("Escape")
    await page.locator(".cw-bar .icon-act").last.click()
    await shoot("consultant-settings")
    await page.keyboard.press("Escape")
    await page.locator(".cw-bar nav a").last.click()
    await page.wait_for_selector(".cw-case")
    await shoot("consultant-cases")
    await page.clock.install()
    await page.reload()
    await page.wait_for_selector(".cw-case")
    await page.clock.fast_forward("02:01")
    await shoot("consultant-covered")


async def _a_queue(client: httpx.AsyncClient) -> None:
    """Members who wait, and one more whom the counsellor talks to."""
    counsellor = await _caller(client, COUNSELLOR)
    state = await counsellor.ask("""{ viewer { consultantId } queue(first: 1) { edges { node {
        caseId } } } }""")
    if state["queue"]["edges"]:
        return
    for number, (topic, urgency) in enumerate(WAITING):
        member = await _caller(client, person_phone(WAITING_FIRST + number))
        await member.ask(
            """mutation ($topic: ConsultationTopic!, $urgency: Urgency!, $to: ID, $key: UUID!) {
                requestConsultation(input: {service: COUNSELLING, topic: $topic, addressedTo: $to,
                    urgency: $urgency, consentVersion: 1, clientKey: $key}) { case { id } } }""",
            topic=topic,
            urgency=urgency,
            to=state["viewer"]["consultantId"] if number == 2 else None,
            key=str(new_id()),
        )
        if number == 0:
            _, conversation = await counsellor.take_next()
            await member.say(conversation, "孩子上初中以后，话越来越少。")
            await counsellor.say(conversation, "您愿意说说最近的一次吗？")


async def chair(person: Screen, shoot: Shoot) -> None:
    """The inbox of a grassroots union's chair."""
    await person.sign_in(CHAIR, PASSWORD)
    await person.open("/cadre")
    await person.page.wait_for_selector(".inbox-row")
    await shoot("cadre-inbox")
    await person.page.locator(".inbox-open").first.click()
    await person.page.wait_for_selector(".rich")
    await shoot("cadre-read")


async def cadre(person: Screen, shoot: Shoot, board_path: str) -> None:
    """The cadre's desk."""
    page = person.page
    await person.sign_in(CITY_CADRE, PASSWORD)
    for name, path, waited in (
        ("sent", "/cadre/sent", ".sent-row"),
        ("board", board_path, ".silent .cadre-name"),
        ("compose", "/cadre/new", ".preview-count strong"),
        ("me", "/cadre/me", ".look"),
    ):
        await person.open(path)
        await page.wait_for_selector(waited)
        if name == "compose":
            await page.locator("input[maxlength='120']").fill("关于开展夏季“送清凉”活动的通知")
            await page.locator("#body").fill(
                "各工会：\n\n请在**6月底**前：\n\n1. 慰问一线职工；\n2. 报送活动小结。"
            )
            await page.locator(".words-head button").last.click()
            await page.locator(".frame-main").evaluate("main => main.scrollTo(0, 0)")
        await shoot(f"cadre-{name}")


async def _a_board(client: httpx.AsyncClient) -> str:
    """A notice to the whole city that some have confirmed; its board's path."""
    publisher = await _caller(client, CITY_CADRE)
    viewer = await publisher.ask("{ viewer { offices { id } } }")
    published = await publisher.ask(
        """mutation ($of: ID!) { publishNotice(input: {publisherId: $of, audience: {zoneId: $of},
            title: "关于报送上半年工作总结的通知", wantsConfirmation: true,
            body: "请各工会于**7月10日**前报送上半年工作总结。收到后请点击“确认收到”。",
            clientKey: "5f0c6f2d-97a1-4a53-8a41-3d0c8a520b12"}) { notice { id } } }""",
        of=viewer["viewer"]["offices"][0]["id"],
    )
    notice = published["publishNotice"]["notice"]["id"]
    for number, block in enumerate(sample.member_blocks(20_000)[1 : CHAIRS + 1]):
        one = await _caller(client, sample.person_phone(block.first))
        for office in (await one.ask("{ viewer { offices { id } } }"))["viewer"]["offices"]:
            await one.ask(
                """mutation ($id: ID!) {
                    markNoticeRead(input: {noticeId: $id, versionNo: 1}) { notice { id } } }""",
                id=notice,
            )
            if number % 3:
                await one.ask(
                    """mutation ($id: ID!, $of: ID!) { confirmNotice(input: {
                        noticeId: $id, unionId: $of, versionNo: 1}) { receipt { at } } }""",
                    id=notice,
                    of=office["id"],
                )
    return f"/cadre/sent/{notice}"


async def _a_talk(client: httpx.AsyncClient) -> str:
    """A conversation between the two sample people; its page's path."""
    one, other = [await _caller(client, identifier) for identifier in (MEMBER, COUNSELLOR)]
    cases = await one.ask("""{ myCases(first: 1, state: RUNNING) { edges { node {
        id conversations(last: 1) { edges { node { id } } } } } } }""")
    found = [edge["node"] for edge in cases["myCases"]["edges"]]
    if found:
        return f"/member/cases/{found[0]['id']}"
    await one.ask("""mutation { requestConsultation(input: {service: COUNSELLING,
        topic: WORK_STRESS, consentVersion: 1,
        clientKey: "5f0c6f2d-97a1-4a53-8a41-3d0c8a520b11"}) { case { id } } }""")
    case, conversation = await other.take_next()
    for person, text in (
        (one, "最近工作压力很大，晚上睡不好。"),
        (one, "周末也要加班，和家里人说话也没有耐心。"),
        (other, "您好，我在听。您愿意先说说，这种情况大概持续多久了吗？"),
        (one, "大概两个月了。"),
    ):
        await person.say(conversation, text)
    await other.ask(
        """mutation ($id: ID!) {
            markMessagesRead(input: {conversationId: $id, seq: 2}) { conversation { id } } }""",
        id=conversation,
    )
    return f"/member/cases/{case}"


async def _caller(client: httpx.AsyncClient, identifier: str) -> Caller:
    signing = """mutation ($who: String!, $word: String!) {
        signIn(input: {identifier: $who, password: $word, heldAs: APP}) { accessToken } }"""
    body = {"query": signing, "variables": {"who": identifier, "word": PASSWORD}}
    answer = (await client.post("/graphql", json=body)).json()
    return Caller(client, answer["data"]["signIn"]["accessToken"])


async def main(url: str) -> None:
    """Every page, in both sizes and both languages."""
    FOLDER.mkdir(exist_ok=True)
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client, browser() as opened:
        talk, board = await _a_talk(client), await _a_board(client)
        await _a_queue(client)
        for size, pixels in SIZES.items():
            for language in LANGUAGES:
                kind = f"{size}-{language}"
                async with _visit(opened, url, pixels, language) as person:
                    await door(person, _shooting(person.page, kind))
                    await member(person, _shooting(person.page, kind), talk)
                async with _visit(opened, url, pixels, language) as person:
                    await consultant(person, _shooting(person.page, kind))
                async with _visit(opened, url, pixels, language) as person:
                    await chair(person, _shooting(person.page, kind))
                async with _visit(opened, url, pixels, language) as person:
                    await cadre(person, _shooting(person.page, kind), board)


@asynccontextmanager
async def _visit(
    opened: Browser, url: str, pixels: dict[str, int], language: str
) -> AsyncIterator[Screen]:
    """Somebody at the door, in a browser of their own."""
    async with screen(opened, url, size=pixels) as person:
        await person.open("/sign-in")
        if language == "en":
            await person.page.get_by_role("button", name="English").click()
            await person.page.wait_for_selector("html[lang=en]")
        yield person


def _shooting(page: Page, kind: str) -> Shoot:
    async def shoot(name: str) -> None:
        await page.wait_for_timeout(SETTLED_MS)
        await page.screenshot(path=FOLDER / f"{name}-{kind}.png")

    return shoot


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"))
