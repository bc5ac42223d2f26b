"""urql, Apollo Client and Relay work with the server; the first two on top of our client too."""

from __future__ import annotations

import json
from itertools import product

import pytest
import pytest_asyncio

from domain.kernel.work import Works
from domain.org.models import Level, Union
from tests.support import server
from tests.support.chatting import a_pair
from tests.support.matrix import Spot, a_union
from tests.support.node import CLIENTS, install_clients, install_sdk, run_script

ZONES = 5
"""Three pages of two."""


@pytest_asyncio.fixture(scope="module")
async def zones(city: Spot) -> None:
    """Unions to turn pages of."""
    for _ in range(ZONES):
        await a_union(city, level=Level.ZONE)


@pytest.mark.usefixtures("zones")
@pytest.mark.parametrize(
    ("client", "mode"), [("relay", "stock"), *product(("urql", "apollo"), ("stock", "sdk"))]
)
async def test_a_client_turns_pages_reads_a_refusal_and_misses_nothing_at_a_cut(
    client: str,
    mode: str,
    one: server.Server,
    works: Works,
    city: Spot,
) -> None:
    install_clients()
    install_sdk()
    pair = await a_pair(works, city)

    told = json.loads(
        await run_script(
            CLIENTS / f"{client}.mjs", mode, one.graphql, one.socket, *pair.tokens, pair.id
        )
    )

    names = [union.name for union in await Union.filter(level=Level.ZONE)]
    assert len(names) >= ZONES
    assert sorted(told["names"]) == sorted(names)
    assert told["refused"] == "text.missing"
    assert told["heard"] == [1, 2, 3, 4]
    assert told["sockets"] >= 2, "the cut has cut"
    if client == "relay":
        assert told["backwards"] == [1, 2, 3, 4], "its store has put the pages together"
        assert told["isSame"], "a message has one id, whichever way it comes"
        assert told["appended"] == [1, 2, 3, 4, 5]
        assert told["refetched"] == [6, [5, 6]], "by its global id, from the latest page on"
