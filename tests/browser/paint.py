"""Measures how soon a first visit sees something useful on a throttled 4G phone; prints JSON.

usage: python -m tests.browser.paint [http://127.0.0.1:8000]     (before a running `unionhall demo`)
The profile is Lighthouse's slow 4G: 1.6 Mbit/s down, 0.75 up, 150 ms; nothing cached, no worker.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
from typing import Any

from playwright.async_api import Browser

from tests.browser.screens import MEMBER, PASSWORD
from tests.support.browser import PHONE, browser, screen

PROFILE = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 1.6e6 / 8,
    "uploadThroughput": 0.75e6 / 8,
}
VISITS = 5
LOOK_AGAIN_S = 0.05
WATCH = """
new MutationObserver(() => {
  if (!document.querySelector("form, h2#ask")) return;
  requestAnimationFrame(() => (window.usefulMs ??= performance.now()));
}).observe(document, { childList: true, subtree: true });
"""
"""The sign-in form, or what a member may ask for."""
BYTES = "performance.getEntriesByType('resource').reduce((sum, one) => sum + one.transferSize, 0)"
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"


async def visit(opened: Browser, url: str, cookies: list[Any]) -> tuple[float, float, int]:
    """First paint and first useful paint in milliseconds, and the bytes that came."""
    context = await opened.new_context(viewport=PHONE, service_workers="block")  # type: ignore[arg-type]
    try:
        await context.add_cookies(cookies)
        page = await context.new_page()
        network = await context.new_cdp_session(page)
        await network.send("Network.enable")
        await network.send("Network.emulateNetworkConditions", PROFILE)
        await page.add_init_script(WATCH)
        await page.goto(url)
        # Asked from here: the policy lets nothing be evaluated in the page.
        while (useful := await page.evaluate("window.usefulMs")) is None:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_AGAIN_S)
        return await page.evaluate(FIRST_PAINT), useful, await page.evaluate(BYTES)
    finally:
        await context.close()


async def main(url: str) -> None:
    """Medians for somebody who is not signed in, and for a member."""
    async with browser() as opened:
        async with screen(opened, url) as member:
            await member.sign_in(MEMBER, PASSWORD)
            cookies = await member.context.cookies()
        figures = {}
        for name, path, held in (("sign-in", "/", []), ("member", "/member", cookies)):
            visits = [await visit(opened, url + path, held) for _ in range(VISITS)]
            first, useful, size = zip(*visits, strict=True)
            figures[name] = {
                "first_paint_ms": round(statistics.median(first)),
                "useful_paint_ms": round(statistics.median(useful)),
                "bytes": size[0],
            }
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"))
