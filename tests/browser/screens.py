"""Photographs each room for docs/screens, before a running `unionhall demo`.

usage: python -m tests.browser.screens [http://127.0.0.1:8000]
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
from playwright.async_api import Page

from tests.browser.conftest import Caller
from tests.support.browser import DESK, PHONE, Screen, browser, screen

FOLDER = Path(__file__).parents[2] / "docs" / "screens"
PASSWORD = "unionhall-2016"
MEMBER, COUNSELLOR = "15474149077", "15459319027"
SIZES = {"phone": PHONE, "desk": DESK}
LANGUAGES = ("zh", "en")
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
        talk = await _a_talk(client)
        for size, pixels in SIZES.items():
            for language in LANGUAGES:
                async with screen(opened, url, size=pixels) as person:
                    await person.open("/sign-in")
                    if language == "en":
                        await person.page.get_by_role("button", name="English").click()

                    shoot = _shooting(person.page, f"{size}-{language}")
                    await door(person, shoot)
                    await member(person, shoot, talk)


def _shooting(page: Page, kind: str) -> Shoot:
    async def shoot(name: str) -> None:
        await page.wait_for_timeout(SETTLED_MS)
        await page.screenshot(path=FOLDER / f"{name}-{kind}.png")

    return shoot


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"))
