"""Whether a page shows at once that an action was taken, while the server is held back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from playwright.async_api import Page, Route

from tests.support.browser import WAIT_MS_MAX

TAKEN_MS_MAX = 100
"""From the press to the sign of it: what people feel as at once."""
WATCH = """sign => {
    if (document.querySelector(sign)) throw new Error(`${sign} is there before the press`);
    let at = 0;
    for (const name of ["click", "keydown"])
        addEventListener(name, () => (at ||= performance.now()), {capture: true, once: true});
    window.taken = new Promise((tell) => {
        new MutationObserver((_, watching) => {
            if (!at || !document.querySelector(sign)) return;
            watching.disconnect();
            tell(performance.now() - at);
        }).observe(document, {subtree: true, childList: true, attributes: true});
    });
}"""


@asynccontextmanager
async def held_back(page: Page) -> AsyncIterator[None]:
    """The server hears of nothing that is asked in the block before its end."""
    held: list[Route] = []

    async def hold(route: Route) -> None:
        held.append(route)

    await page.route("**/graphql", hold)
    try:
        yield
    finally:
        for route in held:
            await route.continue_()
        await page.unroute("**/graphql", hold)


async def assert_taken(page: Page, act: Callable[[], Awaitable[None]], sign: str) -> None:
    """What `act` presses is shown to be taken by `sign`, a selector, before the server has it."""
    async with held_back(page):
        await page.evaluate(WATCH, sign)
        await act()
        async with asyncio.timeout(WAIT_MS_MAX / 1000):
            taken_ms = await page.evaluate("window.taken")
    assert taken_ms < TAKEN_MS_MAX
