"""Thousands come back at once: answered together, and refused together only for now."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime

import pytest

from domain.access import actors
from gateway.wiring import Sessions
from tests.support.live import TOKEN, SmallClient, SmallNode
from tests.support.redis_server import eventually
from tests.support.timers import settle

INIT = json.dumps({"type": "connection_init", "payload": {"token": TOKEN}}).encode()


def all_at_once(node: SmallNode, count: int) -> list[SmallClient]:
    clients = [node.client() for _ in range(count)]
    for client in clients:
        client.connection.receive_text(INIT)
    return clients


async def test_a_look_that_fails_refuses_all_who_shared_it_for_now_and_nobody_for_good(
    node: SmallNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    async def down(
        tokens: Sequence[str], now: datetime, **_: object
    ) -> list[actors.Admitted | None]:
        asked.append(len(tokens))
        await asyncio.sleep(0)
        raise OSError

    monkeypatch.setattr(actors, "admit_tokens", down)
    node.hub.node.authenticator = Sessions(node.clock)
    clients = all_at_once(node, 7)
    await eventually(lambda: all(client.socket.closed for client in clients))

    assert sum(asked) == 7
    assert len(asked) < 7
    assert [client.socket.closed[0] for client in clients if client.socket.closed] == [1013] * 7


async def test_whom_nobody_knows_is_refused_for_good(
    node: SmallNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def none(
        tokens: Sequence[str], now: datetime, **_: object
    ) -> list[actors.Admitted | None]:
        return [None] * len(tokens)

    monkeypatch.setattr(actors, "admit_tokens", none)
    node.hub.node.authenticator = Sessions(node.clock)
    clients = all_at_once(node, 5)
    await settle()

    assert [client.socket.closed[0] for client in clients if client.socket.closed] == [4403] * 5
