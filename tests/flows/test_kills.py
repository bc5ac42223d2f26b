"""Acknowledged means committed: servers are killed at random moments while twenty people chat."""

from __future__ import annotations

import asyncio
import random

import pytest

from domain.kernel.work import Works
from domain.org.models import Level
from tests.support import server
from tests.support.chatting import Crowd, a_pair
from tests.support.matrix import a_union

KILLS = 20
PAIRS = 10
PAUSE_S = (0.05, 0.6)


@pytest.mark.timeout(240)
async def test_twenty_kills_lose_nothing_and_double_nothing(
    database: str, works_now: Works
) -> None:
    city = await a_union(level=Level.FEDERATION)
    pairs = [await a_pair(works_now, city) for _ in range(PAIRS)]
    servers = list(await asyncio.gather(server.start(database), server.start(database)))
    chance = random.Random(20161209)
    kills = 0

    async def trouble() -> None:
        nonlocal kills
        while kills < KILLS:
            await asyncio.sleep(chance.uniform(*PAUSE_S))
            turn = kills % 2
            await servers[turn].kill()
            kills += 1
            servers[turn] = await server.start(database, port=servers[turn].port)

    try:
        async with Crowd(pairs, lambda: [one.socket for one in servers]) as crowd:
            await crowd.talk_during(trouble)
            await crowd.settled()
            count = await crowd.assert_nothing_lost_or_doubled()
            assert sum(talker.client.connects for talker in crowd.talkers) > len(crowd.talkers)
    finally:
        await asyncio.gather(*(one.stop() for one in servers))
    assert count > 10 * KILLS
    for one in servers:
        one.assert_no_traceback()
