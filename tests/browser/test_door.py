"""The door (登录): who comes in, what is said to who does not, and that nothing stays behind."""

from __future__ import annotations

from pathlib import Path

import orjson
from playwright.async_api import Browser, expect

from tests.browser.conftest import Hall, until
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
        await person.page.click("button[type=submit]")
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


async def test_the_app_opens_in_a_tunnel_and_goes_on_by_itself(hall: Hall, chrome: Browser) -> None:
    async with screen(chrome, hall.url) as person:
        page = person.page
        await person.open()
        await expect(page.get_by_role("button", name="登录")).to_be_visible()
        kept = "caches.match(performance.getEntriesByType('resource').map(({ name }) => name)"
        kept += ".find((name) => name.includes('/SignIn-'))).then(Boolean)"
        await until(lambda: page.evaluate(kept))

        await hall.tunnel.cut()
        await page.reload()
        await expect(page.get_by_text("当前没有网络")).to_be_visible()
        await hall.tunnel.open()
        await expect(page.get_by_role("button", name="登录")).to_be_visible()


def test_the_shell_is_small_and_holds_no_desk_kit() -> None:
    folder = built()
    shell = orjson.loads((folder / "served.json").read_bytes())["shell"]
    assert sum(_compressed_bytes(folder / name) for name in shell) < SHELL_BYTES_MAX
    assert not any(b"el-button" in (APP / name).read_bytes() for name in shell)


def _compressed_bytes(file: Path) -> int:
    twin = file.with_name(file.name + ".br")
    return (twin if twin.is_file() else file).stat().st_size
