"""Redis fails over: what it carried is lost, the log is not, and health tells the truth."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from redis import asyncio as aioredis

from realtime.bus import BusMessage
from realtime.redis_bus import RedisBus
from tests.support.live import SmallClient, SmallNode, running
from tests.support.redis_server import RedisServer, eventually, private_redis
from tests.support.small_log import SmallLog

SILENT_S = 0.3


class Ear:
    """Remembers how the bus was."""

    def __init__(self) -> None:
        self.health: list[bool] = []

    def heard(self, message: BusMessage) -> None:
        pass

    def bus_health_changed(self, healthy: bool) -> None:
        self.health.append(healthy)


class Victim(RedisBus):
    """Ends without a word."""

    async def _take_leave(self) -> None:
        pass


class Cluster:
    """A primary, its replica, and the address that clients know."""

    def __init__(self, folder: Path) -> None:
        self.primary = RedisServer(folder, name="primary", has_port=True)
        self.replica = RedisServer(folder, name="replica", has_port=True)
        self._address = folder / "redis.sock"
        self.url = f"unix://{self._address}"

    async def start(self) -> None:
        self.primary.start()
        self.replica.start()
        self._address.symlink_to(self.primary.socket)
        await self._tell(self.replica, "REPLICAOF", "127.0.0.1", self.primary.port)

    async def promote(self, *, is_planned: bool) -> None:
        """The replica is the primary now; planned: the former one lives on as its replica."""
        await self._tell(self.replica, "REPLICAOF", "NO", "ONE")
        self._address.unlink()
        self._address.symlink_to(self.replica.socket)
        if is_planned:
            await self._tell(self.primary, "REPLICAOF", "127.0.0.1", self.replica.port)
        else:
            self.primary.stop()

    def stop(self) -> None:
        self.primary.stop()
        self.replica.stop()

    @staticmethod
    async def _tell(server: RedisServer, *command: object) -> None:
        async with aioredis.Redis.from_url(server.url) as client:
            await client.execute_command(*command)


@pytest_asyncio.fixture
async def cluster() -> AsyncIterator[Cluster]:
    with private_redis():  # skips where there is none
        pass
    # Unix socket paths are short: pytest's own temporary folders may be too deep.
    with tempfile.TemporaryDirectory(prefix="uh-redis-") as folder:
        servers = Cluster(Path(folder))
        try:
            await servers.start()
            yield servers
        finally:
            servers.stop()


async def follower(node: SmallNode) -> SmallClient:
    actor = node.sessions.sign_in()
    node.engine.allow(actor, "cv:1")
    client = await node.client().init()
    await client.subscribe("a", "cv:1")
    return client


@pytest.mark.parametrize("is_planned", [False, True])
async def test_a_failover_loses_no_event_and_is_got_over(
    cluster: Cluster, is_planned: bool
) -> None:
    log = SmallLog()
    async with AsyncExitStack() as stack:
        buses = [RedisBus(cluster.url), RedisBus(cluster.url)]
        nodes = [
            await stack.enter_async_context(running(SmallNode(log=log, bus=bus))) for bus in buses
        ]
        ears = [Ear(), Ear()]
        for bus, ear in zip(buses, ears, strict=True):
            bus.listen(ear)
        clients = [await follower(node) for node in nodes]
        await nodes[0].publish("cv:1")
        await eventually(lambda: clients[1].offsets("a") == [1])

        await cluster.promote(is_planned=is_planned)
        await nodes[0].publish("cv:1")
        await nodes[1].publish("cv:1")
        for node in nodes:
            await node.timers.advance(6)
        assert [client.offsets("a") for client in clients] == [[1, 2, 3]] * 2

        async def heard_across() -> None:
            top = len(log.streams["cv:1"][1]) + 1
            await nodes[0].publish("cv:1")
            await eventually(lambda: clients[1].offsets("a")[-1] == top, 0.5)

        await eventually(lambda: all(False in ear.health for ear in ears), 3.0)
        await eventually(lambda: all(bus.healthy for bus in buses), 5.0)
        await heard_across()
    offsets = list(range(1, len(log.streams["cv:1"][1]) + 1))
    assert [client.offsets("a") for client in clients] == [offsets] * 2


async def test_who_dies_makes_the_others_look_at_the_log_and_who_stops_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("realtime.redis_bus.CANARY_S", 0.05)
    monkeypatch.setattr("realtime.canaries.PEER_SILENT_AFTER_S", SILENT_S)
    with private_redis() as server:
        buses = [RedisBus(server.url), RedisBus(server.url), Victim(server.url)]
        for bus in buses:
            await bus.start()
        survivor, leaver, victim = buses
        await eventually(lambda: all(bus.healthy for bus in buses))
        ear = Ear()
        survivor.listen(ear)
        await leaver.stop()
        await asyncio.sleep(1.5 * SILENT_S)
        assert ear.health == []
        await victim.stop()
        await eventually(lambda: not survivor.healthy, 4.0)
        await survivor.stop()
