"""The cadre's desk (干部工作台) and an officer's inbox: publish, watch the board fill, confirm."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime, timedelta

from playwright.async_api import Browser, Page, Route, expect

from domain.access.models import AccountKind
from domain.access.roles import Role
from domain.access.service import NewAccount
from domain.kernel.ids import new_id
from domain.org.models import Level, Post, Seat
from domain.org.rules import federation_day
from domain.org.service import end_seat
from domain.vault import service as vault
from domain.vault.passwords import Profile
from schema.nodes import global_id
from tests.browser.conftest import Caller, Hall
from tests.browser.taking import assert_taken
from tests.support.access import PASSWORD, a_grant, an_account
from tests.support.browser import DESK, PHONE, Screen, screen
from tests.support.matrix import Spot, a_union
from tests.support.org import an_actor

CHAIRS = 20
LOST_MS_MAX = 2_000
"""A seat that ends is known within a second; the rest is a crowded machine's."""
TITLE = "关于做好高温慰问的通知"
BODY = "请于**周五**前：\n\n1. 慰问一线职工\n2. <script>alert(1)</script>[坏](javascript:alert(1))"


@dataclass(frozen=True, slots=True)
class Chair:
    """Somebody with a seat in a union of the zone."""

    account: NewAccount
    union: Spot
    seat: Seat


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone whose cadre may publish to its chairs."""

    cadre: NewAccount
    of: Spot
    chairs: list[Chair]


async def a_zone(hall: Hall, chairs: int) -> Zone:
    """Everybody has the same password, hashed once."""
    hashed = await vault.hash_password(PASSWORD, profile=Profile.MEMBER)
    zone = await a_union(hall.city, level=Level.ZONE)
    cadre = await an_account(hall.works, kind=AccountKind.STAFF)
    await a_grant(hall.works, cadre.id, Role.ZONE_CADRE, zone)
    return Zone(cadre, zone, [await _a_chair(hall, zone, hashed) for _ in range(chairs)])


async def _a_chair(hall: Hall, zone: Spot, hashed: str) -> Chair:
    union = await a_union(zone)
    account = await an_account(hall.works, password_hash=hashed, password=None)
    today = federation_day(hall.works.clock.now())
    seat = await Seat.create(
        union_id=union.id, account_id=account.id, post=Post.CHAIR, from_on=today
    )
    await a_grant(hall.works, account.id, Role.CHAIR, union)
    return Chair(account, union, seat)


async def published(cadre: Caller, zone: Zone, title: str = TITLE) -> str:
    """A notice to everybody in the zone that asks for a confirmation; its id."""
    data = await cadre.ask(
        """mutation ($of: ID!, $title: String!, $body: String!, $key: UUID!) {
            publishNotice(input: {publisherId: $of, audience: {zoneId: $of}, title: $title,
                body: $body, wantsConfirmation: true, clientKey: $key}) {
                    notice { id } } }""",
        of=global_id("Union", zone.of.id),
        title=title,
        body=BODY,
        key=str(new_id()),
    )
    found: str = data["publishNotice"]["notice"]["id"]
    return found


async def confirm(chair: Caller, union: Spot, notice: str) -> None:
    await chair.ask(
        """mutation ($notice: ID!, $union: ID!) { confirmNotice(input: {
            noticeId: $notice, unionId: $union, versionNo: 1}) { receipt { at } } }""",
        notice=notice,
        union=global_id("Union", union.id),
    )


async def write(page: Page) -> None:
    """Publish to the whole zone, as a cadre would."""
    await page.get_by_role("link", name="发通知", exact=True).first.click()
    await expect(page.locator(".preview-count")).to_have_text(f"{CHAIRS} 家工会")
    await page.get_by_label("标题").fill(TITLE)
    await page.get_by_label("正文", exact=True).fill(BODY)
    reply_by = datetime.now() + timedelta(days=7)  # noqa: DTZ005 - as the browser's own clock says
    await page.get_by_label("回复期限").fill(reply_by.strftime("%Y-%m-%dT17:00"))
    await page.get_by_role("button", name="预览").click()
    await expect(page.locator(".rich strong")).to_have_text("周五")
    await expect(page.locator(".rich :is(script, a)")).to_have_count(0)
    await page.get_by_role("button", name=f"发给 {CHAIRS} 家工会").click()


def figure(page: Page, step: str, count: int, of: int = CHAIRS) -> Awaitable[None]:
    """The board says so."""
    return expect(page.locator(f"[data-step={step}] .count-figure")).to_have_text(
        re.compile(rf"^{count}\s*/ {of}$")
    )


async def test_a_cadre_publishes_to_20_chairs_and_sees_the_board_fill(
    hall: Hall, chrome: Browser
) -> None:
    zone = await a_zone(hall, CHAIRS)
    first, *others = zone.chairs
    callers = await asyncio.gather(*(hall.caller(each.account) for each in others))
    async with (
        screen(chrome, hall.url, size=DESK) as desk,
        screen(chrome, hall.url, size=PHONE) as phone,
    ):
        page = desk.page
        await at_inbox(phone, first)
        await desk.sign_in(zone.cadre.phone or "", PASSWORD)
        await choose_offline(hall, page)
        await write(page)
        await desk.assert_accessible()
        sending = page.get_by_role("dialog").get_by_role("button", name=f"发给 {CHAIRS} 家工会")
        await page.route("**/graphql", lose_the_answer, times=1)
        await sending.click()
        refused = page.get_by_role("dialog").get_by_role("alert")
        await expect(refused).to_have_text("网络已断开，请稍后再试。")
        await assert_taken(page, sending.dblclick, "dialog .is-loading")
        await page.wait_for_url("**/cadre/sent/*")
        await figure(page, "confirmed", 0)
        await expect(page.get_by_text(re.compile(r"^回复期限 \d+月\d+日 17:00$"))).to_be_visible()
        await figure(page, "delivered", 1)  # the phone was open: nobody did anything

        confirming = phone.page.get_by_role("button", name="确认收到")
        await assert_taken(phone.page, confirming.click, ".van-button--loading")
        await expect(phone.page.get_by_text("已确认")).to_be_visible()
        await phone.assert_accessible()
        await figure(page, "confirmed", 1)
        notice = page.url.rsplit("/", 1)[1]
        half = CHAIRS // 2
        await confirm_all(callers[:half], others[:half], notice)
        await figure(page, "confirmed", 1 + half)
        silent = page.get_by_role("region", name="尚未回执").get_by_role("listitem")
        await expect(silent).to_have_count(CHAIRS - 1 - half)
        await desk.assert_accessible()

        await page.get_by_role("button", name=re.compile("^催办")).click()
        await desk.assert_accessible()
        nudging = page.get_by_role("button", name="发出催办")
        await assert_taken(page, nudging.click, "dialog .is-loading")
        await expect(page.get_by_role("button", name=re.compile("^催办"))).to_be_disabled()
        await confirm_all(callers[half:], others[half:], notice)
        await figure(page, "confirmed", CHAIRS)
        await expect(page.get_by_text("全部工会都已回执。")).to_be_visible()
        await expect(page.locator(".parts .is-full")).to_have_count(3)
        listed = await (await hall.caller(zone.cadre)).ask("{ publishedNotices { totalCount } }")
        assert listed["publishedNotices"]["totalCount"] == 1


async def choose_offline(hall: Hall, page: Page) -> None:
    """What is chosen without a network is said to be uncounted, and counted once there is one."""
    await page.get_by_role("link", name="发通知", exact=True).first.click()
    count = page.locator(".preview-count")
    await expect(count).to_have_text(f"{CHAIRS} 家工会")
    await hall.tunnel.cut()
    await page.get_by_label("企业所有制").select_option("国有")
    await expect(count).to_have_text("网络已断开，请稍后再试。")
    await page.get_by_label("标题").fill("没有网络时写的")
    await hall.reconnect(page)
    await expect(count).to_have_text("0 家工会")
    await page.get_by_label("企业所有制").select_option("不限")
    await page.route("**/graphql", break_down, times=1)
    await page.get_by_role("link", name="已发通知").click()
    await expect(page.get_by_role("alert")).to_contain_text("系统出错了，请稍后再试。")
    await page.get_by_role("button", name="重试").click()
    await expect(page.get_by_text("还没有发过通知。")).to_be_visible()
    # Pages are fetched ahead, so some could not be: they have their styles all the same.
    rules = "all => all.map((link) => link.sheet.cssRules.length)"
    assert all(await page.locator("link[rel=stylesheet]").evaluate_all(rules))
    await page.get_by_role("link", name="发通知", exact=True).first.click()
    await expect(page.get_by_label("标题")).to_have_value("没有网络时写的")


async def break_down(route: Route) -> None:
    """The server has an error of its own."""
    await route.fulfill(json={"data": None, "errors": [{"extensions": {"code": "internal"}}]})


async def lose_the_answer(route: Route) -> None:
    """The server does what is asked, and the page never hears of it."""
    await route.fetch()
    await route.abort()


async def confirm_all(callers: list[Caller], chairs: list[Chair], notice: str) -> None:
    await asyncio.gather(
        *(
            confirm(caller, chair.union, notice)
            for caller, chair in zip(callers, chairs, strict=True)
        )
    )


async def at_inbox(person: Screen, chair: Chair) -> None:
    """The chair is a member too, and goes from there to the notices."""
    await person.sign_in(chair.account.phone or "", PASSWORD)
    await person.page.get_by_role("link", name="我的").click()
    await person.page.get_by_role("link", name="通知与回执").click()
    await expect(person.page.get_by_role("heading", name="收件箱")).to_be_visible()
    await expect(person.page.get_by_text("还没有收到通知。")).to_be_visible()


async def test_a_seat_that_ends_clears_the_inbox_of_who_is_looking(
    hall: Hall, chrome: Browser
) -> None:
    zone = await a_zone(hall, 1)
    chair = zone.chairs[0]
    cadre = await hall.caller(zone.cadre)
    async with screen(chrome, hall.url, size=PHONE) as person:
        page = person.page
        await at_inbox(person, chair)
        await published(cadre, zone)
        await page.get_by_role("button", name=TITLE).click()
        await expect(page.locator(".rich strong")).to_have_text("周五")
        await person.assert_accessible()

        async with hall.works.open(an_actor(Role.ZONE_CADRE, zone.of.id, zone.of.place)) as w:
            await end_seat(w, chair.seat.id)
        # That was committed in this process: the server hears of it with the union's next fact.
        await published(cadre, zone, title="之后的通知")

        lost = page.get_by_text("这里的内容您已不能查看")
        await expect(lost).to_be_visible(timeout=LOST_MS_MAX)
        assert TITLE not in await page.content()
        assert "周五" not in await page.content()
        assert "之后的通知" not in await page.content()


async def test_a_correction_and_a_withdrawal_are_seen_at_once_with_their_reason(
    hall: Hall, chrome: Browser
) -> None:
    zone = await a_zone(hall, 1)
    notice = await published(await hall.caller(zone.cadre), zone)
    async with (
        screen(chrome, hall.url, size=DESK) as desk,
        screen(chrome, hall.url, size=PHONE) as phone,
    ):
        await phone.sign_in(zone.chairs[0].account.phone or "", PASSWORD)
        await phone.open("/cadre")
        await phone.page.get_by_role("button", name=TITLE).click()
        page = desk.page
        await desk.sign_in(zone.cadre.phone or "", PASSWORD)
        await desk.open(f"/cadre/sent/{notice}")
        await page.get_by_role("button", name="更正").click()
        await page.get_by_role("button", name="发布更正").click()
        await expect(page.get_by_text("请填写。")).to_be_visible()
        await desk.assert_accessible()
        await page.get_by_label("正文", exact=True).fill("改到周六")
        await page.get_by_label("原因").fill("日期有误")
        await page.get_by_role("button", name="发布更正").click()
        await expect(phone.page.get_by_text("改到周六")).to_be_visible()
        await expect(phone.page.get_by_text("更正：日期有误")).to_be_visible()

        await page.get_by_role("button", name="撤回").click()
        await page.get_by_label("原因").fill("重复发布")
        await page.get_by_role("dialog").get_by_role("button", name="撤回通知").click()
        await expect(phone.page.get_by_text("这条通知已撤回：重复发布")).to_be_visible()
        await expect(phone.page.get_by_role("button", name="确认收到")).to_have_count(0)
        await expect(page.get_by_role("button", name=re.compile("^催办"))).to_have_count(0)

        await (await hall.caller(zone.cadre)).ask("mutation { signOutEverywhere { endedCount } }")
        await page.wait_for_url("**/sign-in")
        await expect(page.get_by_text("您的登录已结束")).to_be_visible()
        assert TITLE not in await page.content()
