"""The query page (GraphiQL): signs in, asks and follows, with files of our own only."""

from __future__ import annotations

import json

import httpx
import pytest
from playwright.async_api import Browser, Page, expect

from schema.nodes import global_id
from tests.browser.conftest import Hall, until
from tests.support.access import PASSWORD
from tests.support.browser import DESK, WEB, screen

RUN = "button.graphiql-execute-button"
EDITOR = ".graphiql-query-editor .CodeMirror"
WRITE = "(editor, query) => editor.CodeMirror.setValue(query)"
# Which operations there are is found out a moment after the text has changed.
IS_KNOWN = """([where, query]) =>
    document.querySelector(where).CodeMirror.documentAST?.loc?.source.body === query"""


async def run(page: Page, query: str) -> None:
    await page.locator(EDITOR).evaluate(WRITE, query)
    await page.wait_for_function(IS_KNOWN, arg=[EDITOR, query])
    await page.locator(RUN).click()


async def test_the_query_page_signs_in_asks_and_follows(hall: Hall, chrome: Browser) -> None:
    if not (WEB / "dist" / "ide" / "served.json").is_file():
        pytest.skip("the query page is not built (make install, with Node.js)")
    account = await hall.a_member()
    who = f"{{identifier: {json.dumps(account.phone)}, password: {json.dumps(PASSWORD)}}}"
    sign_in = f"mutation SignIn {{ signIn(input: {who}) {{ __typename }} }}"
    async with screen(chrome, hall.url, size=DESK) as person:
        page = person.page
        await person.open("/graphql")
        answer = page.locator(".result-window")
        await run(page, sign_in)
        await expect(answer).to_contain_text("SessionPayload")
        await run(page, "query SignIn { viewer { accountId } }")
        await expect(answer).to_contain_text(global_id("Account", account.id))

        await run(page, "subscription SignIn { myEvents { kind } }")

        async def is_told() -> bool:
            # Again each time: nothing on the page says that it follows before something happens.
            async with httpx.AsyncClient(trust_env=False) as elsewhere:
                await elsewhere.post(f"{hall.url}/graphql", json={"query": sign_in})
            return "SESSION_OPENED" in await answer.inner_text()

        await until(is_told)
        await page.locator(RUN).click()
        assert any("/graphql/ide/assets/" in url for url in person.asked)
