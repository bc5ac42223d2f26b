"""Acknowledged means committed: servers are killed at random moments while twenty people chat, and
once more when each of them has the conversation open on nine screens besides.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack

import pytest

from domain.kernel.work import Works
from domain.org.models import Level
from tests.support import server
from tests.support.chatting import LIVE_S, Crowd, Talker, a_pair
from tests.support.live_client import LiveClient
from tests.support.matrix import a_union
from tests.support.redis_server import eventually

KILLS = 20
PAIRS = 10
SCREENS = 9
"""Of each person, besides the phone: an account may have ten sockets."""
PAUSE_S = (0.05, 0.6)


async def kill_under_everybody(
    crowd: Crowd, servers: list[server.Server], stack: AsyncExitStack
) -> list[Talker]:
    """All screens are on one server, and it is killed; they go to the other one and stay."""
    urls = [servers[0].socket]
    screens = [
        Talker(LiveClient(lambda: urls, token), pair.id, "screen")
        for pair in crowd.pairs
        for token in pair.tokens
        for _ in range(SCREENS)
    ]
    for screen in screens:
        await stack.enter_async_context(screen.client)
    await asyncio.gather(*(screen.listen() for screen in screens))
    urls[:] = [servers[1].socket]
    await servers[0].kill()
    await eventually(lambda: all(screen.client.connects == 2 for screen in screens), LIVE_S)
    return screens


def assert_same_from_its_opening_on(screen: Talker, crowd: Crowd) -> None:
    """What the screen has is what a phone has, from some message on: none lost, none twice."""
    phone = next(each for each in crowd.talkers if each.conversation == screen.conversation)
    assert screen.heard
    assert screen.heard == phone.heard[screen.heard[0][0] - 1 :]


@pytest.mark.timeout(240)
async def test_twenty_kills_lose_nothing_and_double_nothing(
    database: str, works_now: Works
) -> None:
    city = await a_union(level=Level.FEDERATION)
    pairs = [await a_pair(works_now, city) for _ in range(PAIRS)]
    servers = list(await asyncio.gather(server.start(database), server.start(database)))
    chance = random.Random(20161209)
    kills = 0
    screens: list[Talker] = []

    async def trouble() -> None:
        nonlocal kills
        while kills < KILLS:
            await asyncio.sleep(chance.uniform(*PAUSE_S))
            turn = kills % 2
            await servers[turn].kill()
            kills += 1
            servers[turn] = await server.start(database, port=servers[turn].port)
        screens.extend(await kill_under_everybody(crowd, servers, stack))

    try:
        async with (
            Crowd(pairs, lambda: [one.socket for one in servers]) as crowd,
            AsyncExitStack() as stack,
        ):
            await crowd.talk_during(trouble)
            await crowd.settled()
            count = await crowd.assert_nothing_lost_or_doubled()
            last = {talker.conversation: talker.heard[-1] for talker in crowd.talkers}
            await eventually(
                lambda: all(each.heard[-1:] == [last[each.conversation]] for each in screens)
            )
            for screen in screens:
                assert_same_from_its_opening_on(screen, crowd)
            assert sum(talker.client.connects for talker in crowd.talkers) > len(crowd.talkers)
    finally:
        await asyncio.gather(*(one.stop() for one in servers))
    assert count > 10 * KILLS
    for one in servers:
        one.assert_no_traceback()
