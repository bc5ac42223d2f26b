"""The member's room at its edges: ten thousand rows, marks, large type, a right that is lost."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

import asyncpg
from playwright.async_api import Browser, Page, Route, WebSocketRoute, expect

from domain.access.service import NewAccount
from tests.browser.conftest import Caller, Hall, until
from tests.browser.test_desk_states import Asked
from tests.browser.test_member import WITHIN_MS, ask, in_talk, say
from tests.support.access import PASSWORD
from tests.support.browser import PHONE, Screen, screen

ROWS = 10_000
LARGER = 1.25
"""Large type over the ordinary: shell/tokens.css."""
REFUSED = {
    "data": None,
    "errors": [{"message": "", "extensions": {"code": "consultations.closed"}}],
}
_PAST = f"""
INSERT INTO consultation_case (id, service, state, member_account_id, topic, urgency,
    consent_version, consented_at, client_key, requested_at, closed_at, closed_by)
SELECT gen_random_uuid(), 'counselling', 'closed', $1, 'family', 'ordinary', 1, now(),
    gen_random_uuid(), now() - n * interval '1 minute', now(), 'member'
FROM generate_series(1, {ROWS}) n"""


@dataclass(slots=True)
class Relay:
    """The live connection of a page, and under which id it follows what."""

    near: WebSocketRoute
    ids: dict[str, str] = field(default_factory=dict)
    passed: list[str] = field(default_factory=list)
    """What the server said."""

    async def has_passed(self, text: str) -> None:
        """The page has been told this, or a TimeoutError."""

        async def is_there() -> bool:
            return any(text in frame for frame in self.passed)

        await until(is_there)

    def cut_off(self, conversation: str) -> None:
        """As the server does when the right to a conversation is lost.

        No verb takes a member's own conversation away today; a page that can do without the
        promise that none ever will is the safer one.
        """
        error = {"message": "", "extensions": {"code": "RT_FORBIDDEN"}}
        told = {"id": self.ids[conversation], "type": "error", "payload": [error]}
        self.near.send(json.dumps(told))


async def relayed(page: Page) -> list[Relay]:
    """Each connection that the page opens from now on; everything passes."""
    relays: list[Relay] = []

    def open_(near: WebSocketRoute) -> None:
        relay, far = Relay(near), near.connect_to_server()
        relays.append(relay)

        def pass_on(frame: str | bytes) -> None:
            said = json.loads(frame)
            if said["type"] == "subscribe":
                followed = said["payload"].get("variables") or {}
                relay.ids[str(followed.get("id"))] = said["id"]
            far.send(frame)

        def pass_back(frame: str | bytes) -> None:
            near.send(frame)
            relay.passed.append(frame if isinstance(frame, str) else frame.decode())

        near.on_message(pass_on)
        far.on_message(pass_back)

    await page.route_web_socket("**/graphql", open_)
    return relays


async def with_a_long_past(hall: Hall, account: NewAccount) -> None:
    connection = await asyncpg.connect(hall.database_url)
    try:
        await connection.execute(_PAST, account.id)
    finally:
        await connection.close()


async def in_large_type(person: Screen, account: NewAccount) -> None:
    """Signed in, with every word larger than before."""
    await person.open("/sign-in")
    large = person.page.get_by_role("button", name="大字模式")
    await expect(large).to_have_attribute("aria-pressed", "false")
    words = person.page.locator("h1, label, .sign-in button")
    sizes = "all => all.map((one) => parseFloat(getComputedStyle(one).fontSize))"
    before = await words.evaluate_all(sizes)
    await large.click()

    async def is_larger() -> bool:
        return bool(await words.evaluate_all(sizes) == [size * LARGER for size in before])

    assert before
    await until(is_larger)  # styles change over a frame
    await person.sign_in(account.phone or "", PASSWORD)


async def assert_fits(person: Screen) -> None:
    """Nothing is wider than a phone, and axe finds nothing."""
    assert await person.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    wide = """all => all.filter((one) => one.scrollWidth > one.clientWidth + 1 &&
        getComputedStyle(one).overflowX === "auto").map((one) => one.className)"""
    assert await person.page.locator("main, main *, dialog *").evaluate_all(wide) == []
    await person.assert_accessible()


async def test_large_type_fits_a_phone_on_every_page_empty_or_ten_thousand_rows_long(
    hall: Hall, chrome: Browser
) -> None:
    account, counsellor = await hall.a_member(), await hall.a_counsellor()
    async with screen(chrome, hall.url) as person:
        page, asked = person.page, Asked(person)
        await in_large_type(person, account)
        await expect(page.get_by_text("现在没有进行中的求助。")).to_be_visible()
        await assert_fits(person)
        await page.get_by_role("link", name="以往的求助").click()
        await expect(page.get_by_text("还没有以往的求助。")).to_be_visible()
        await assert_fits(person)
        await page.get_by_role("link", name="返回").click()
        await page.get_by_role("link", name="咨询师与律师").click()
        await page.get_by_role("link", name="周老师").first.click()
        await page.get_by_role("link", name="向周老师求助").click()
        await expect(page.get_by_text("指定的心理咨询师")).to_be_visible()
        await page.get_by_role("button", name="阅读知情同意书全文").click()
        await expect(page.get_by_role("dialog").get_by_text("保密及其限度")).to_be_visible()
        await assert_fits(person)
        await page.keyboard.press("Escape")
        await page.get_by_role("link", name="返回").click()
        conversation = await counsellor.accept(await ask(page))
        await counsellor.say(conversation, "您好，我在听")
        await page.get_by_role("button", name="谁能看到").click()
        await expect(page.get_by_role("dialog")).to_contain_text("周老师，")
        await assert_fits(person)
        await page.keyboard.press("Escape")
        await page.get_by_role("link", name="返回").click()
        await page.get_by_role("link", name="我的").click()
        await page.get_by_role("button", name="退出所有设备").click()
        await assert_fits(person)
        await page.keyboard.press("Escape")

        await with_a_long_past(hall, account)
        asked.after.clear()
        await page.get_by_role("link", name="首页").click()
        await page.get_by_role("link", name="以往的求助").click()
        await asked.assert_paged("以往的求助", 30)
        await assert_fits(person)


async def test_counts_and_marks_are_true_until_the_right_is_lost(
    hall: Hall, chrome: Browser
) -> None:
    account, counsellor = await hall.a_member(), await hall.a_counsellor()
    async with screen(chrome, hall.url) as person:
        page = person.page
        relays = await relayed(page)
        conversation = await in_talk(person, account, counsellor)
        await count_while_read(page, relays[-1], counsellor, conversation)

        await page.get_by_role("link", name="周老师").click()
        await page.route("**/graphql", refuse)
        for text in ("拒绝的一句", "拒绝的又一句"):
            await say(page, text)
        await expect(page.locator("[data-mark=refused]")).to_have_count(2)
        alert = page.get_by_role("alert").filter(has_text="重新发送").first
        await expect(alert).to_contain_text("咨询已结束，会员可以重新开始。")
        await person.assert_accessible()
        await page.unroute("**/graphql", refuse)
        await page.get_by_role("button", name="重新发送").first.click()
        await expect(page.locator("[data-mark=sent]")).to_have_count(1)
        await page.get_by_role("button", name="删除").click()
        await expect(page.locator("[data-mark=refused]")).to_have_count(0)
        await counsellor.ask(
            """mutation ($id: ID!) {
                markMessagesDelivered(input: {conversationId: $id, seq: 3}) { conversation { id } }
            }""",
            id=conversation,
        )
        await expect(page.locator("[data-mark=delivered]")).to_have_count(1)
        assert await counsellor.texts(conversation) == ["您好", "我在听", "拒绝的一句"]

        await page.get_by_label("写消息").fill("写到一半")
        relays[-1].cut_off(conversation)
        lost = page.get_by_text("这里的内容您已不能查看")
        await expect(lost).to_be_visible(timeout=WITHIN_MS)
        content = await page.content()
        assert not any(text in content for text in ("我在听", "拒绝的一句", "写到一半"))
        await person.assert_accessible()


async def count_while_read(page: Page, relay: Relay, counsellor: Caller, conversation: str) -> None:
    """What is told while the start page is read anew is newer than what is read."""
    fetched = asyncio.Event()

    async def late(route: Route) -> None:
        answer = await route.fetch()
        fetched.set()
        await relay.has_passed('"unreadCount":2')
        await route.fulfill(response=answer)

    await page.get_by_role("link", name="返回").click()
    case = page.get_by_role("link", name="周老师")
    await expect(case).to_be_visible()
    await page.route("**/graphql", late, times=1)
    await counsellor.say(conversation, "您好")  # the first that waits: the page reads anew
    await fetched.wait()
    await counsellor.say(conversation, "我在听")  # only the count is told
    await expect(case).to_contain_text("2 条新消息")


async def refuse(route: Route) -> None:
    """What is said is refused; everything else goes through."""
    if "拒绝" in (route.request.post_data or ""):
        await route.fulfill(json=REFUSED)
    else:
        await route.fallback()
