"""The consultant's window (咨询窗口): the queue, several talks at once, other eyes, hand-overs."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Locator, Page, Route, expect

from domain.access.roles import Role
from domain.access.service import NewAccount
from domain.kernel.ids import new_id
from tests.browser.conftest import Caller, Hall
from tests.browser.taking import assert_taken
from tests.support.access import PASSWORD
from tests.support.browser import DESK, Screen, screen

WITHIN_MS = 1_000
"""A right that is lost is gone from the page by then."""
TABS_MAX = 8
"""From where one stands to what one wants: more would be a walk."""
COUNT_TONES = """() => {
    let tones = 0;
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...when) {
        document.documentElement.dataset.tones = String((tones += 1));
        start.apply(this, when);
    };
}"""


async def asks(hall: Hall, topic: str = "WORK_STRESS", **more: str) -> Caller:
    """A member who waits."""
    member = await hall.caller(await hall.a_member())
    await asks_as(member, topic, **more)
    return member


async def asks_as(member: Caller, topic: str = "WORK_STRESS", **more: str) -> None:
    await member.ask(
        """mutation ($topic: ConsultationTopic!, $to: ID, $key: UUID!) { requestConsultation(
            input: {service: COUNSELLING, topic: $topic, addressedTo: $to, consentVersion: 1,
                clientKey: $key}) { case { id } } }""",
        topic=topic,
        key=str(new_id()),
        **more,
    )


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


def shown(page: Page, text: str) -> Locator:
    return page.locator(".talk-text", has_text=text)


async def tab_to(page: Page, wanted: Locator, key: str = "Tab") -> None:
    """With nothing but the keyboard, and not round the whole page."""
    for _ in range(TABS_MAX):
        await page.keyboard.press(key)
        if await wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(wanted)


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

        await assert_taken(page, lambda: page.keyboard.press("F2"), ".cw-queue .is-loading")
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
        await expect(page.locator("[data-mark=sent]")).to_have_count(2)
        await page.keyboard.insert_text("请讲")
        await assert_taken(page, lambda: page.keyboard.press("Enter"), "[data-mark=sending]")
        await expect(page.locator("[data-mark=sent]")).to_have_count(3)

        await hall.tunnel.cut()
        await type_in(page, "不急")
        await expect(page.locator("[data-mark=waiting]")).to_have_count(1)
        await page.get_by_role("button", name="设置").click()
        await page.get_by_role("button", name="退出登录").click()
        await expect(page.get_by_text("还有 1 条消息没有发出，退出后会被删除。")).to_be_visible()
        for _ in range(2):
            await page.keyboard.press("Escape")
        await page.keyboard.press("F8")
        ending = column(page, "婚姻家庭").get_by_role("button", name="结束", exact=True)
        await tab_to(page, ending, "Shift+Tab")
        await page.keyboard.press("Enter")
        sure = page.get_by_role("dialog").get_by_role("button", name="结束咨询")
        await tab_to(page, sure)
        await assert_taken(page, lambda: page.keyboard.press("Enter"), "dialog .is-loading")
        await expect(page.get_by_role("alert")).to_have_text("网络已断开，请稍后再试。")
        await expect(sure).to_be_focused()
        await expect(page.get_by_text("网络已断开，恢复后会自动继续。")).to_be_visible()
        await hall.reconnect(page)
        await expect(page.locator("[data-mark=sent]")).to_have_count(4)
        said = ["您好，我在听。可以吗?", "请讲", "不急"]
        assert await first.texts(await conversation_of(first)) == said
        assert await second.texts(await conversation_of(second)) == ["您慢慢说"]
        await expect(page.get_by_text("您的窗口已满（2 个）")).to_be_visible()
        await expect(page.get_by_role("button", name="接案：亲子教育")).to_be_disabled()
        await person.assert_accessible()

        await page.keyboard.press("Enter")
        await expect(page.get_by_text("本次咨询已结束，会员可以重新开始。")).to_be_visible()
        await expect(column(page, "婚姻家庭")).to_be_focused()
        await page.keyboard.press("Shift+F2")
        await tab_to(page, page.get_by_role("button", name="接案：亲子教育"))
        await assert_taken(page, lambda: page.keyboard.press("Enter"), ".cw-entry.is-taking")
        await expect(column(page, "亲子教育")).to_be_visible()
        assert await conversation_of(third)

        await page.reload()
        await expect(page.locator(".cw-running .cw-row")).to_have_count(2)
        await page.get_by_role("link", name="个案").click()
        await page.get_by_role("button", name="已结束").click()
        await expect(page.locator(".cw-case")).to_have_count(1)
        await person.assert_accessible()
        await page.get_by_role("button", name="婚姻家庭").click()
        await expect(column(page, "婚姻家庭").get_by_text("您慢慢说")).to_be_visible()

        await page.get_by_role("button", name="设置").click()
        await page.get_by_role("button", name="退出登录").click()
        await expect(page.get_by_text("这台设备上没有留下您的内容")).to_be_visible()
        assert await page.evaluate("Object.keys(localStorage)") == ["unionhall.preferences"]
        assert await page.evaluate("indexedDB.databases().then((all) => all.length)") == 0
        assert await person.context.cookies() == []


async def test_somebody_was_quicker(hall: Hall, chrome: Browser) -> None:
    account, other = await hall.a_window(), await hall.a_counsellor("吴老师")
    await asks(hall)
    async with at_desk(hall, chrome, account) as person:
        page = person.page

        taken: list[object] = []

        async def late(route: Route) -> None:
            if '"caseId":' in (route.request.post_data or "") and not taken:
                taken.append(await other.take_next())
            await route.continue_()

        await page.route("**/graphql", late)
        await page.get_by_role("button", name="接案：工作压力").click()
        await expect(page.get_by_role("alert")).to_have_text("该求助已被接走或撤回。")
        await expect(page.locator(".cw-entry")).to_have_count(0)
        await expect(page.get_by_text("现在没有人等候。")).to_be_visible()
        await page.unroute("**/graphql")

        await asks(hall, to=await window_of(hall, account))
        await page.get_by_role("button", name="转入候询").click()
        await expect(page.get_by_text("指定您")).to_have_count(0)
        await page.get_by_role("button", name="接案：工作压力").click()
        await expect(column(page, "工作压力")).to_be_visible()

        busy = page.get_by_role("button", name="忙碌")
        await assert_taken(page, busy.click, "[data-state=BUSY][aria-pressed=true]")
        await page.get_by_role("button", name="设置").click()
        fewer = page.get_by_role("button", name="减少一个")
        await assert_taken(page, fewer.dblclick, ".cw-setting[aria-busy=true]")
        await expect(page.get_by_role("status").get_by_text("7")).to_be_visible()
        await person.assert_accessible()
        mine = await hall.caller(account)
        window = (await mine.ask("{ myWindow { capacity consultant { state } } }"))["myWindow"]
        assert window == {"capacity": 7, "consultant": {"state": "BUSY"}}

        await mine.ask("mutation { signOutEverywhere { endedCount } }")
        await page.wait_for_url("**/sign-in")
        await expect(page.get_by_text("您的登录已结束")).to_be_visible()
        assert "工作压力" not in await page.content()


async def window_of(hall: Hall, account: NewAccount) -> str:
    data = await (await hall.caller(account)).ask("{ viewer { consultantId } }")
    found: str = data["viewer"]["consultantId"]
    return found


async def test_two_idle_minutes_cover_everything_until_a_key(hall: Hall, chrome: Browser) -> None:
    account = await hall.a_window()
    member = await asks(hall)
    async with at_desk(hall, chrome, account) as person:
        page = person.page
        await page.clock.install()
        await page.reload()
        await page.get_by_role("button", name="接案：工作压力").click()
        await type_in(page, "只有我们知道")
        conversation = await conversation_of(member)
        await expect(page).to_have_title("职工之家")

        await page.clock.fast_forward("02:00")
        cover = page.get_by_role("dialog")
        await expect(cover).to_contain_text("两分钟没有操作，屏幕已遮住")
        await expect(page.get_by_text("只有我们知道")).to_have_count(1)
        await expect(page.locator(".cw[inert]")).to_have_count(1)  # out of everybody's reach
        await expect(page.locator("dialog:modal")).to_have_count(1)
        await expect(page.locator(".cw")).to_have_css("filter", "blur(24px)")
        await person.assert_accessible()

        tones = page.locator("html")
        posted: list[str] = []
        page.on("request", lambda r: posted.extend([r.post_data] if r.post_data else []))
        seq = await member.say(conversation, "我在")
        await expect(page).to_have_title("(1) 职工之家")
        await expect(tones).to_have_attribute("data-tones", "2")
        await asks(hall, "FAMILY")
        await expect(page).to_have_title("(2) 职工之家")
        read = await member.ask(
            "query ($id: ID!) { conversation(id: $id) { otherReadSeq } }", id=conversation
        )
        assert read["conversation"]["otherReadSeq"] < seq
        # What the page does meanwhile keeps no session alive.
        assert posted
        assert [body for body in posted if '"attended":false' not in body] == []
        posted.clear()

        await page.keyboard.press("F2")
        await expect(cover).to_have_count(0)
        await member.until_read(conversation, seq)
        assert posted
        assert not any("attended" in body for body in posted)
        await expect(page).to_have_title("职工之家")
        await expect(page.locator(".cw-entry")).to_have_count(1)  # the key did nothing else

        await page.get_by_role("button", name="设置").click()
        await page.get_by_label("有新求助或新消息时响一声").uncheck()
        await page.clock.fast_forward("02:00")
        await page.mouse.click(5, 5)
        await page.keyboard.press("Escape")
        await asks(hall, "PARENTING")
        await expect(page.locator(".cw-entry")).to_have_count(2)
        await expect(tones).to_have_attribute("data-tones", "4")
        for _ in range(2):
            await page.keyboard.press("F2")
            await expect(page.locator("textarea:focus")).to_have_count(1)
        await expect(page.locator(".cw-entry")).to_have_count(0)


async def test_a_hand_over_cuts_off_the_old_page_and_opens_the_new(
    hall: Hall, chrome: Browser
) -> None:
    old, new = await hall.a_window("郑老师"), await hall.a_window("冯老师")
    account = await hall.a_member()
    member = await hall.caller(account)
    await asks_as(member, to=await window_of(hall, old))
    async with (
        at_desk(hall, chrome, old) as before,
        at_desk(hall, chrome, new) as after,
        screen(chrome, hall.url) as phone,
    ):
        await before.page.locator(".cw-entry", has_text="指定您").get_by_text("接案").click()
        await type_in(before.page, "以前说的")
        await before.page.get_by_role("button", name="转介").click()
        await before.page.get_by_label("冯老师").check()
        await before.assert_accessible()
        await before.page.get_by_role("button", name="请会员决定").click()
        await expect(before.page.get_by_text("已请会员决定是否转给冯老师")).to_be_visible()
        await before.page.get_by_role("button", name="收回").click()
        await expect(before.page.get_by_text("已请会员决定是否转给冯老师")).to_have_count(0)
        await hand_over(before.page, "冯老师")

        await phone.sign_in(account.phone or "", PASSWORD)
        await phone.page.get_by_role("link", name="郑老师").click()
        await phone.page.get_by_role("button", name="同意转介").click()
        lost = before.page.get_by_text("这里的内容您已不能查看")
        await expect(phone.page.get_by_text("已转介。")).to_be_visible()
        await expect(lost).to_be_visible(timeout=WITHIN_MS)
        assert "以前说的" not in await before.page.content()
        await expect(before.page.locator("textarea")).to_have_count(0)
        await before.assert_accessible()

        await after.page.get_by_role("button", name="工作压力").click()
        await type_in(after.page, "我接着听")
        await expect(shown(phone.page, "我接着听")).to_be_visible()
        assert "以前说的" not in await after.page.content()

        await hand_over(after.page, "郑老师")
        await agree(member)
        gone = after.page.get_by_text("这里的内容您已不能查看")
        await expect(gone).to_be_visible(timeout=WITHIN_MS)
        assert "我接着听" not in await after.page.content()
        await before.page.get_by_role("button", name="关闭这一栏").first.click()
        await before.page.get_by_role("button", name="工作压力").click()
        await expect(shown(before.page, "我接着听")).to_be_visible()
        await expect(shown(before.page, "以前说的")).to_be_visible()


async def hand_over(page: Page, to: str) -> None:
    await page.get_by_role("button", name="转介").click()
    await page.get_by_label(to).check()
    asking = page.get_by_role("button", name="请会员决定")
    await assert_taken(page, asking.click, "dialog .is-loading")
    await expect(page.get_by_text(f"已请会员决定是否转给{to}")).to_be_visible()


async def agree(member: Caller) -> None:
    """To the last one, and to showing the past."""
    data = await member.ask("""{ myCases(first: 1) { edges { node { handovers(last: 1) {
        edges { node { id } } } } } } }""")
    asked = data["myCases"]["edges"][0]["node"]["handovers"]["edges"][0]["node"]["id"]
    await member.ask(
        """mutation ($id: ID!) { consentToHandover(
            input: {handoverId: $id, sharesPast: true}) { case { id } } }""",
        id=asked,
    )


async def test_a_right_that_is_lost_empties_the_desk(hall: Hall, chrome: Browser) -> None:
    account = await hall.a_window()
    await asks(hall)
    async with at_desk(hall, chrome, account) as person:
        page = person.page
        await page.keyboard.press("F2")
        await type_in(page, "只有我们知道")
        await expect(page.locator("[data-mark=sent]")).to_be_visible()

        mine = await hall.caller(account)
        await mine.lay_down(Role.COUNSELLOR)
        lost = page.get_by_text("这里的内容您已不能查看")
        await expect(lost).to_be_visible(timeout=WITHIN_MS)
        assert "只有我们知道" not in await page.content()
        await expect(page).to_have_title("职工之家")
        await person.assert_accessible()
