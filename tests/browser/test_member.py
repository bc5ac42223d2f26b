"""The member's room (会员): asking, talking, through tunnels and restarts, and leaving no trace."""

from __future__ import annotations

from uuid import UUID

import asyncpg
from playwright.async_api import Browser, Page, Request, ViewportSize, expect

from domain.access.service import NewAccount
from domain.consultations.models import Service
from domain.consultations.sealing import bound_to, conversation_key
from domain.kernel.ids import new_id
from schema.nodes import split_global_id
from tests.browser.conftest import Caller, Hall
from tests.browser.taking import assert_taken
from tests.support.access import PASSWORD
from tests.support.browser import PHONE, Screen, screen

EARLIER = 10_000
READ_UPWARDS = 105
"""More than two pages of the log."""
ROWS_IN_DOM_MAX = 60
KEYBOARD_SHOWN: ViewportSize = {"width": PHONE["width"], "height": 420}
"""What a phone's keyboard leaves of a page."""
WITHIN_MS = 1_000
"""What is no longer one's own to see is gone from the page by then."""
NEW_START_MS_MAX = 3_000
"""Why it went is said by a page that begins anew, with an empty memory: half a second, mostly."""


async def at_home(person: Screen, account: NewAccount) -> None:
    await person.sign_in(account.phone or "", PASSWORD)
    await expect(person.page.get_by_role("heading", name="我要求助")).to_be_visible()


async def in_talk(person: Screen, account: NewAccount, counsellor: Caller) -> str:
    """The member has asked and the counsellor has taken it; the conversation."""
    await at_home(person, account)
    conversation = await counsellor.accept(await ask(person.page))
    await expect(person.page.get_by_label("写消息")).to_be_visible()
    return conversation


async def ask(page: Page) -> str:
    """The case that waits now."""
    await page.get_by_role("link", name="心理咨询").click()
    await page.get_by_label("工作压力").check()
    await page.get_by_label("我已阅读并同意知情同意书").check()
    asking = page.get_by_role("button", name="提出求助")
    await assert_taken(page, asking.click, ".ask .van-button--loading")
    await expect(page.get_by_text("已提出求助，正在等候")).to_be_visible()
    return page.url.rsplit("/", 1)[1]


async def say(page: Page, text: str) -> None:
    await page.get_by_label("写消息").fill(text)
    await page.get_by_role("button", name="发送", exact=True).click()


async def shown(page: Page) -> list[str]:
    """The messages on the screen, without who said them."""
    texts = await page.locator(".talk-text").all_inner_texts()
    return [text.split(":", 1)[1].strip() for text in texts]


async def test_a_member_asks_talks_closes_and_starts_again(hall: Hall, chrome: Browser) -> None:
    account, counsellor = await hall.a_member(), await hall.a_counsellor()
    async with screen(chrome, hall.url) as person:
        page = person.page
        await at_home(person, account)
        await person.assert_accessible()
        await page.get_by_role("link", name="心理咨询").click()
        await page.get_by_role("button", name="提出求助").click()
        await expect(page.get_by_role("alert")).to_have_text("请选择想谈的内容。")
        await person.assert_accessible()
        await page.get_by_role("link", name="返回").click()
        case = await ask(page)
        await person.assert_accessible()

        conversation = await counsellor.accept(case)
        await page.get_by_placeholder("想说什么都可以").fill("最近工作压力很大")
        sending = page.get_by_role("button", name="发送")
        await assert_taken(page, sending.click, "[data-mark=sending]")
        await expect(page.locator("[data-mark=sent]")).to_be_visible()
        await counsellor.ask(
            "mutation ($id: ID!) { signalTyping(input: {conversationId: $id}) { isPassedOn } }",
            id=conversation,
        )
        await expect(page.get_by_text("对方正在输入…")).to_be_visible()
        await counsellor.say(conversation, "您好，我在听")
        await counsellor.ask(
            """mutation ($id: ID!) {
                markMessagesRead(input: {conversationId: $id, seq: 1}) { conversation { id } } }""",
            id=conversation,
        )
        await expect(page.locator("[data-mark=read]")).to_be_visible()
        assert await shown(page) == ["最近工作压力很大", "您好，我在听"]
        await person.assert_accessible()
        await counsellor.until_read(conversation, 2)

        await page.get_by_role("button", name="结束咨询").click()
        ending = page.get_by_role("dialog").get_by_role("button", name="结束咨询")
        await assert_taken(page, ending.click, "dialog .van-button--loading")
        again = page.get_by_role("button", name="重新开始")
        await assert_taken(page, again.click, ".case-closed .van-button--loading")
        await expect(page.get_by_label("写消息")).to_be_visible()
        await counsellor.ask(
            "mutation ($id: ID!) { closeCase(input: {caseId: $id}) { case { id } } }", id=case
        )
        await expect(page.get_by_text("本次咨询已结束。")).to_be_visible()


