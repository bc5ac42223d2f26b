"""A right that is lost ends on the open socket within a second, through the real server."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import httpx
import pytest_asyncio

from domain.access.models import AccountKind
from domain.access.roles import Role
from domain.consultations import handovers, windows
from domain.consultations.models import Service, WindowState
from domain.kernel.actor import SYSTEM
from domain.kernel.work import Works
from domain.org.models import Level
from schema.nodes import global_id
from tests.support import server
from tests.support.access import a_grant, an_account
from tests.support.chatting import Pair, Talker, a_pair
from tests.support.live_client import LiveClient
from tests.support.matrix import Spot, a_union
from tests.support.redis_server import eventually

CUT_OFF_S = 1.0
CONSENT = """mutation ($id: ID!) {
    consentToHandover(input: {handoverId: $id, sharesPast: false}) { case { id } } }"""


@pytest_asyncio.fixture
async def one(database: str, test_keyring: object) -> AsyncIterator[server.Server]:
    async with server.running_server(database) as running:
        yield running


@pytest_asyncio.fixture
async def city(database: str) -> Spot:
    return await a_union(level=Level.FEDERATION)


@pytest_asyncio.fixture
async def pair(works_now: Works, city: Spot) -> Pair:
    return await a_pair(works_now, city)


async def listening(one: server.Server, pair: Pair, side: int) -> Talker:
    talker = Talker(LiveClient(lambda: [one.socket], pair.tokens[side]), pair.id, str(side))
    await talker.client.__aenter__()
    await talker.listen()
    return talker


async def another_counsellor(works: Works, city: Spot) -> UUID:
    account = await an_account(works, kind=AccountKind.STAFF)
    new = windows.NewConsultant(
        account.id, Service.COUNSELLING, "吴老师", capacity=5, state=WindowState.PRESENT
    )
    async with works.open(SYSTEM) as w:
        await windows.register_consultants(w, [new])
    await a_grant(works, account.id, Role.COUNSELLOR, city)
    return new.id


async def status_of(one: server.Server, token: str) -> int:
    """What HTTP answers to the token."""
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient() as client:
        answer = await client.post(one.graphql, json={"query": "{ me { id } }"}, headers=headers)
    return answer.status_code


async def test_signing_out_everywhere_closes_the_open_socket_and_ends_the_token(
    one: server.Server, pair: Pair
) -> None:
    here, elsewhere = await listening(one, pair, 0), await listening(one, pair, 0)
    await here.say("你好")
    await eventually(lambda: elsewhere.heard)
    assert [await status_of(one, pair.tokens[0]) for _ in range(2)] == [200, 200]

    began = time.monotonic()
    await here.client.execute("mutation { signOutEverywhere { endedCount } }")
    # Answered means committed, and what this process has committed counts at once.
    assert await status_of(one, pair.tokens[0]) == 401
    await eventually(lambda: elsewhere.client.close_codes)

    assert time.monotonic() - began < CUT_OFF_S
    assert elsewhere.client.close_codes[0] == 4403
    for talker in (here, elsewhere):
        await talker.client.__aexit__()


async def test_a_hand_over_cuts_the_old_counsellor_off_on_the_open_socket(
    one: server.Server, works_now: Works, city: Spot, pair: Pair
) -> None:
    successor = await another_counsellor(works_now, city)
    member, old = await listening(one, pair, 0), await listening(one, pair, 1)
    await member.say("before")
    await eventually(lambda: old.heard and member.heard)
    async with works_now.open(pair.consultant) as w:
        handover = await handovers.request_handover(w, pair.case_id, successor)
    following = old.client.followings[0]

    began = time.monotonic()
    await member.client.execute(CONSENT, id=global_id("Handover", handover["id"]))
    await eventually(lambda: following.is_over)
    cut_off_s = time.monotonic() - began
    await member.say("after")
    await eventually(lambda: len(member.heard) == 2)

    assert cut_off_s < CUT_OFF_S
    assert [text for _, _, text in old.heard] == ["before"]
    assert following.errors[0]["extensions"]["code"] == "RT_FORBIDDEN"
    for talker in (member, old):
        await talker.client.__aexit__()


async def test_a_grant_that_ends_by_date_ends_on_the_open_socket_at_that_instant(
    one: server.Server, works_now: Works, pair: Pair
) -> None:
    async with works_now.open(SYSTEM) as w:
        ends_at = w.now + timedelta(seconds=1.5)
        await w.execute(
            "UPDATE access_grant SET valid_to = $2 WHERE account_id = $1",
            pair.consultant.account_id,
            ends_at,
        )
    member, counsellor = await listening(one, pair, 0), await listening(one, pair, 1)
    await member.say("before")
    await eventually(lambda: counsellor.heard)
    following = counsellor.client.followings[0]
    assert not following.is_over

    await eventually(lambda: following.is_over)
    late = works_now.clock.now() - ends_at
    assert timedelta(0) <= late < timedelta(seconds=CUT_OFF_S)
    assert following.errors[0]["extensions"]["code"] == "RT_FORBIDDEN"
    for talker in (member, counsellor):
        await talker.client.__aexit__()
