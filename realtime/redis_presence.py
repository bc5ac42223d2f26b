"""Presence over several processes: a sorted set a scope in Redis, each entry with its end.

Each node owns its entries and renews them; a node that died is forgotten when they run out. While
Redis is away every node tells what it sees by itself: presence may flicker, nothing else suffers.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from contextlib import suppress
from typing import Any

from redis import asyncio as aioredis

from domain.kernel.ports import Announcer
from realtime.presence import GRACE_S, LocalPresence
from realtime.redis_bus import FAILURES, connect, end_tasks
from realtime.timing import TimerHandle, Timers

logger = logging.getLogger(__name__)

ENTRY_S = 45
"""Life of an entry that is not renewed: how long a dead node's accounts seem present."""
RENEW_S = 15.0
"""Between two renewals: two may fail."""
QUEUE_MAX = 4_096
"""Scopes whose changes wait for Redis; renewals make up for what is dropped."""
SCOPES_PAGE_MAX = 500
"""Scopes of one message to Redis: some 20 kB, and a fraction of a millisecond of its time."""
TIMEOUT_S = 0.5
"""A question of presence that takes longer is answered with what this node sees."""

# Entries are "account|node" with their end by Redis's own clock. KEYS[1]: the scope's set.
_NOW = "local now = tonumber(redis.call('TIME')[1])\n"
# Accounts with an entry in force, of this node (ARGV[1]) only where ``own`` says so.
_THERE = """
local function there(own)
  local accounts, suffix = {}, '|' .. ARGV[1]
  for _, entry in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], now, '+inf')) do
    if own or string.sub(entry, -#suffix) ~= suffix then
      accounts[string.match(entry, '^(.*)|') or entry] = true
    end
  end
  return accounts
end
"""
# ARGV: node, life of an entry, how many joined, they, those who left. What is news to the others:
# a renewal may have written this node's own entry before, so that one does not count.
_CHANGE = (
    _NOW
    + _THERE
    + """
local elsewhere, joined, left = there(false), {}, {}
for i = 4, #ARGV do
  local entry, news = ARGV[i] .. '|' .. ARGV[1], left
  if i < 4 + ARGV[3] then
    news = joined
    redis.call('ZADD', KEYS[1], now + ARGV[2], entry)
  else
    redis.call('ZREM', KEYS[1], entry)
  end
  if not elsewhere[ARGV[i]] then news[#news + 1] = ARGV[i] end
end
redis.call('EXPIRE', KEYS[1], 2 * ARGV[2])
return {joined, left}
"""
)
# ARGV: node, life of an entry, this node's accounts. Answers whose last entry has run out.
_RENEW = (
    _NOW
    + _THERE
    + """
for i = 3, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[i] .. '|' .. ARGV[1]) end
redis.call('EXPIRE', KEYS[1], 2 * ARGV[2])
local present, gone = there(true), {}
for _, entry in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. now)) do
  redis.call('ZREM', KEYS[1], entry)
  local account = string.match(entry, '^(.*)|')
  if account and not present[account] then
    present[account], gone[#gone + 1] = true, account
  end
end
return gone
"""
)
# ARGV: node, the grace, this node's accounts. Their entries run out then; the others tell it.
_LEAVE = (
    _NOW
    + """
for i = 3, #ARGV do
  redis.call('ZADD', KEYS[1], 'XX', now + ARGV[2], ARGV[i] .. '|' .. ARGV[1])
end
"""
)
# KEYS[1]: the scopes, by when their entries run out unless some node renews. ARGV: life, scopes.
_INDEX = (
    _NOW + "for i = 2, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[i]) end return 0"
)
# Scopes that no node renews any more, each to one asker. ARGV: how many at most.
_ORPHANS = (
    _NOW
    + """
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. now, 'LIMIT', 0, ARGV[1])
for _, scope in ipairs(found) do redis.call('ZREM', KEYS[1], scope) end
return found
"""
)
_PRESENT = _NOW + "return redis.call('ZRANGEBYSCORE', KEYS[1], now, '+inf')"