async def test_the_directory_tells_live_who_is_there(hall: Hall, chrome: Browser) -> None:
    account, counsellor = await hall.a_member(), await hall.a_counsellor("名录里的老师")
    away = await hall.a_counsellor("一位不在的老师")
    await away.ask("mutation { setWindowState(input: {state: AWAY}) { window { capacity } } }")
    async with screen(chrome, hall.url) as person:
        await at_home(person, account)
        await person.page.get_by_role("link", name="咨询师与律师").click()
        window = person.page.get_by_role("link", name="名录里的老师")
        await expect(window).to_contain_text("在岗")
        await person.assert_accessible()
        await counsellor.ask(
            "mutation { setWindowState(input: {state: BUSY}) { window { capacity } } }"
        )
        await expect(window).to_contain_text("忙碌")

        names = await person.page.locator(".person strong").all_inner_texts()
        assert names.index("名录里的老师") < names.index("一位不在的老师")
        await window.click()
        await expect(person.page.get_by_role("link", name="向名录里的老师求助")).to_be_visible()
        await person.assert_accessible()


async def test_a_tunnel_and_a_restart_lose_and_double_nothing(hall: Hall, chrome: Browser) -> None:
    account, counsellor = await hall.a_member(), await hall.a_counsellor()
    async with screen(chrome, hall.url) as person:
        page = person.page
        conversation = await in_talk(person, account, counsellor)
        await say(page, "我想说")
        await expect(page.locator("[data-mark=sent]")).to_have_count(1)

        await hall.tunnel.cut()
        await say(page, "在隧道里说的")
        await say(page, "还有一句")
        await expect(page.locator("[data-mark=waiting]")).to_have_count(2)
        await expect(page.get_by_text("网络已断开，恢复后会自动继续。")).to_be_visible()
        for text in ("慢慢说", "不着急"):
            await counsellor.say(conversation, text)
        await hall.restart()
        await hall.tunnel.open()
        await page.evaluate("dispatchEvent(new Event('online'))")  # as the system tells browsers

        await expect(page.locator("[data-mark=sent]")).to_have_count(3)
        await expect(page.locator(".talk-text", has_text="不着急")).to_be_visible()
        said = ["我想说", "慢慢说", "不着急", "在隧道里说的", "还有一句"]
        assert await counsellor.texts(conversation) == said
        assert await shown(page) == said
        await expect(page.get_by_text("网络已断开")).to_have_count(0)


async def test_of_ten_thousand_messages_the_newest_come_and_the_rest_without_a_hole(
    hall: Hall, chrome: Browser
) -> None:
    account, counsellor = await hall.a_member(), await hall.a_counsellor()
    async with screen(chrome, hall.url) as person:
        page, earlier = person.page, list[str]()

        def hear(request: Request) -> None:
            variables = (
                (request.post_data_json or {}).get("variables") if request.post_data else None
            )
            if variables and variables.get("before"):
                earlier.append(variables["before"])

        page.on("request", hear)
        conversation = await in_talk(person, account, counsellor)
        await page.get_by_role("link", name="返回").click()
        await say_much(hall, conversation)
        await counsellor.say(conversation, f"第 {EARLIER} 句")
        await expect(page.get_by_text("99+ 条新消息")).to_be_visible()
        await page.get_by_role("link", name="周老师").click()
        newest = page.locator(".talk-text", has_text=f"第 {EARLIER} 句")
        await expect(newest).to_be_in_viewport()
        await page.set_viewport_size(KEYBOARD_SHOWN)
        await expect(newest).to_be_in_viewport(ratio=1)
        await page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
        assert earlier == []

        seen: list[str] = []
        log = page.get_by_role("region", name="谈话内容")
        while len(seen) < READ_UPWARDS:
            seen += [text for text in await shown(page) if text not in seen]
            assert await page.locator(".talk-text").count() < ROWS_IN_DOM_MAX
            await log.evaluate("log => log.scrollBy(0, -log.clientHeight / 2)")
            await page.wait_for_timeout(20)
        numbers = sorted((int(text.split()[1]) for text in seen), reverse=True)
        assert numbers == list(range(EARLIER, EARLIER - len(seen), -1))
        assert 2 <= len(earlier) == len(set(earlier)) < READ_UPWARDS // 10


