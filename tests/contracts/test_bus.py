"""Both buses carry hints and whispers to every listener, and neither ever raises or blocks."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from redis import asyncio as aioredis

from domain.kernel.streams import LoggedEvent
from realtime.announcer import HINT_BODY_MAX_BYTES, HINTS_TOGETHER_MAX, BusAnnouncer
from realtime.bus import Bus, BusMessage, Carried, Hint, Hints, LocalBus, Whisper
from realtime.bus_codec import decode, encode
from realtime.redis_bus import CHANNELS, QUEUE_MAX, RedisBus
from tests.support.clock import THEN
from tests.support.redis_server import RedisServer, eventually, private_redis
from tests.support.timers import settle

EVENT = LoggedEvent("cv:1", "e", 7, "test.said", True, THEN, {"text": "你好", "n": [1, None]}, 3)
HINT = Hint("cv:1", "e", 7, EVENT)
WHISPER = Whisper("cv:1", "typing", {"account": "x"})
LAST = Hint("cv:1", "e", 8)
"""Said last and on the channel of the others: what comes twice comes before it."""


class Ear:
    """Remembers what it heard."""

    def __init__(self) -> None:
        self.heard_messages: list[BusMessage] = []
        self.health: list[bool] = []

    def heard(self, message: BusMessage) -> None:
        self.heard_messages.append(message)

    def bus_health_changed(self, healthy: bool) -> None:
        self.health.append(healthy)


MakeBus = Callable[[], Awaitable[Bus]]


@pytest_asyncio.fixture(params=["local", "redis"])
async def make_bus(request: pytest.FixtureRequest) -> AsyncIterator[MakeBus]:
    """Makes started buses of one network; a local network has one bus only."""
    prefix = f"test-{secrets.token_hex(4)}"
    url = request.getfixturevalue("redis_url") if request.param == "redis" else ""
    async with AsyncExitStack() as stack:

        async def make() -> Bus:
            bus: Bus = RedisBus(url, prefix=prefix) if url else LocalBus()
            await bus.start()
            stack.push_async_callback(bus.stop)
            return bus

        yield make


async def test_every_listener_hears_what_is_published_once(make_bus: MakeBus) -> None:
    bus, ears, far_ear = await make_bus(), (Ear(), Ear()), Ear()
    far = bus if isinstance(bus, LocalBus) else await make_bus()
    for ear in ears:
        bus.listen(ear)
    far.listen(far_ear)
    bus.publish(HINT)
    bus.publish(WHISPER)
    await eventually(lambda: len(far_ear.heard_messages) == 2)
    far.publish(LAST)
    for ear in ears:
        await eventually(lambda ear=ear: LAST in ear.heard_messages)
    assert [ear.heard_messages for ear in ears] == [[HINT, WHISPER, LAST]] * 2


async def test_nobody_is_called_inside_the_publishers_own_stack(make_bus: MakeBus) -> None:
    bus, ear = await make_bus(), Ear()
    bus.listen(ear)
    bus.publish(HINT)
    assert ear.heard_messages == []
    await eventually(lambda: ear.heard_messages)


async def test_a_started_bus_is_healthy(make_bus: MakeBus) -> None:
    assert (await make_bus()).healthy


async def test_publishing_before_the_start_and_after_the_end_does_nothing(
    make_bus: MakeBus,
) -> None:
    bus, ear = await make_bus(), Ear()
    bus.listen(ear)
    await bus.stop()
    bus.publish(HINT)
    await settle()
    assert ear.heard_messages == []
    LocalBus().publish(HINT)


async def test_unspeakable_bodies_never_raise(make_bus: MakeBus) -> None:
    bus = await make_bus()
    bus.publish(Whisper("cv:1", "typing", {"text": "\ud800"}))
    bus.publish(
        Hint("cv:1", "e", 1, LoggedEvent("cv:1", "e", 1, "k", False, THEN, {"t": "\ud800"}))
    )
    BusAnnouncer(bus).announce(a_notice_to(1, {"t": "\ud800"}))
    bus.publish(Hints((("ou:1", "e", 1, 0),), a_notice_to(2, {"t": "\ud800"})[1]))


async def test_a_large_event_travels_as_its_place_only(make_bus: MakeBus) -> None:
    bus, ear = await make_bus(), Ear()
    bus.listen(ear)
    body: dict[str, Any] = {"text": "x" * HINT_BODY_MAX_BYTES}
    BusAnnouncer(bus).announce([EVENT, LoggedEvent("cv:1", "e", 8, "k", False, THEN, body)])
    await eventually(lambda: len(ear.heard_messages) == 2)
    assert ear.heard_messages == [HINT, Hint("cv:1", "e", 8)]


def a_notice_to(streams: int, body: dict[str, Any]) -> list[LoggedEvent]:
    """One fact as the log gives it back: an event a stream, and one body."""
    kind = "notices.published"
    return [LoggedEvent(f"ou:{n}", "e", n, kind, False, THEN, body, n % 3) for n in range(streams)]


@pytest.mark.parametrize("is_large", [False, True])
async def test_a_fact_on_many_streams_is_heard_as_a_hint_of_each(
    make_bus: MakeBus, is_large: bool
) -> None:
    bus, ear = await make_bus(), Ear()
    bus.listen(ear)
    events = a_notice_to(150, {"text": "x" * (HINT_BODY_MAX_BYTES if is_large else 9)})
    BusAnnouncer(bus).announce([EVENT, *events, EVENT])
    await eventually(lambda: len(ear.heard_messages) == 152)
    told = [Hint(e.stream, e.epoch, e.offset, None if is_large else e) for e in events]
    assert ear.heard_messages == [HINT, *told, HINT]


def test_a_notice_to_two_thousand_unions_is_a_few_dozen_messages() -> None:
    published: list[Carried] = []

    class Counting(LocalBus):
        def publish(self, message: Carried) -> None:
            published.append(message)

    events = a_notice_to(2_000, {"text": "x" * 2_048})
    BusAnnouncer(Counting()).announce(events)

    sizes = [len(encode("0" * 16, message)) for message in published]
    assert len(sizes) == -(-2_000 // HINTS_TOGETHER_MAX)
    assert max(sizes) < 10_000
    decoded = [decode(encode("origin", message)) for message in published]
    assert decoded == [("origin", message) for message in published]


def test_the_twins_have_the_same_public_methods() -> None:
    def public(of: type) -> set[str]:
        return {name for name in dir(of) if not name.startswith("_")}

    assert public(LocalBus) == public(RedisBus) == public(Bus)


# Several processes


async def test_every_process_hears_every_other_and_itself_once(redis_url: str) -> None:
    prefix = f"test-{secrets.token_hex(4)}"
    buses = [RedisBus(redis_url, prefix=prefix) for _ in range(3)]
    ears = [Ear() for _ in buses]
    for bus, ear in zip(buses, ears, strict=True):
        bus.listen(ear)
        await bus.start()
    streams = [f"cv:{n}" for n in range(2 * CHANNELS)]
    for stream in streams:
        buses[0].publish(Hint(stream, "e", 1))
    for ear in ears:
        await eventually(lambda ear=ear: len(ear.heard_messages) >= len(streams))
    # Said afterwards on every channel, by two others: what comes twice comes before it.
    for offset, bus in enumerate(buses[1:], 2):
        for stream in streams:
            bus.publish(Hint(stream, "e", offset))
    said = sorted((stream, offset) for stream in streams for offset in (1, 2, 3))
    for ear in ears:
        await eventually(lambda ear=ear: len(ear.heard_messages) >= len(said))
        assert sorted((m.stream, m.offset) for m in ear.heard_messages) == said
    for bus in buses:
        await bus.stop()


async def test_what_is_no_message_of_ours_is_passed_over(redis_url: str) -> None:
    prefix = f"test-{secrets.token_hex(4)}"
    bus, ear = RedisBus(redis_url, prefix=prefix), Ear()
    bus.listen(ear)
    await bus.start()
    async with aioredis.Redis.from_url(redis_url) as client:
        bad = (b"", b"\xff", b"{}", b"[1]", b'["h"]', b'["h","o","s","e",1,[1]]')
        for raw in (*bad, b'["m","o",[[1]],0]', b'["m","o",[],[1]]', b'["m","o",[],null]'):
            await client.publish(f"{prefix}:rt:0", raw)
        await client.publish(f"{prefix}:rt:0", encode("elsewhere", HINT))
    await eventually(lambda: ear.heard_messages)
    assert ear.heard_messages == [HINT]
    await bus.stop()


@pytest.mark.parametrize("message", [HINT, WHISPER, Hint("nt:1", "", 0)])
def test_messages_survive_the_wire(message: BusMessage) -> None:
    assert decode(encode("origin", message)) == ("origin", message)


async def test_a_bus_without_its_server_starts_ill_and_still_serves_its_own_process() -> None:
    bus, ear = RedisBus("unix:///nowhere/redis.sock"), Ear()
    bus.listen(ear)
    await bus.start()
    assert not bus.healthy
    for _ in range(QUEUE_MAX + 10):
        bus.publish(WHISPER)
    await eventually(lambda: len(ear.heard_messages) == QUEUE_MAX + 10)
    await bus.stop()


@asynccontextmanager
async def broken(server: RedisServer, how: str) -> AsyncIterator[None]:
    """The server carries nothing meanwhile."""
    async with aioredis.Redis.from_url(server.url) as client:
        if how == "subscription killed":
            await client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            yield
        elif how == "answering pings alone":
            await client.execute_command("CLIENT", "PAUSE", 60_000, "WRITE")
            yield
            assert await client.ping()
            await client.execute_command("CLIENT", "UNPAUSE")
        else:
            (server.stop if how == "stopped" else server.freeze)()
            yield
            (server.start if how == "stopped" else server.thaw)()


@pytest.mark.parametrize(
    "how", ["stopped", "frozen", "answering pings alone", "subscription killed"]
)
async def test_an_outage_is_noticed_within_two_seconds_and_got_over(how: str) -> None:
    with private_redis() as server:
        bus, other, ears = RedisBus(server.url), RedisBus(server.url), (Ear(), Ear())
        for each, ear in zip((bus, other), ears, strict=True):
            each.listen(ear)
            await each.start()
        await eventually(lambda: bus.healthy and other.healthy)
        for ear in ears:
            ear.health.clear()
        async with broken(server, how):
            await eventually(lambda: [ear.health[:1] for ear in ears] == [[False]] * 2, 2.0)
            bus.publish(HINT)
        await eventually(lambda: bus.healthy and other.healthy, 10.0)

        def is_heard() -> bool:
            bus.publish(WHISPER)
            return WHISPER in ears[1].heard_messages

        await eventually(is_heard)
        await bus.stop()
        await other.stop()


async def test_what_could_not_be_sent_is_sent_when_the_server_is_back() -> None:
    with private_redis() as server:
        bus, other, ear = RedisBus(server.url), RedisBus(server.url), Ear()
        other.listen(ear)
        await bus.start()
        await other.start()
        async with aioredis.Redis.from_url(server.url) as client:
            # The server takes the message in, does nothing with it, and loses the connection.
            await client.execute_command("CLIENT", "PAUSE", 10_000, "WRITE")
            bus.publish(HINT)
            async with asyncio.timeout(5):
                while not any("b" in each["flags"] for each in await client.client_list()):
                    pass  # it is held back as soon as it is there
            await client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            await client.execute_command("CLIENT", "UNPAUSE")
        await eventually(lambda: HINT in ear.heard_messages)
        await bus.stop()
        await other.stop()
