"""Frames by one call of the kernel or one by one: chosen by the server itself, and the same."""

from __future__ import annotations

import contextlib
import re
from functools import partial

import httpx
import pytest
import pytest_asyncio

from domain.kernel.work import Works
from domain.org.models import Level
from gateway.outlet import granted_ring
from tests.support import server
from tests.support.chatting import Pair, Talker, a_pair
from tests.support.live_client import LiveClient
from tests.support.matrix import a_union
from tests.support.redis_server import eventually

DEVICES = 7
"""Of each of the two: enough followers for one call to be worth it."""
TEXTS = ["你好", "第二句", "第三句 👍", "最后一句"]


@pytest_asyncio.fixture
async def pair(works_now: Works) -> Pair:
    return await a_pair(works_now, await a_union(level=Level.FEDERATION))


async def sent_together(running: server.Server) -> int:
    """What the operator reads."""
    async with httpx.AsyncClient() as client:
        figures = (await client.get(f"{running.url}/metrics")).text
    found = re.search(r"^unionhall_live_sent_together_total ([\d.]+)$", figures, re.MULTILINE)
    assert found, "the figure is missing"
    return int(float(found[1]))


def has_all(talker: Talker) -> bool:
    return len(talker.heard) >= len(TEXTS)


@pytest.mark.parametrize("switch", ["on", "off"])
async def test_every_device_gets_every_message_in_order(
    switch: str, database: str, test_keyring: object, pair: Pair
) -> None:
    environ = {"UNIONHALL_SEND_TOGETHER": switch}
    ring = granted_ring()
    if ring is not None:
        ring.close()
    async with (
        server.running_server(database, environ=environ) as running,
        contextlib.AsyncExitStack() as stack,
    ):
        talkers = []
        for side in (0, 1):
            for _ in range(DEVICES):
                talker = Talker(
                    LiveClient(lambda: [running.socket], pair.tokens[side]), pair.id, str(side)
                )
                talkers.append(talker)
                await stack.enter_async_context(talker.client)
                await talker.listen()
        for text in TEXTS:
            await talkers[0].say(text)
        for talker in talkers:
            await eventually(partial(has_all, talker))
            assert [text for _, _, text in talker.heard] == TEXTS
        together = await sent_together(running)
        assert (together > 0) == (switch == "on" and ring is not None)
