"""A new version goes out under load, one process after the other: nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from contextlib import AsyncExitStack

import httpx
import pytest

from domain.kernel.work import Works
from domain.org.models import Level
from gateway.serving import LAST_RESORT_S
from tests.support import server
from tests.support.chatting import Crowd, a_pair
from tests.support.live_client import LiveClient
from tests.support.matrix import a_union
from tests.support.redis_server import eventually, private_redis

PAIRS = 4
SILENT = 32
"""Sockets that only listen, so that slices can be counted."""
GRACE_S = 2
SPREAD_S = 0.4 * GRACE_S
PARTS = 4
"""Of the spread; each holds a quarter of the closes, and at most twice that."""
CLOSED = re.compile(r"(\d\d):(\d\d):(\d\d),(\d{3}) .*closes: 1012")


def moments_of_closing(one: server.Server) -> list[float]:
    """Seconds of the day at which it closed sockets for the drain, by its log."""
    found = CLOSED.findall(one.log)
    return [int(h) * 3600 + int(m) * 60 + int(s) + int(ms) / 1000 for h, m, s, ms in found]


@pytest.mark.timeout(120)
async def test_a_rolling_restart_loses_nothing_doubles_nothing_and_spreads_who_comes_back(
    database: str, works_now: Works
) -> None:
    city = await a_union(level=Level.FEDERATION)
    pairs = [await a_pair(works_now, city) for _ in range(PAIRS)]
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(private_redis())
        environ = {
            "UNIONHALL_REDIS_URL": redis.url,
            "UNIONHALL_SHUTDOWN_GRACE_S": str(GRACE_S),
        }
        old = await server.start(database, environ=environ)
        stack.push_async_callback(old.stop)
        urls = [old.socket]
        crowd = await stack.enter_async_context(Crowd(pairs, lambda: urls))
        silent = [LiveClient(lambda: urls, p.tokens[n % 2]) for n in range(8) for p in pairs]
        for client in silent:
            await stack.enter_async_context(client)
        await eventually(lambda: all(client.connects for client in silent))

        async def trouble() -> None:
            new = await server.start(database, environ=environ)
            stack.push_async_callback(new.stop)
            urls.append(new.socket)
            stopping, began = asyncio.create_task(old.stop()), time.monotonic()
            async with httpx.AsyncClient(trust_env=False) as client:
                status = (await client.get(f"{old.url}/readyz")).status_code
                while status == httpx.codes.OK and not stopping.done():
                    status = (await client.get(f"{old.url}/readyz")).status_code
            assert status == httpx.codes.SERVICE_UNAVAILABLE
            urls.remove(old.socket)
            assert await stopping == 0
            assert time.monotonic() - began < GRACE_S + LAST_RESORT_S

        await crowd.talk_during(trouble)
        await crowd.settled()
        assert await crowd.assert_nothing_lost_or_doubled() > 4 * PAIRS
        clients = [talker.client for talker in crowd.talkers] + silent
        assert {code for client in clients for code in client.close_codes} == {1012}
        await eventually(lambda: all(client.connects >= 2 for client in clients))

    old.assert_no_traceback()
    moments = moments_of_closing(old)
    first = min(moments)
    slices = Counter(int((at - first) / (SPREAD_S / PARTS)) for at in moments)
    assert len(moments) == SILENT + 2 * PAIRS
    assert max(slices.values()) <= 2 * len(moments) / PARTS
