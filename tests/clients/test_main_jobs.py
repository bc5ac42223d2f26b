"""Stock clients do the two main jobs: nothing lost, nothing twice, order kept."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from domain.access.models import AccountKind
from domain.access.roles import Role
from domain.kernel.clock import SystemClock
from domain.kernel.work import Works
from domain.org.models import Level, Post, Seat
from domain.org.rules import federation_day
from schema.nodes import global_id
from tests.support import server
from tests.support.access import APP, a_grant, an_account, signed_in
from tests.support.announcing import RememberedAnnouncements
from tests.support.chatting import Pair, a_pair
from tests.support.matrix import Spot, a_union
from tests.support.node import CLIENTS, install_clients, run_script

TURNS = 12
OFFICERS = 3


@pytest.fixture
def works(database: str, test_keyring: object) -> Works:
    return Works(SystemClock(), RememberedAnnouncements())


@pytest_asyncio.fixture
async def one(works: Works, database: str) -> AsyncIterator[server.Server]:
    async with server.running_server(database) as running:
        yield running


def assert_heard_all_once(person: dict[str, Any], other: dict[str, Any]) -> None:
    heard = [(message["seq"], message["clientKey"]) for message in person["heard"]]
    assert [seq for seq, _ in heard] == list(range(1, 2 * TURNS + 1))
    place = {key: seq for seq, key in heard}
    assert len(place) == len(heard)
    for acknowledged in (person["acknowledged"], other["acknowledged"]):
        assert len(acknowledged) == TURNS
        assert all(place[key] == seq for key, seq in acknowledged.items())


async def test_graphql_ws_chats_through_two_forced_disconnects(
    one: server.Server, works: Works
) -> None:
    install_clients()
    pair: Pair = await a_pair(works, await a_union(level=Level.FEDERATION))

    told = json.loads(
        await run_script(CLIENTS / "chat.mjs", one.socket, *pair.tokens, pair.id, str(TURNS))
    )

    assert_heard_all_once(told["member"], told["counsellor"])
    assert_heard_all_once(told["counsellor"], told["member"])
    assert (told["member"]["connects"], told["counsellor"]["connects"]) == (3, 2)


async def an_officer(works: Works, union: Spot) -> str:
    """The token of somebody who holds a seat in the union."""
    account = await an_account(works, kind=AccountKind.STAFF)
    await Seat.create(
        union_id=union.id,
        account_id=account.id,
        post=Post.CHAIR,
        from_on=federation_day(works.clock.now()),
    )
    await a_grant(works, account.id, Role.CHAIR, union)
    return (await signed_in(works, account, client=APP)).token.text


async def test_graphql_ws_publishes_a_notice_and_watches_the_receipts(
    one: server.Server, works: Works
) -> None:
    install_clients()
    city = await a_union(level=Level.FEDERATION)
    zone = await a_union(city, level=Level.ZONE)
    cadre = await an_account(works, kind=AccountKind.STAFF)
    await a_grant(works, cadre.id, Role.ZONE_CADRE, zone)
    publisher = (await signed_in(works, cadre, client=APP)).token.text
    officers: list[str] = []
    for _ in range(OFFICERS):
        union = await a_union(zone)
        officers += [await an_officer(works, union), global_id("Union", union.id)]

    told = json.loads(
        await run_script(
            CLIENTS / "notice.mjs", one.socket, publisher, global_id("Union", zone.id), *officers
        )
    )

    assert [[event["noticeId"] for event in received] for received in told["received"]] == [
        [told["notice"]["id"]]
    ] * OFFICERS
    boards = told["boards"]
    assert boards[-1] == {
        "recipients": OFFICERS,
        "delivered": OFFICERS,
        "read": boards[-1]["read"],
        "confirmed": OFFICERS,
    }
    for kind in ("delivered", "confirmed"):
        counts = [board[kind] for board in boards]
        assert counts == sorted(counts), "a count never goes back"