async def say_much(hall: Hall, conversation: str) -> None:
    """The counsellor has said all but the last of the sentences, before anybody looks."""
    _, id_ = split_global_id(conversation)
    key = await conversation_key(Service.COUNSELLING, id_)
    async with asyncpg.create_pool(hall.database_url, min_size=1, max_size=1) as pool:
        who = "SELECT consultant_account_id FROM consultation_conversation WHERE id = $1"
        sender: UUID = await pool.fetchval(who, id_)
        rows = []
        for seq in range(1, EARLIER):
            row, client_key = new_id(), new_id()
            bound = bound_to(id_, seq, sender, client_key)
            rows.append((row, seq, client_key, key.seal(f"第 {seq} 句", row_id=row, **bound)))
        rows_, seqs, keys, bodies = (list(column) for column in zip(*rows, strict=True))
        await pool.execute(
            "INSERT INTO consultation_message (id, conversation_id, seq, sender_account_id, role,"
            " client_key, body, sent_at) SELECT id, $1, seq, $2, 'consultant', client, body, now()"
            " FROM unnest($3::uuid[], $4::bigint[], $5::uuid[], $6::bytea[])"
            " AS m(id, seq, client, body)",
            *(id_, sender, rows_, seqs, keys, bodies),
        )
        top = "UPDATE consultation_conversation SET top_seq = $2 WHERE id = $1"
        await pool.execute(top, id_, EARLIER - 1)


async def test_signing_out_leaves_nothing_in_the_browser(hall: Hall, chrome: Browser) -> None:
    account, counsellor = await hall.a_member(), await hall.a_counsellor()
    async with screen(chrome, hall.url) as person:
        page = person.page
        await in_talk(person, account, counsellor)
        await say(page, "只有我们知道")
        await expect(page.locator("[data-mark=sent]")).to_be_visible()
        other_tab = await person.context.new_page()
        await other_tab.goto(page.url)
        await expect(other_tab.get_by_text("只有我们知道")).to_be_visible()

        await page.get_by_role("link", name="返回").click()
        await page.get_by_role("link", name="我的").click()
        leaving = page.get_by_role("button", name="退出登录")
        await assert_taken(page, leaving.click, ".sign-out .van-button--loading")
        await expect(page.get_by_text("这台设备上没有留下您的内容")).to_be_visible()
        await expect(other_tab.get_by_role("button", name="登录")).to_be_visible()
        left = await page.evaluate(
            """async () => ({
                local: Object.keys(localStorage),
                session: Object.keys(sessionStorage),
                databases: (await indexedDB.databases()).map((each) => each.name),
                cached: (await Promise.all((await caches.keys()).map(async (name) =>
                    (await (await caches.open(name)).keys()).map((one) => new URL(one.url).pathname)
                ))).flat().filter((path) => path !== "/" && !path.startsWith("/assets/")),
            })"""
        )
        assert left == {
            "local": ["unionhall.preferences"],
            "session": [],
            "databases": [],
            "cached": [],
        }
        assert await person.context.cookies() == []
        await page.go_back()
        await expect(page.get_by_role("button", name="登录")).to_be_visible()
        assert "只有我们知道" not in await page.content()


async def test_a_session_that_ends_elsewhere_clears_the_page(hall: Hall, chrome: Browser) -> None:
    account, counsellor = await hall.a_member(), await hall.a_counsellor()
    async with screen(chrome, hall.url) as person:
        page = person.page
        await in_talk(person, account, counsellor)
        await say(page, "只有我们知道")
        await expect(page.locator("[data-mark=sent]")).to_be_visible()

        elsewhere = await hall.caller(account)
        await elsewhere.ask("mutation { signOutEverywhere { endedCount } }")

        await expect(page.get_by_text("只有我们知道")).to_be_hidden(timeout=WITHIN_MS)
        ended = page.get_by_text("您的登录已结束，请重新登录。")
        await expect(ended).to_be_visible(timeout=NEW_START_MS_MAX)
        assert "只有我们知道" not in await page.content()
        assert await page.evaluate("indexedDB.databases().then((all) => all.length)") == 0
