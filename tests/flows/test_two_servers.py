"""Two server processes: with Redis between them, and with Redis taken away in mid-run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis import asyncio as aioredis

from domain.kernel.work import Works
from domain.org.models import Level
from tests.support import server
from tests.support.chatting import Crowd, Pair, a_pair
from tests.support.matrix import a_union
from tests.support.redis_server import RedisServer, private_redis

PAIRS = 4
TALK_S = 1.5
AFTER_SWEEP_S = 20.0
"""Without Redis an event of the other process is found by the sweep, within five seconds."""


async def some_pairs(works: Works) -> list[Pair]:
    city = await a_union(level=Level.FEDERATION)
    return [await a_pair(works, city) for _ in range(PAIRS)]


@asynccontextmanager
async def two_servers(database: str, redis: RedisServer) -> AsyncIterator[list[server.Server]]:
    environ = {"UNIONHALL_REDIS_URL": redis.url}
    async with (
        server.running_server(database, environ=environ) as one,
        server.running_server(database, environ=environ) as other,
    ):
        yield [one, other]


@pytest.mark.timeout(120)
async def test_people_on_different_servers_hear_each_other_at_once(
    database: str, works_now: Works
) -> None:
    pairs = await some_pairs(works_now)
    with private_redis() as redis:
        async with two_servers(database, redis) as servers:
            # Members on one server, counsellors on the other: every message crosses.
            urls = [one.socket for one in servers]
            crowd = Crowd(pairs, lambda: urls)
            for number, talker in enumerate(crowd.talkers):
                talker.client.pin(urls[number % 2])
            async with crowd:
                await crowd.talk_during(lambda: asyncio.sleep(TALK_S))
                await crowd.settled(within_s=2.0)
                assert await crowd.assert_nothing_lost_or_doubled() > 4 * PAIRS


@pytest.mark.timeout(120)
async def test_without_redis_in_mid_run_nothing_is_lost(database: str, works_now: Works) -> None:
    pairs = await some_pairs(works_now)
    with private_redis() as redis:
        async with two_servers(database, redis) as servers:
            urls = [one.socket for one in servers]
            crowd = Crowd(pairs, lambda: urls)
            for number, talker in enumerate(crowd.talkers):
                talker.client.pin(urls[number % 2])

            async def trouble() -> None:
                await asyncio.sleep(TALK_S / 3)
                async with aioredis.Redis.from_url(redis.url) as admin:
                    await admin.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
                await asyncio.sleep(TALK_S / 3)
                redis.stop()
                await asyncio.sleep(TALK_S)
                redis.start()
                await asyncio.sleep(TALK_S / 3)
                redis.freeze()
                await asyncio.sleep(TALK_S)
                redis.thaw()

            async with crowd:
                await crowd.talk_during(trouble)
                await crowd.settled(within_s=AFTER_SWEEP_S)
                assert await crowd.assert_nothing_lost_or_doubled() > 4 * PAIRS
