"""Each close is counted under its code, and under no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from realtime.bounds import HARD_BUFFER_BYTES, LiveSettings
from realtime.close_codes import CloseCode
from tests.support.figures import Cause, Scene
from tests.support.live import SmallNode, running
from tests.support.timers import settle


def say_raw(frame: bytes) -> Cause:
    async def cause(scene: Scene) -> None:
        await scene.begin()
        scene.client.connection.receive_text(frame)
        await settle()

    return cause


INIT = b'{"type":"connection_init"}'
QUERY = b'{"type":"subscribe","id":"q","payload":{"query":"mutation"}}'


async def _stops(scene: Scene) -> None:
    await scene.begin()
    await scene.node.hub.stop()


async def _drains(scene: Scene) -> None:
    await scene.begin()
    draining = asyncio.create_task(scene.node.hub.drain())
    await scene.node.timers.advance(60)
    await draining


async def _one_too_many(scene: Scene) -> None:
    for _ in range(LiveSettings().connections_per_account_max):
        await scene.node.client().init()
    scene.look()
    await scene.node.client().init()


async def _early(scene: Scene) -> None:
    scene.node.client().connection.receive_text(QUERY)


async def _nobody(scene: Scene) -> None:
    await scene.node.client().init("nobody")


async def _other_protocol(scene: Scene) -> None:
    scene.node.client(subprotocol="graphql-ws")


async def _silent(scene: Scene) -> None:
    scene.node.client()
    await scene.node.timers.advance(6)


async def _id_in_use(scene: Scene) -> None:
    await scene.begin()
    scene.node.engine.execute_gate = asyncio.Event()
    for _ in range(2):
        scene.client.connection.receive_text(QUERY)


async def _too_slow(scene: Scene) -> None:
    await scene.begin()
    scene.client.socket.unread_bytes = HARD_BUFFER_BYTES + 1
    await scene.client.say(type="ping")


CLOSES: dict[CloseCode, Cause] = {
    CloseCode.GOING_AWAY: _stops,
    CloseCode.RESTART: _drains,
    CloseCode.TRY_AGAIN_LATER: _too_slow,
    CloseCode.TOO_MANY_CONNECTIONS: _one_too_many,
    CloseCode.BAD_REQUEST: say_raw(b"nonsense"),
    CloseCode.UNAUTHORISED: _early,
    CloseCode.FORBIDDEN: _nobody,
    CloseCode.BAD_SUBPROTOCOL: _other_protocol,
    CloseCode.INIT_TIMEOUT: _silent,
    CloseCode.DUPLICATE_ID: _id_in_use,
    CloseCode.TOO_MANY_INITS: say_raw(INIT),
}


@pytest_asyncio.fixture
async def scene() -> AsyncIterator[Scene]:
    async with running(SmallNode()) as node:
        yield Scene(node)


@pytest.mark.parametrize("code", CLOSES)
async def test_a_close_counts_under_its_code_alone(scene: Scene, code: CloseCode) -> None:
    await CLOSES[code](scene)
    closes = {name: by for name, by in scene.moved().items() if "close_codes" in name}
    assert closes == {f"live_close_codes_total[{code.value}]": 1}


def test_every_close_code_has_its_cause() -> None:
    assert set(CLOSES) == set(CloseCode)
