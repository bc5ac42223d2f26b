"""The browser app before a real server, in a real browser: one server and one browser for all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest_asyncio
from playwright.async_api import Browser, Page

from domain.access.models import AccountKind
from domain.access.roles import Role
from domain.access.service import NewAccount
from domain.consultations import windows
from domain.consultations.models import Service, WindowState
from domain.kernel.actor import SYSTEM
from domain.kernel.clock import SystemClock
from domain.kernel.ids import new_id
from domain.kernel.work import Works
from domain.org.models import Level
from tests.support import server
from tests.support.access import APP, a_grant, an_account, signed_in
from tests.support.announcing import RememberedAnnouncements
from tests.support.browser import WAIT_MS_MAX, browser, built, chromium
from tests.support.database import wipe
from tests.support.matrix import Spot, a_union
from tests.support.tunnel import Tunnel, tunnel
from tests.support.vault import open_vault

ASK_AGAIN_S = 0.05
CONSULTANTS = {Service.COUNSELLING: Role.COUNSELLOR, Service.LEGAL_AID: Role.LAWYER}


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """It holds, or a TimeoutError."""
    async with asyncio.timeout(WAIT_MS_MAX / 1000):
        while not await condition():  # noqa: ASYNC110 - it is the server that is asked
            await asyncio.sleep(ASK_AGAIN_S)


class Caller:
    """Somebody with a session who talks to the API directly: the other end of a browser's talk."""

    def __init__(self, client: httpx.AsyncClient, token: str) -> None:
        self._client = client
        self._headers = {"authorization": f"Bearer {token}"}

    async def ask(self, query: str, **variables: Any) -> Any:
        """The data; a refusal is a failure."""
        body = {"query": query, "variables": variables}
        answer = (await self._client.post("/graphql", json=body, headers=self._headers)).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def take_next(self) -> tuple[str, str]:
        """Take what waits longest: the case and its conversation."""
        taken = await self.ask(
            """mutation ($key: UUID!) { takeNextRequest(input: {clientKey: $key}) {
                case { id conversations(last: 1) { edges { node { id } } } } } }""",
            key=str(new_id()),
        )
        case = taken["takeNextRequest"]["case"]
        return case["id"], case["conversations"]["edges"][0]["node"]["id"]

    async def accept(self, case: str) -> str:
        """Take this request, whatever else waits; its conversation."""
        taken = await self.ask(
            """mutation ($id: ID!) { acceptRequest(input: {caseId: $id}) {
                case { conversations(last: 1) { edges { node { id } } } } } }""",
            id=case,
        )
        found: str = taken["acceptRequest"]["case"]["conversations"]["edges"][0]["node"]["id"]
        return found

    async def say(self, conversation: str, text: str) -> int:
        """The message's number."""
        sent = await self.ask(
            """mutation ($id: ID!, $text: String!, $key: UUID!) { sendMessage(
                input: {conversationId: $id, text: $text, clientKey: $key}) {
                    message { seq } } }""",
            id=conversation,
            text=text,
            key=str(new_id()),
        )
        seq: int = sent["sendMessage"]["message"]["seq"]
        return seq

    async def until_read(self, conversation: str, seq: int) -> None:
        """The other one has read it, or a TimeoutError."""
        query = "query ($id: ID!) { conversation(id: $id) { otherReadSeq } }"

        async def is_read() -> bool:
            data = await self.ask(query, id=conversation)
            return bool(data["conversation"]["otherReadSeq"] >= seq)

        await until(is_read)

    async def lay_down(self, role: Role) -> None:
        """Give back a role that one has."""
        viewer = (await self.ask("{ viewer { accountId } }"))["viewer"]
        query = "query ($id: ID!) { grants(accountId: $id) { id role } }"
        grants = (await self.ask(query, id=viewer["accountId"]))["grants"]
        [own] = [each["id"] for each in grants if each["role"] == role.name]
        revoke = "mutation ($id: ID!) { revokeGrant(input: {grantId: $id}) { __typename } }"
        await self.ask(revoke, id=own)

    async def texts(self, conversation: str) -> list[str]:
        """What was said, as the server has it; a hundred at most."""
        data = await self.ask(
            """query ($id: ID!) { conversation(id: $id) {
                messages(last: 100) { edges { node { text } } } } }""",
            id=conversation,
        )
        return [edge["node"]["text"] for edge in data["conversation"]["messages"]["edges"]]


@dataclass(slots=True)
class Hall:
    """A running server behind a tunnel, with its people to be made."""

    server: server.Server
    tunnel: Tunnel
    works: Works
    city: Spot
    database_url: str
    client: httpx.AsyncClient
    """Of those who talk to the API directly, past the tunnel."""

    @property
    def url(self) -> str:
        """Where browsers go."""
        return f"http://127.0.0.1:{self.tunnel.port}"

    async def reconnect(self, page: Page) -> None:
        """The tunnel is over, and the browser says so, as it does when a network comes back."""
        await self.tunnel.open()
        await page.evaluate("dispatchEvent(new Event('online'))")

    async def restart(self) -> None:
        """Kill the server and start it anew, at the same place."""
        await self.server.kill()
        environ = {"UNIONHALL_PUBLIC_URL": self.url}
        self.server = await server.start(self.database_url, port=self.server.port, environ=environ)

    async def a_member(self) -> NewAccount:
        """Somebody who can sign in."""
        return await an_account(self.works)

    async def a_window(
        self, name: str = "周老师", *, service: Service = Service.COUNSELLING, capacity: int = 9
    ) -> NewAccount:
        """A consultant who is there and can sign in."""
        account = await an_account(self.works, kind=AccountKind.STAFF)
        window = windows.NewConsultant(
            account.id,
            service,
            name,
            specialities=("情绪",),
            capacity=capacity,
            state=WindowState.PRESENT,
        )
        async with self.works.open(SYSTEM) as w:
            await windows.register_consultants(w, [window])
        await a_grant(self.works, account.id, CONSULTANTS[service], self.city)
        return account

    async def a_counsellor(self, name: str = "周老师") -> Caller:
        """Somebody with a window who is there."""
        return await self.caller(await self.a_window(name))

    async def caller(self, account: NewAccount) -> Caller:
        """The account with a session of its own, without a browser."""
        session = await signed_in(self.works, account, client=APP)
        return Caller(self.client, session.token.text)


@pytest_asyncio.fixture(scope="package")
async def hall(_pool: str) -> AsyncIterator[Hall]:
    """The server, in front of a database that these tests have to themselves."""
    chromium()
    built()
    near, far = server.free_port(), server.free_port()
    environ = {"UNIONHALL_PUBLIC_URL": f"http://127.0.0.1:{near}"}
    try:
        async with (
            open_vault(),
            tunnel(near, far) as opened,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{far}", trust_env=False) as client,
        ):
            works = Works(SystemClock(), RememberedAnnouncements())
            city = await a_union(level=Level.FEDERATION)
            running = await server.start(_pool, port=far, environ=environ)
            made = Hall(running, opened, works, city, _pool, client)
            try:
                yield made
            finally:
                await made.server.stop()
            made.server.assert_no_traceback()
    finally:
        await wipe(_pool)


@pytest_asyncio.fixture(scope="package")
async def chrome(hall: Hall) -> AsyncIterator[Browser]:
    """The browser; each person opens a context in it."""
    async with browser() as opened:
        yield opened
