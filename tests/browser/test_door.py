"""The door (登录): who comes in, what is said to who does not, and that nothing stays behind."""

from __future__ import annotations

from pathlib import Path

import orjson
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import Hall, until
from tests.browser.taking import assert_taken
from tests.support.browser import APP, built, screen

SHELL_BYTES_MAX = 200_000
"""Compressed, for the phone's first page: a second on a slow mobile network."""


async def test_a_wrong_password_is_said_in_the_language_of_the_page(
    hall: Hall, chrome: Browser
) -> None:
    async with screen(chrome, hall.url) as person:
        await person.open()
        await person.assert_accessible()
        await person.page.fill("input[name=username]", "13800000000")
        await person.page.fill("input[name=password]", "wrong password")
        signing_in = person.page.get_by_role("button", name="登录")
        await assert_taken(person.page, signing_in.click, ".sign-in .van-button--loading")
        await expect(person.page.get_by_role("alert")).to_have_text("账号或密码不正确。")
        await person.page.get_by_role("button", name="English").click()
        await expect(person.page.get_by_role("alert")).to_have_text(
            "Account or password is not right."
        )
        await expect(person.page.locator("html")).to_have_attribute("lang", "en")
        await person.assert_accessible()


async def test_who_is_not_signed_in_comes_to_the_door_and_unknown_paths_are_not_the_app(
    hall: Hall, chrome: Browser
) -> None:
    async with screen(chrome, hall.url) as person:
        answer = await person.page.goto(f"{hall.url}/nowhere")
        assert answer is not None
        assert answer.status == 404
        person.trouble.clear()
        await person.open("/sign-in/deeper")
        await person.page.wait_for_url("**/sign-in")


async def test_the_app_can_be_installed_opens_in_a_tunnel_and_goes_on_by_itself(
    hall: Hall, chrome: Browser
) -> None:
    async with screen(chrome, hall.url) as person:
        page = person.page
        await person.open()
        await expect(page.get_by_role("button", name="登录")).to_be_visible()
        kept = "caches.match(performance.getEntriesByType('resource').map(({ name }) => name)"
        kept += ".find((name) => name.includes('/SignIn-'))).then(Boolean)"
        await until(lambda: page.evaluate(kept))
        await assert_installable(page)

        await hall.tunnel.cut()
        await page.reload()
        await expect(page.get_by_text("当前没有网络")).to_be_visible()
        await hall.tunnel.open()
        await expect(page.get_by_role("button", name="登录")).to_be_visible()


async def assert_installable(page: Page) -> None:
    """By Chromium's own judgement, and with what it does not ask for."""
    chromium = await page.context.new_cdp_session(page)
    errors = (await chromium.send("Page.getInstallabilityErrors"))["installabilityErrors"]
    # A test's browser keeps nothing, so it says besides that it installs nothing there.
    assert [each["errorId"] for each in errors] == ["in-incognito"]
    answer = await chromium.send("Page.getAppManifest")
    assert answer["errors"] == []
    manifest = orjson.loads(answer["data"])
    said = {key: manifest[key] for key in ("lang", "start_url", "scope", "display")}
    assert said == {"lang": "zh-CN", "start_url": "/", "scope": "/", "display": "standalone"}
    icons = {(icon["sizes"], icon.get("purpose", "any")): icon["src"] for icon in manifest["icons"]}
    for side in (192, 512):
        for purpose in ("any", "maskable"):
            path = icons[f"{side}x{side}", purpose]
            load = "async (path) => { const i = new Image(); i.src = path; await i.decode();"
            assert await page.evaluate(load + " return i.naturalWidth }", path) == side


def test_the_shell_is_small_and_holds_no_desk_kit() -> None:
    folder = built()
    shell = orjson.loads((folder / "served.json").read_bytes())["shell"]
    assert sum(_compressed_bytes(folder / name) for name in shell) < SHELL_BYTES_MAX
    assert not any(b"el-button" in (APP / name).read_bytes() for name in shell)


def _compressed_bytes(file: Path) -> int:
    twin = file.with_name(file.name + ".br")
    return (twin if twin.is_file() else file).stat().st_size
