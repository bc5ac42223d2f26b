"""The consultant's window (咨询窗口): the queue, several talks at once, other eyes, hand-overs."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Locator, Page, expect

from domain.access.service import NewAccount
from domain.kernel.ids import new_id
from tests.browser.conftest import Caller, Hall
from tests.support.access import PASSWORD
from tests.support.browser import DESK, Screen, screen

WITHIN_MS = 1_000
"""A right that is lost is gone from the page by then."""
COUNT_TONES = """() => {
    window.tones = 0;
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...when) {
        window.tones += 1;
        start.apply(this, when);
    };
}"""


async def asks(hall: Hall, topic: str = "WORK_STRESS", **more: str) -> Caller:
    """A member who waits."""
    member = await hall.caller(await hall.a_member())
    await member.ask(
        """mutation ($topic: ConsultationTopic!, $to: ID, $key: UUID!) { requestConsultation(
            input: {service: COUNSELLING, topic: $topic, addressedTo: $to, consentVersion: 1,
                clientKey: $key}) { case { id } } }""",
        topic=topic,
        key=str(new_id()),
        **more,
    )
    return member


async def conversation_of(member: Caller) -> str:
    data = await member.ask("""{ myCases(first: 1) { edges { node { conversations(last: 1) {
        edges { node { id } } } } } } }""")
    found: str = data["myCases"]["edges"][0]["node"]["conversations"]["edges"][0]["node"]["id"]
    return found


@asynccontextmanager
async def at_desk(hall: Hall, chrome: Browser, account: NewAccount) -> AsyncIterator[Screen]:
    async with screen(chrome, hall.url, size=DESK) as person:
        await person.page.add_init_script(f"({COUNT_TONES})()")
        await person.sign_in(account.phone or "", PASSWORD)
        await expect(person.page.get_by_role("heading", name="候询")).to_be_visible()
        yield person


def column(page: Page, topic: str) -> Locator:
    return page.get_by_role("region", name=f"谈话：{topic}")


async def type_in(page: Page, text: str) -> None:
    """Into whatever has the focus, and send it."""
    await expect(page.locator("textarea:focus")).to_have_count(1)
    await page.keyboard.insert_text(text)
    await page.keyboard.press("Enter")


async def test_two_talks_are_led_by_the_keyboard_alone(hall: Hall, chrome: Browser) -> None:
    account = await hall.a_window(capacity=2)
    first, second, third = [
        await asks(hall, topic) for topic in ("WORK_STRESS", "FAMILY", "PARENTING")
    ]
    async with at_desk(hall, chrome, account) as person:
        page = person.page
        entries = page.locator(".cw-entry")
        await expect(entries).to_have_count(3)
        await expect(entries.first).to_contain_text("工作压力")
        await expect(entries.first.locator("time")).to_have_text(re.compile(r"^\d\d:\d\d$"))
        await person.assert_accessible()

        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog", name="快捷键")).to_be_visible()
        await person.assert_accessible()
        await page.keyboard.press("Escape")

        await page.keyboard.press("F2")
        await expect(column(page, "工作压力")).to_be_visible()
        await type_in(page, "您好，我在听。可以吗?")
        await page.keyboard.press("F2")
        await expect(column(page, "婚姻家庭").locator("textarea")).to_be_focused()
        await type_in(page, "您慢慢说")
        await page.keyboard.press("F8")
        await expect(column(page, "工作压力").locator("textarea")).to_be_focused()
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await page.keyboard.press("Backspace")
        await type_in(page, "请讲")

        await expect(page.locator("[data-mark=sent]")).to_have_count(3)
        assert await first.texts(await conversation_of(first)) == ["您好，我在听。可以吗?", "请讲"]
        assert await second.texts(await conversation_of(second)) == ["您慢慢说"]
        await expect(page.get_by_text("您的窗口已满（2 个）")).to_be_visible()
        await expect(page.get_by_role("button", name="接案：亲子教育")).to_be_disabled()
        await person.assert_accessible()

        await column(page, "婚姻家庭").get_by_role("button", name="结束").click()
        await page.get_by_role("dialog").get_by_role("button", name="结束咨询").click()
        await expect(page.get_by_text("本次咨询已结束，会员可以重新开始。")).to_be_visible()
        await page.get_by_role("button", name="接案：亲子教育").click()
        await expect(column(page, "亲子教育")).to_be_visible()
        assert await conversation_of(third)

        await page.get_by_role("link", name="个案").click()
        await page.get_by_role("button", name="已结束").click()
        await page.get_by_role("button", name="婚姻家庭").click()
        await expect(column(page, "婚姻家庭").get_by_text("您慢慢说")).to_be_visible()
