"""Acknowledged means committed: servers are killed at random moments while twenty people chat, and
once more under five hundred screens on which they and others have their conversations open.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest

from domain.kernel.work import Works
from domain.org.models import Level
from tests.support import server
from tests.support.chatting import LIVE_S, Crowd, Pair, Talker, a_pair
from tests.support.live_client import LiveClient
from tests.support.matrix import a_union
from tests.support.redis_server import eventually

KILLS = 20
PAIRS = 10
MORE_PAIRS = 18
"""Who come for the last kill, and talk slowly."""
SCREENS = 9
"""Of each person, besides the phone: an account may have ten sockets."""
SLOWLY_S = 1.0
PAUSE_S = (0.05, 0.6)


async def kill_under_everybody(
    pairs: Sequence[Pair], servers: Sequence[server.Server], stack: AsyncExitStack
) -> list[Talker]:
    """All screens are on one server, and it is killed; they go to the other one and stay."""
    urls = [servers[0].socket]
    screens = [
        Talker(LiveClient(lambda: urls, token), pair.id, "screen")
        for pair in pairs
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


def assert_same_from_its_opening_on(screen: Talker, phone: Talker) -> None:
    """What the screen has is what a phone has, from some message on: none lost, none twice."""
    assert screen.heard
    assert screen.heard == phone.heard[screen.heard[0][0] - 1 :]


@pytest.mark.timeout(240)
async def test_twenty_kills_lose_nothing_and_double_nothing(
    database: str, works_now: Works
) -> None:
    city = await a_union(level=Level.FEDERATION)
    everybody = [await a_pair(works_now, city) for _ in range(PAIRS + MORE_PAIRS)]
    servers = list(await asyncio.gather(server.start(database), server.start(database)))
    chance = random.Random(20161209)
    kills = 0
    crowds: list[Crowd] = []
    screens: list[Talker] = []

    async def trouble() -> None:
        nonlocal kills
        while kills < KILLS:
            await asyncio.sleep(chance.uniform(*PAUSE_S))
            turn = kills % 2
            await servers[turn].kill()
            kills += 1
            servers[turn] = await server.start(database, port=servers[turn].port)
        late = Crowd(everybody[PAIRS:], lambda: [one.socket for one in servers])
        crowds.append(await stack.enter_async_context(late))

        async def last_kill() -> None:
            screens.extend(await kill_under_everybody(everybody, servers, stack))

        await late.talk_during(last_kill, pause_s=SLOWLY_S)

    try:
        async with (
            Crowd(everybody[:PAIRS], lambda: [one.socket for one in servers]) as crowd,
            AsyncExitStack() as stack,
        ):
            crowds.append(crowd)
            await crowd.talk_during(trouble)
            for each in crowds:
                await asyncio.gather(*(talker.say("还在") for talker in each.talkers))
                await each.settled()
            count = sum([await each.assert_nothing_lost_or_doubled() for each in crowds])
            phones = {talker.conversation: talker for each in crowds for talker in each.talkers}
            await eventually(
                lambda: all(s.heard[-1:] == phones[s.conversation].heard[-1:] for s in screens)
            )
            for screen in screens:
                assert_same_from_its_opening_on(screen, phones[screen.conversation])
            assert len(screens) > 500
            assert sum(talker.client.connects for talker in crowd.talkers) > len(crowd.talkers)
    finally:
        await asyncio.gather(*(one.stop() for one in servers))
    assert count > 10 * KILLS
    for one in servers:
        one.assert_no_traceback()