class RedisPresence(LocalPresence):
    """What this node sees, told to and joined with what the others see."""

    def __init__(
        self, url: str, announcer: Announcer, timers: Timers, *, prefix: str = "unionhall"
    ) -> None:
        super().__init__(announcer, timers)
        self._node = secrets.token_hex(8)
        self._prefix = prefix
        self._scopes_key = f"{prefix}:presence-scopes"
        self._client = connect(url, socket_timeout=TIMEOUT_S)
        self._changes: deque[tuple[str, list[str], list[str]]] = deque(maxlen=QUEUE_MAX)
        self._turn = asyncio.Lock()
        """Writes reach Redis one by one: a renewal must not bring back who has just left."""
        self._writer: asyncio.Task[None] | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._timer: TimerHandle | None = None

    async def present(self, scope: str) -> frozenset[str]:
        """The accounts in the scope on any node; on this one while Redis is away."""
        here = self.present_here(scope)
        try:
            entries = await self._run(_PRESENT, scope)
        except FAILURES:
            return here
        return here | {entry.decode().rpartition("|")[0] for entry in entries}

    async def start(self) -> None:
        """Begin to renew."""
        self._timer = self._timers.call_later(RENEW_S, self._on_tick)

    async def stop(self) -> None:
        """This node's accounts have their grace to come back elsewhere, if Redis is there."""
        if self._timer is not None:
            self._timer.cancel()
        await end_tasks({task for task in (self._writer, self._renewing) if task is not None})
        held = {scope: sorted(accounts) for scope, accounts in self._accounts.items()}
        await super().stop()
        try:
            for scope, accounts in held.items():
                await self._run(_LEAVE, scope, self._node, round(GRACE_S), *accounts)
            await self._client.aclose()
        except FAILURES as error:
            logger.warning("presence ends by itself in %d s: %s", ENTRY_S, type(error).__name__)

    async def renew(self) -> None:
        """Renew this node's entries and tell of accounts whose nodes have died."""
        try:
            own = list(self._accounts)
            for start in range(0, len(own), SCOPES_PAGE_MAX):
                await self._index(own[start : start + SCOPES_PAGE_MAX])
            for scope in own:
                await self._renew(scope)
            # Those whose only node has died: nobody else renews them.
            for scope in await self._at(self._scopes_key, _ORPHANS, SCOPES_PAGE_MAX):
                await self._renew(scope.decode())
        except FAILURES as error:
            logger.warning("presence not renewed: %s", type(error).__name__)

    async def _renew(self, scope: str) -> None:
        async with self._turn:
            accounts = sorted(self._accounts.get(scope, ()))
            gone = await self._run(_RENEW, scope, self._node, ENTRY_S, *accounts)
        self._tell(scope, [], sorted(account.decode() for account in gone))

    async def _index(self, scopes: list[str]) -> None:
        await self._at(self._scopes_key, _INDEX, ENTRY_S, *scopes)

    def _settle(self, scope: str, joined: list[str], left: list[str]) -> None:
        if joined or left:
            self._changes.append((scope, joined, left))
        if self._writer is None and self._changes:
            self._writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._changes:
                scope, joined, left = self._changes.popleft()
                if joined:
                    with suppress(*FAILURES):
                        await self._index([scope])
                self._tell(scope, *await self._news(scope, joined, left))
        finally:
            self._writer = None

    async def _news(
        self, scope: str, joined: list[str], left: list[str]
    ) -> tuple[list[str], list[str]]:
        """Write it; of these the accounts that no other node has in the scope."""
        try:
            async with self._turn:
                told = await self._run(
                    _CHANGE, scope, self._node, ENTRY_S, len(joined), *joined, *left
                )
        except FAILURES:
            return joined, left
        new, gone = ([account.decode() for account in accounts] for accounts in told)
        return new, gone

    async def _run(self, script: str, scope: str, *args: str | int) -> Any:
        return await self._at(f"{self._prefix}:presence:{scope}", script, *args)

    async def _at(self, key: str, script: str, *args: str | int) -> Any:
        async with asyncio.timeout(TIMEOUT_S):
            return await _evaluate(self._client, script, key, *args)

    def _on_tick(self) -> None:
        self._timer = self._timers.call_later(RENEW_S, self._on_tick)
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self.renew())


async def _evaluate(client: aioredis.Redis, script: str, key: str, *args: str | int) -> Any:
    # redis-py types eval for the blocking and the asyncio client at once.
    answer: Any = client.eval(script, 1, key, *[str(arg) for arg in args])
    return await answer
