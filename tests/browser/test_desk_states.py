"""Both desk rooms at their edges: ten thousand rows, and a duty that ends while somebody looks."""

from __future__ import annotations

import asyncpg
from playwright.async_api import Browser, Request, expect

from domain.access.roles import Role
from domain.access.service import NewAccount
from domain.org.models import Level, Post, Seat
from domain.org.rules import federation_day
from schema.nodes import global_id
from tests.browser.conftest import Hall
from tests.support.access import PASSWORD, a_grant
from tests.support.browser import DESK, Screen, screen
from tests.support.matrix import Spot, a_union

ROWS = 10_000
DOM_ROWS_MAX = 40
"""Of one list: what fits on the screen, and a few beyond both ends."""
WITHIN_MS = 1_000
"""A right that is lost is gone from the page by then."""
NEWEST = f"第{ROWS}号通知"
_NOTICE = "('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid"
_MANY = f"""
SET LOCAL session_replication_role = replica;
CREATE TEMP TABLE given ON COMMIT DROP AS SELECT '{{zone}}'::uuid AS zone, '{{own}}'::uuid AS own,
    '{{account}}'::uuid AS account, '{{path}}' AS path, {_NOTICE} AS notice, n
    FROM generate_series(1, {ROWS}) n;
INSERT INTO org_union (id, seq, name, level, kind, territory_path, legal_person,
    territory_parent_id) SELECT gen_random_uuid(), 2000000 + n, n || '号工会', 'grassroots',
    'single', path || (2000000 + n) || '/', 'none', zone FROM given;
INSERT INTO notice (id, publisher_id, publisher_account_id, client_key, state, current_no,
    wants_confirmation, published_at) SELECT notice, zone, account, gen_random_uuid(), 'published',
    1, true, now() FROM given;
INSERT INTO notice_version (id, notice_id, no, title, body, at, by_account_id)
    SELECT gen_random_uuid(), notice, 1, '第' || n || '号通知', '正文', now(), account FROM given;
INSERT INTO notice_recipient (notice_id, union_id, zone_id) SELECT notice, own, zone FROM given;
INSERT INTO notice_recipient (notice_id, union_id, zone_id) SELECT notice, u.id, zone
    FROM given JOIN org_union u ON u.territory_parent_id = zone AND u.id <> own WHERE n = {ROWS};
INSERT INTO notice_board (notice_id, recipients, delivered, read, confirmed, confirmed_late,
    flushed_at) SELECT notice, {ROWS} + 1, 0, 0, 0, 0, now() FROM given WHERE n = {ROWS};
INSERT INTO consultation_case (id, service, state, member_account_id, consultant_id,
    consultant_account_id, topic, urgency, consent_version, consented_at, client_key, requested_at,
    accepted_at, closed_at, closed_by) SELECT gen_random_uuid(), c.service, 'closed',
    gen_random_uuid(), c.id, account, 'family', 'ordinary', 1, now(), gen_random_uuid(),
    now() - n * interval '1 minute', now(), now(), 'member'
    FROM given JOIN consultation_consultant c ON c.account_id = account;
"""


async def a_desk_with_many(hall: Hall) -> tuple[NewAccount, str]:
    """Somebody with ten thousand of everything; the notice that went to ten thousand unions."""
    account = await hall.a_window()
    zone = await a_union(hall.city, level=Level.ZONE)
    own = await a_union(zone)
    await a_seat(hall, account, own)
    await a_grant(hall.works, account.id, Role.ZONE_CADRE, zone)
    connection = await asyncpg.connect(hall.database_url)
    try:
        async with connection.transaction():
            path = zone.place.territory_path
            await connection.execute(
                _MANY.format(zone=zone.id, own=own.id, account=account.id, path=path)
            )
        newest = await connection.fetchval(f"SELECT {_NOTICE} FROM (VALUES ({ROWS})) AS v (n)")
    finally:
        await connection.close()
    return account, global_id("Notice", newest)


async def a_seat(hall: Hall, account: NewAccount, union: Spot) -> None:
    today = federation_day(hall.works.clock.now())
    await Seat.create(union_id=union.id, account_id=account.id, post=Post.CHAIR, from_on=today)
    await a_grant(hall.works, account.id, Role.CHAIR, union)


