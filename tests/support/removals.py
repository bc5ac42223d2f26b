"""Rights that come and go under load, and the proof that nobody got what was no longer theirs."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from typing import Any
from uuid import UUID

from domain.kernel.streams import Json
from tests.support.live_client import Following, LiveClient

RETRY_S = 0.25
"""From a refusal until it is asked again, unless a right was given meanwhile: a socket may start 20
operations a second. Who was cut off while it ran asks at once."""

SEEN = "MEMBER"
"""The role by which whispers are marked: nobody of this role has a socket."""
JOINED_MAX, TOLD_TWICE = 25, 2
"""What is held for somebody and merged names everybody once: it tells no turn."""
IN_FLIGHT_S = 1.0
"""From the saying of a whisper to its arrival; of typing it isn't known when it was said."""


@dataclass(slots=True)
class Span:
    """Offsets that an account may read, from an instant on."""

    first: int
    began_at: float
    until: int | None = None
    """The first offset that is no longer theirs."""


@dataclass(slots=True)
class Oracle:
    """Who may read what, as the log orders it."""

    spans: dict[tuple[UUID, str], list[Span]] = field(default_factory=lambda: defaultdict(list))
    removals: int = 0
    given: dict[UUID, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))
    """Of each account: it was given a right since somebody last looked."""

    def allow(self, account: UUID, stream: str, first: int, began_at: float) -> None:
        """From ``first`` on; ``began_at``: an instant before the commit."""
        self.spans[account, stream].append(Span(first, began_at))
        self.given.pop(account, asyncio.Event()).set()

    def remove(self, account: UUID, stream: str, until: int) -> None:
        """Everything from ``until`` on is no longer theirs."""
        self.spans[account, stream][-1].until = until
        self.removals += 1

    def allows(self, account: UUID, stream: str, offset: int, at: float) -> bool:
        """Whether the account may have received the event then."""
        return any(
            span.first <= offset
            and (span.until is None or offset < span.until)
            and span.began_at <= at
            for span in self.spans[account, stream]
        )


@dataclass(slots=True)
class Turns:
    """Whose turn it is in a conversation. Each whisper tells in which turn it was said.

    The n-th turn is told by who is here, as often as n says, and by who is typing, as whether n is
    even: no whisper has an offset.
    """

    holders: list[UUID] = field(default_factory=list)
    began_at: list[float] = field(default_factory=list)
    """An instant before each began."""

    def begin(self, account: UUID, began_at: float) -> None:
        """The next turn is this account's."""
        self.holders.append(account)
        self.began_at.append(began_at)

    def presence(self, account: UUID) -> dict[str, Json]:
        """The body that says which turn it is, by an account that both of the two may see."""
        left, joined = divmod(len(self.holders) - 1, JOINED_MAX)
        return {"joined": [str(account)] * (joined + TOLD_TWICE), "left": [str(account)] * left}

    @property
    def is_even(self) -> bool:
        """What typing says of it."""
        return len(self.holders) % 2 == 1

    def turns_of(self, event: dict[str, Any], at: float) -> list[int]:
        """In which turns this whisper may have been said; none: it is not of ours."""
        if event["__typename"] == "PresenceChanged":
            joined, left = event["joined"].count(SEEN), event["left"].count(SEEN)
            return [left * JOINED_MAX + joined - TOLD_TWICE] if joined >= TOLD_TWICE else []
        ends = [*self.began_at[1:], inf]
        return [
            turn
            for turn, (begun, ended) in enumerate(zip(self.began_at, ends, strict=True))
            if (turn % 2 == 0) == (event["role"] == SEEN)
            and begun <= at
            and at - ended <= IN_FLIGHT_S
        ]

    def allows(self, account: UUID, turn: int, at: float) -> bool:
        """Whether it is theirs: who had the turn, or has had the next one since."""
        is_next = turn + 1 < len(self.holders) and at >= self.began_at[turn + 1]
        return account in self.holders[turn : turn + 1 + is_next]


class Watcher:
    """One subscription that is asked for again and again, by whoever has the right or had it."""

    def __init__(
        self, client: LiveClient, oracle: Oracle, account: UUID, query: str, **variables: Any
    ) -> None:
        self._client = client
        self._oracle = oracle
        self._account = account
        self._query = query
        self._variables = variables
        self._following: Following | None = None
        self.received: list[tuple[str, int, float]] = []
        self.whispers: list[tuple[dict[str, Any], float]] = []
        self.cut_offs = 0
        """Times that it ran and was ended for want of permission."""
        self.codes: set[str] = set()

    def is_of(self, accounts: Collection[UUID], query: str) -> bool:
        """Whether one of these follows this here."""
        return self._account in accounts and self._query == query

    @property
    def runs(self) -> bool:
        """Whether it follows now."""
        following = self._following
        return following is not None and following.live.is_set() and not following.is_over

    async def watch(self) -> None:
        """Follow; when it ends, go on from the last position, or from now where that is gone."""
        since: dict[str, tuple[str, int]] = {}
        while True:
            given = self._oracle.given[self._account]
            following = await self._client.follow(
                self._query, self._note, since=since, **self._variables
            )
            self._following = following
            await following.live.wait()
            was_live = not following.over.is_set()
            await following.over.wait()
            code = following.errors[0]["extensions"]["code"]
            self.codes.add(code)
            self.cut_offs += was_live and code == "RT_FORBIDDEN"
            since = {} if code == "RT_UNRECOVERABLE" else dict(following.since)
            if not was_live:
                with suppress(TimeoutError):
                    await asyncio.wait_for(given.wait(), RETRY_S)

    def _note(self, data: dict[str, Any]) -> None:
        (event,) = data.values()
        if event.get("cursor"):
            stream, _, offset = event["cursor"].rsplit(":", 2)
            self.received.append((stream, int(offset), time.monotonic()))
        elif event["__typename"] in ("PresenceChanged", "TypingSignalled"):
            self.whispers.append((event, time.monotonic()))

    def forbidden(self, oracle: Oracle) -> list[tuple[str, int]]:
        """What came although it was not, or no longer, theirs."""
        return [
            (stream, offset)
            for stream, offset, at in self.received
            if not oracle.allows(self._account, stream, offset, at)
        ]

    def overheard(self, turns: Turns) -> list[tuple[str, float]]:
        """Whispers that came although they were said after the removal."""
        return [
            (event["__typename"], at)
            for event, at in self.whispers
            if (said := turns.turns_of(event, at))
            and not any(turns.allows(self._account, turn, at) for turn in said)
        ]


async def watching(watchers: list[Watcher], trouble: Callable[[], Any]) -> None:
    """All watch while the trouble runs."""
    tasks = [asyncio.create_task(watcher.watch()) for watcher in watchers]
    try:
        await trouble()
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        assert isinstance(result, asyncio.CancelledError), result
