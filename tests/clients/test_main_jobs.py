"""Stock JavaScript clients do the two main jobs: nothing lost, nothing twice, order kept."""

from __future__ import annotations

import json

from domain.kernel.work import Works
from tests.support import server
from tests.support.chatting import a_pair
from tests.support.main_jobs import (
    a_zone_with_officers,
    assert_heard_all_once,
    assert_received_and_confirmed,
)
from tests.support.matrix import Spot
from tests.support.node import CLIENTS, install_clients, run_script

TURNS = 12
OFFICERS = 3


async def test_graphql_ws_chats_through_two_forced_disconnects(
    one: server.Server, works: Works, city: Spot
) -> None:
    install_clients()
    pair = await a_pair(works, city)

    told = json.loads(
        await run_script(CLIENTS / "chat.mjs", one.socket, *pair.tokens, pair.id, str(TURNS))
    )

    assert_heard_all_once(told["member"], told["counsellor"], TURNS)
    assert_heard_all_once(told["counsellor"], told["member"], TURNS)
    assert (told["member"]["connects"], told["counsellor"]["connects"]) == (3, 2)


async def test_graphql_ws_publishes_a_notice_and_watches_the_receipts(
    one: server.Server, works: Works, city: Spot
) -> None:
    install_clients()
    publisher, officers = await a_zone_with_officers(works, city, OFFICERS)

    told = json.loads(
        await run_script(
            CLIENTS / "notice.mjs",
            *(one.socket, publisher.token, publisher.union),
            *(word for officer in officers for word in (officer.token, officer.union)),
        )
    )

    assert_received_and_confirmed(told, OFFICERS)