class Asked:
    """From where on the page asked for lists: None is a start."""

    def __init__(self, person: Screen) -> None:
        self.person = person
        self.after: list[str | None] = []
        person.page.on("request", self._hear)

    def _hear(self, request: Request) -> None:
        variables = (request.post_data_json or {}).get("variables") if request.post_data else None
        if variables and "after" in variables:
            self.after.append(variables["after"])

    async def assert_paged(self, label: str, page_rows: int) -> None:
        """Only the start was asked for; scrolled on, one page more; only what is seen exists."""
        shown = self.person.page.get_by_role("list", name=label)
        rows = shown.get_by_role("listitem")
        await expect(rows.first).to_be_visible()
        assert set(self.after) == {None}
        assert 0 < await rows.count() <= DOM_ROWS_MAX
        await shown.evaluate("list => list.closest('.scrolls').scrollTo(0, 1e9)")
        await expect(shown.locator(f"[aria-posinset='{page_rows + 1}']")).to_be_attached()
        assert len([each for each in self.after if each is not None]) == 1
        assert await rows.count() <= DOM_ROWS_MAX
        self.after.clear()


async def test_lists_of_ten_thousand_are_virtual_come_page_by_page_and_go_with_the_duty(
    hall: Hall, chrome: Browser
) -> None:
    account, notice = await a_desk_with_many(hall)
    async with screen(chrome, hall.url, size=DESK) as person:
        page, asked = person.page, Asked(person)
        await person.sign_in(account.phone or "", PASSWORD)
        await page.get_by_role("link", name="个案").click()
        await expect(page.get_by_text("这里还没有个案。")).to_be_visible()
        asked.after.clear()
        await page.get_by_role("button", name="已结束").click()
        await asked.assert_paged("个案", 50)

        await page.get_by_role("button", name="设置").click()
        await page.get_by_role("link", name="通知与回执").click()
        await asked.assert_paged("收件箱", 50)
        await page.get_by_role("link", name="已发通知").click()
        await asked.assert_paged("已发通知", 50)
        await person.assert_accessible()

        await page.get_by_role("link", name="发通知", exact=True).first.click()
        await asked.assert_paged("将会收到的工会名单", 100)
        await expect(page.locator(".preview-count")).to_have_text("10,001 家工会")
        await page.get_by_label("指定工会").check()
        await asked.assert_paged("指定工会", 100)

        await person.open(f"/cadre/sent/{notice}")
        await asked.assert_paged("尚未回执", 100)
        await expect(page.locator(".silent-count")).to_have_text("10,001 家")
        await page.locator(".parts tbody button").click()
        await expect(page.get_by_text("只看：")).to_be_visible()
        await asked.assert_paged("尚未回执", 100)
        await the_duty_ends(hall, person, account)


async def the_duty_ends(hall: Hall, person: Screen, account: NewAccount) -> None:
    """The board, the list of what was sent and what is being written are all emptied at once."""
    board = person.page
    sent, writing = await person.context.new_page(), await person.context.new_page()
    await sent.goto(f"{hall.url}/cadre/sent")
    await writing.goto(f"{hall.url}/cadre/new")
    await expect(writing.locator(".preview-count")).to_have_text("10,001 家工会")
    await expect(sent.get_by_text(NEWEST)).to_be_visible()
    await expect(board.get_by_text(NEWEST)).to_be_visible()

    await (await hall.caller(account)).lay_down(Role.ZONE_CADRE)

    for page in (board, sent):
        lost = page.get_by_text("这里的内容您已不能查看")
        await expect(lost).to_be_visible(timeout=WITHIN_MS)
    told = writing.get_by_text("您目前没有可以发布通知的工会。")
    await expect(told).to_be_visible(timeout=WITHIN_MS)
    for page in (board, sent, writing):
        await expect(page.get_by_role("link", name="已发通知")).to_have_count(0)
        content = await page.content()
        assert NEWEST not in content
        assert "号工会" not in content
