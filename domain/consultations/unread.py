"""What waits unread (未读), told in the account's own stream, so that one page shows it live.

Whether anything waits is told with the message or the mark that changes it, in its transaction:
``message_waiting`` from none to one, ``unread_changed`` by reading. How many there are beyond the
first is counted here a moment after the last message, so that talk costs no second fact a message.
A count is made and told under the lock of the reader's mark: whatever is told last is what holds.
A process that dies takes the counts of its last seconds with it; the next message or mark tells
them, and every page begins with a count of its own (``queries.unread_conversations``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from domain.consultations import facts
from domain.consultations.listings import UNREAD
from domain.kernel.actor import Actor
from domain.kernel.ids import parse_id
from domain.kernel.work import Work, Works

UNREAD_NUDGE = "consultations.unread"
"""``Work.nudge`` with this and ``unread_key`` asks for a count to be told."""
QUIET_S = 1.0
"""After the last message of a burst its count is told."""
TOLD_S_MAX = 10.0
"""In talk without a pause a count is told so often, however busy the conversation."""
TICK_S = 0.5
PENDING_MAX = 10_000
"""Readers waiting in this process; more are told by their next message or mark."""

FINISH_MAX = 1_000
FINISH_S_MAX = 3.0
"""Counts told by a process that ends take a second or two; the next message tells the others."""

_log = logging.getLogger(__name__)


def unread_key(conversation_id: UUID, account_id: UUID) -> str:
    """Names a reader of a conversation in a nudge."""
    return f"{conversation_id}:{account_id}"


async def tell_unread(w: Work, conversation_id: UUID) -> None:
    """The actor is told how many of the other's messages are unread, unless there are none.

    None: then whatever read the last one has told it. Nothing for whoever takes no part now.
    """
    account = w.actor.account()
    await hold_mark(w, conversation_id, account)
    # A statement of its own: it sees what was committed while the lock was waited for.
    count = await count_unread(w, conversation_id, account)
    if count:
        w.record(facts.UnreadChanged(conversation_id, account, count))


async def hold_mark(w: Work, conversation_id: UUID, account_id: UUID) -> None:
    """The reader's mark, locked until this work ends: nobody else tells them a count meanwhile."""
    await w.execute(
        "SELECT 1 FROM consultation_mark WHERE conversation_id = $1 AND account_id = $2 FOR UPDATE",
        conversation_id,
        account_id,
    )


async def count_unread(w: Work, conversation_id: UUID, account_id: UUID) -> int:
    """The other's messages that this reader has not read, to 100; none for who takes no part."""
    rows = await w.fetch(
        f"SELECT {UNREAD} AS n FROM consultation_conversation v JOIN consultation_mark k"
        " ON k.conversation_id = v.id AND k.account_id = $2"
        " WHERE v.id = $1 AND $2 IN (v.member_account_id, v.consultant_account_id)",
        conversation_id,
        account_id,
    )
    return int(rows[0]["n"]) if rows else 0


@dataclass(slots=True)
class _Burst:
    began_at: datetime
    last_at: datetime

    def is_over(self, now: datetime) -> bool:
        quiet, long = timedelta(seconds=QUIET_S), timedelta(seconds=TOLD_S_MAX)
        return now - self.last_at >= quiet or now - self.began_at >= long


class UnreadTeller:
    """Tells the counts that were nudged. One a process.

    It acts as the reader without any capability: row-level security shows it what an account with
    nothing but its own conversations would see.
    """

    def __init__(
        self, works: Works, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._works = works
        self._sleep = sleep
        self._bursts: dict[str, _Burst] = {}

    def __len__(self) -> int:
        return len(self._bursts)

    def nudge(self, key: str) -> None:
        """Remember to tell this reader's count: bounded, never blocks, never raises."""
        now = self._works.clock.now()
        burst = self._bursts.get(key)
        if burst is not None:
            burst.last_at = now
        elif len(self._bursts) < PENDING_MAX:
            self._bursts[key] = _Burst(now, now)

    async def run(self) -> None:
        """Tell until cancelled. A failure of the database is outlived."""
        while True:
            await self._sleep(TICK_S)
            await self.tick()

    async def tick(self) -> None:
        """Tell what is due."""
        now = self._works.clock.now()
        await self._tell([key for key, burst in self._bursts.items() if burst.is_over(now)])

    async def finish(self) -> None:
        """Tell what waits, within a bound: this process ends."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FINISH_S_MAX):
                await self._tell(list(self._bursts)[:FINISH_MAX])

    async def _tell(self, keys: list[str]) -> None:
        for key in keys:
            # Forgotten first: a nudge that arrives meanwhile must not be.
            del self._bursts[key]
            conversation_id, account_id = map(parse_id, key.split(":"))
            if conversation_id is None or account_id is None:
                continue
            try:
                async with self._works.open(Actor(account_id=account_id)) as w:
                    await tell_unread(w, conversation_id)
            except Exception as error:  # the next message tells it
                _log.warning("an unread count was not told: %s", type(error).__name__)
