"""A real Chromium before the real server: opened once, a context of its own for each person."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

ROOT = Path(__file__).parents[2]
WEB = ROOT / "gateway" / "web"
APP = WEB / "dist" / "app"
AXE = WEB / "app" / "node_modules" / "axe-core" / "axe.min.js"
NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    *("--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run", "--disable-default-apps", "--mute-audio"),
)
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 800}
WAIT_MS_MAX = 20_000
"""For anything a person waits for: far above what it takes; a busy machine is no failure."""
expect.set_options(timeout=WAIT_MS_MAX)
NOT_TROUBLE = ("net::ERR_", "Failed to load resource", "WebSocket connection")
"""What Chromium says by itself when the network is cut."""


def chromium() -> str:
    """The path of an installed Chromium, or the test is skipped with the remedy."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    pytest.skip("no Chromium (Debian: apt install chromium)")


def built() -> Path:
    """The app as built, or the test is skipped."""
    if not (APP / "served.json").is_file():
        pytest.skip("the browser app is not built (make install, with Node.js)")
    return APP


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """A headless Chromium that asks nobody else's server anything."""
    flags = [*QUIET, "--no-sandbox"] if os.geteuid() == 0 else list(QUIET)
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=chromium(), args=flags)
        try:
            yield opened
        finally:
            await opened.close()


class Screen:
    """One person's browser: a context of its own, and what went wrong in it."""

    def __init__(self, context: BrowserContext, page: Page, url: str) -> None:
        self.context = context
        self.page = page
        self.url = url
        self.trouble: list[str] = []
        self.asked: list[str] = []
        page.on("pageerror", lambda error: self.trouble.append(str(error)))
        page.on("console", self._hear)
        page.on("request", lambda request: self.asked.append(request.url))

    def _hear(self, message: Any) -> None:
        is_loud = message.type in {"error", "warning"}
        if is_loud and not any(word in message.text for word in NOT_TROUBLE):
            self.trouble.append(message.text)

    async def open(self, path: str = "/") -> None:
        """Go there."""
        await self.page.goto(self.url + path)

    async def sign_in(self, identifier: str, password: str) -> None:
        """As somebody would at the door; on the first page of one's room when this returns."""
        await self.open("/sign-in")
        await self.page.fill("input[name=username]", identifier)
        await self.page.fill("input[name=password]", password)
        await self.page.click("button[type=submit]")
        await self.page.wait_for_url(lambda url: not url.endswith("/sign-in"))

    async def assert_accessible(self) -> None:
        """Nothing that axe finds against WCAG 2.2 A and AA on what is shown now."""
        if not AXE.is_file():
            pytest.skip("axe-core is not installed (make install, with Node.js)")
        if not await self.page.evaluate("'axe' in window"):
            await self.page.evaluate(AXE.read_text(encoding="utf-8"))
        tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
        found = await self.page.evaluate(
            "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", tags
        )
        wrong = [
            f"{each['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
            for each in found["violations"]
            for node in each["nodes"]
        ]
        assert not wrong, "\n".join(wrong)

    def assert_no_trouble(self) -> None:
        """No error in the console, above all none of the content policy; nothing from elsewhere."""
        assert not self.trouble, "\n".join(self.trouble)
        foreign = [url for url in self.asked if not url.startswith((self.url, "data:"))]
        assert not foreign, "\n".join(foreign)


@asynccontextmanager
async def screen(
    opened: Browser, url: str, *, size: dict[str, int] = PHONE, language: str = "zh-CN"
) -> AsyncIterator[Screen]:
    """A fresh browser for one person; a failure if anything went wrong in it."""
    context = await opened.new_context(
        viewport=size,  # type: ignore[arg-type]  # a TypedDict of the same shape
        locale=language,
        reduced_motion="reduce",
    )
    context.set_default_timeout(WAIT_MS_MAX)
    try:
        shown = Screen(context, await context.new_page(), url)
        yield shown
        shown.assert_no_trouble()
    finally:
        await context.close()
