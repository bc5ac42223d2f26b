"""The bus between processes over Redis: PUBLISH on a fixed set of channels that every node hears.

Nothing here may be relied on: publishes wait in a bounded queue and the oldest are dropped while
Redis is slow. Whether messages really come through is told by canaries through the whole way
(``realtime.canaries``), not by PING: a wedged subscription answers pings for hours.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import random
import secrets
import zlib
from collections import deque
from typing import Any

from redis import asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from realtime.bus import BusListener, Carried, Hints, LocalBus, Whisper, heard_as
from realtime.bus_codec import decode, encode
from realtime.canaries import CANARY_S, Canaries
from realtime.metrics import LiveMetrics
from realtime.timing import TimerHandle, Timers, pause

logger = logging.getLogger(__name__)

CHANNELS = 64
"""Few enough to subscribe them all once, enough to be spread over a cluster one day."""
QUEUE_MAX = 4_096
"""Messages that wait for Redis, some 40 MB at most; the oldest are dropped first."""
BATCH_MAX = 128
"""Messages of one round trip."""
COMMAND_TIMEOUT_S = 1.0
"""A publish that takes longer is given up, with its batch."""
RECONNECT_AFTER_S = 3.0
"""A subscription without a canary for so long is taken down and made anew."""
BACKOFF_S = 0.5
"""Mean pause before connecting again, jittered."""
END_TRIES_MAX = 20
END_TRY_S = 0.1
"""Cancelling again after this time, so many times."""
LEAVE_S = 0.2
"""How long stopping waits for its last message to be sent."""
START_WAIT_S = 1.0
"""How long starting waits for the first canary."""

FAILURES = (RedisError, OSError, asyncio.TimeoutError)


class DemotedServer(RedisError):
    """The address led to a primary once, and its connection now to a replica."""


class RedisBus:
    """One process's connection to the bus. Listeners of this process hear it without Redis."""

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "unionhall",
        timers: Timers | None = None,
        metrics: LiveMetrics | None = None,
    ) -> None:
        self._url = url
        self._origin = secrets.token_hex(8)
        self._channels = [f"{prefix}:rt:{n}" for n in range(CHANNELS)]
        self._canary_channel = f"{prefix}:rt:canary"
        self._given_timers = timers
        self._canaries = Canaries(self._origin, (metrics or LiveMetrics()).bus_lag_s)
        self._local = LocalBus()
        self._listeners: list[BusListener] = []
        self._queue: deque[tuple[str, bytes]] = deque(maxlen=QUEUE_MAX)
        self._queued = asyncio.Event()
        self._first_health = asyncio.Event()
        self._is_healthy = False
        self._reader_at = 0.0
        self._reader: asyncio.Task[None] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._former: set[asyncio.Task[None]] = set()
        self._timer: TimerHandle | None = None

    @property
    def healthy(self) -> bool:
        return self._is_healthy

    @property
    def _timers(self) -> Timers:
        return self._given_timers or asyncio.get_running_loop()

    async def start(self) -> None:
        await self._local.start()
        self._writer = asyncio.create_task(self._write_forever())
        self._start_reader()
        self._on_tick()
        try:
            async with asyncio.timeout(START_WAIT_S):
                await self._first_health.wait()
        except TimeoutError:
            logger.warning("the bus is not there yet: starting without it")

    async def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._take_leave()
        tasks = {task for task in (self._reader, self._writer, *self._former) if task is not None}
        await end_tasks(tasks)
        await self._local.stop()

    def listen(self, listener: BusListener) -> None:
        self._local.listen(listener)
        self._listeners.append(listener)

    def publish(self, message: Carried) -> None:
        self._local.publish(message)
        try:
            raw = encode(self._origin, message)
        except TypeError:
            if isinstance(message, Whisper):
                return
            raw = encode(self._origin, dataclasses.replace(message, event=None))
        stream = message.places[0][0] if isinstance(message, Hints) else message.stream
        self._enqueue(self._channels[zlib.crc32(stream.encode()) % CHANNELS], raw)

    def _enqueue(self, channel: str, raw: bytes) -> None:
        self._queue.append((channel, raw))
        self._queued.set()

    # Writing

    async def _write_forever(self) -> None:
        client = self._client(socket_timeout=COMMAND_TIMEOUT_S)
        try:
            while True:
                await self._queued.wait()
                self._queued.clear()
                while self._queue:
                    batch = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_MAX))]
                    try:
                        await self._write(client, batch)
                    except FAILURES:
                        self._put_back(batch)
                        await pause(self._timers, _jittered(BACKOFF_S))
        finally:
            await _close(client)

    def _put_back(self, batch: list[tuple[str, bytes]]) -> None:
        """Hints may be told twice, and had better be; an old canary would tell nothing."""
        hints = [each for each in batch if each[0] != self._canary_channel]
        if len(self._queue) + len(hints) <= QUEUE_MAX:
            self._queue.extendleft(reversed(hints))

    async def _write(self, client: aioredis.Redis, batch: list[tuple[str, bytes]]) -> None:
        async with client.pipeline(transaction=False) as pipeline:
            for channel, raw in batch:
                pipeline.publish(channel, raw)
            if any(channel == self._canary_channel for channel, _ in batch):
                pipeline.execute_command("ROLE")
            # Who may not ask for the role is told so: no reason to believe anything bad.
            *_, last = await pipeline.execute(raise_on_error=False)
        if isinstance(last, list) and last[:1] == [b"slave"]:
            # Demoted by a failover: it takes publishes and passes them on to nobody.
            logger.warning("the bus server is none any more: connecting anew")
            self._restart_reader()
            await client.connection_pool.disconnect()
            raise DemotedServer

    # Reading

    def _start_reader(self) -> None:
        self._reader_at = self._timers.time()
        self._reader = asyncio.create_task(self._read_forever())

    def _restart_reader(self) -> None:
        if self._reader is not None:
            former = self._reader
            self._former.add(former)
            former.add_done_callback(self._former.discard)
            former.cancel()
            self._start_reader()
            self._set_health(False)

    async def _read_forever(self) -> None:
        # A cancellation may get lost inside redis-py: a former reader then ends here.
        while self._reader is asyncio.current_task():
            # No socket timeout: an idle subscription is not a broken one.
            client = self._client(socket_timeout=None)
            try:
                await self._read(client)
            except FAILURES as error:
                logger.warning("the bus subscription broke: %s", type(error).__name__)
            finally:
                await _close(client)
            # What is said until the next canary comes is not heard: the log is to be looked at.
            self._set_health(False)
            await pause(self._timers, _jittered(BACKOFF_S))

    async def _read(self, client: aioredis.Redis) -> None:
        async with client.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe(*self._channels, self._canary_channel)
            async for message in subscription.listen():
                self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        if message["channel"] == self._canary_channel.encode():
            self._canaries.heard(message["data"], self._timers.time())
            self._set_health(self._canaries.are_well(self._timers.time()))
            return
        decoded = decode(message["data"])
        if decoded is None or decoded[0] == self._origin:
            return
        for each in heard_as(decoded[1]):
            for listener in self._listeners:
                listener.heard(each)

    # Health

    def _on_tick(self) -> None:
        now = self._timers.time()
        self._timer = self._timers.call_later(CANARY_S, self._on_tick)
        self._enqueue(self._canary_channel, self._canaries.sent(now))
        if not self._canaries.are_well(now):
            self._set_health(False)
        since = max(self._canaries.own_at, self._reader_at)
        if now - since > RECONNECT_AFTER_S:
            self._restart_reader()

    async def _take_leave(self) -> None:
        """Tell the peers, if the server answers at all, that nothing is wrong."""
        if self._is_healthy:
            self._enqueue(self._canary_channel, self._canaries.leaving())
            deadline = self._timers.time() + LEAVE_S
            while self._queue and self._timers.time() < deadline:
                await pause(self._timers, LEAVE_S / 10)

    def _set_health(self, healthy: bool) -> None:
        if healthy == self._is_healthy:
            return
        self._is_healthy = healthy
        self._first_health.set()
        for listener in self._listeners:
            listener.bus_health_changed(healthy)

    def _client(self, *, socket_timeout: float | None) -> aioredis.Redis:
        return connect(self._url, socket_timeout=socket_timeout)


def connect(url: str, *, socket_timeout: float | None) -> aioredis.Redis:
    """A client that fails fast: redis-py's own ten retries would hide an outage for a minute."""
    return aioredis.Redis.from_url(
        url,
        socket_timeout=socket_timeout,
        socket_connect_timeout=COMMAND_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        max_connections=4,
    )


async def end_tasks(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel them until they have ended: redis-py swallows a cancellation now and then."""
    pending = tasks
    for _ in range(END_TRIES_MAX):
        for task in pending:
            task.cancel()
        if pending:
            _, pending = await asyncio.wait(pending, timeout=END_TRY_S)


async def _close(client: aioredis.Redis) -> None:
    try:
        async with asyncio.timeout(COMMAND_TIMEOUT_S):
            await client.aclose()
    except FAILURES:
        pass


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(0.5, 1.5)  # noqa: S311 — spreads load, guards nothing
