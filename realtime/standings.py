"""Who asks by HTTP, remembered while it holds: a request need not ask the database once more.

What is remembered is as good as on an open socket, and no better. It follows the account's own
stream and is forgotten at once when authority changes there (with the bus in milliseconds, without
it by the sweep, within 3 s), when a date comes that changes the rights, and soon in any case.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256

from domain.kernel.actor import Actor
from domain.kernel.ports import Clock
from domain.kernel.streams import LoggedEvent
from realtime.authority import Admission, Authenticator
from realtime.tail import Tail
from realtime.tails import Tails
from realtime.timing import TimerHandle, Timers

KEPT_MAX = 5_000
"""Tokens remembered; about 2 kB each with its tail, and a look-up by key every 1.5 s."""
KEPT_S = 30.0
"""After it the database is asked again: half of what the last use of a session is exact to."""


class _Kept:
    """One token's admission. A Follower of its account's stream."""

    __slots__ = ("_standings", "actor", "is_used", "key", "tail", "until")

    def __init__(
        self, standings: Standings, key: bytes, actor: Actor, until: datetime, *, is_used: bool
    ) -> None:
        self._standings = standings
        self.is_used = is_used
        self.key = key
        self.actor = actor
        self.until = until
        self.tail: Tail | None = None

    def authority_changed(self, event: LoggedEvent) -> None:
        """The session may have ended, or the grants have changed."""
        self._standings.forget(self)

    def history_changed(self, tail: Tail) -> None:
        """What was missed may have been a revocation."""
        self._standings.forget(self)


class Standings:
    """Actors by token. Tokens themselves are not kept, only their digests."""

    def __init__(
        self, authenticator: Authenticator, tails: Tails, clock: Clock, timers: Timers
    ) -> None:
        self._authenticator = authenticator
        self._tails = tails
        self._clock = clock
        self._timers = timers
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._clearing: TimerHandle | None = None
        self._commits = 0
        """Of changes of authority, by this process: a look that one overtook is not kept."""

    def __len__(self) -> int:
        return len(self._kept)

    async def actor(self, token: str, *, is_used: bool = True) -> Actor | None:
        """The actor of a token; None: its session has ended, or there never was one.

        ``is_used``: its user is there, so that the session is not idle.
        """
        key = sha256(token.encode("utf-8", "surrogatepass")).digest()
        kept = self._kept.get(key)
        if kept is not None:
            # What was asked for a screen that is left alone has told the database of no use.
            if self._clock.now() < kept.until and (kept.is_used or not is_used):
                return kept.actor
            self.forget(kept)
        commits = self._commits
        admission = await self._authenticator.authenticate(token, None, is_used=is_used)
        if admission is None:
            return None
        if commits == self._commits:
            self._keep(key, admission, is_used=is_used)
        return admission.actor

    def committed(self, events: Sequence[LoggedEvent]) -> None:
        """What this process has just committed counts here before anybody is answered."""
        changed = {event.stream for event in events if event.is_authority}
        self._commits += bool(changed)
        if changed and self._kept:
            for kept in [k for k in self._kept.values() if k.tail and k.tail.stream in changed]:
                self.forget(kept)

    def forget(self, kept: _Kept) -> None:
        """Ask the database when the token comes next."""
        if self._kept.get(kept.key) is kept:
            del self._kept[kept.key]
        if kept.tail is not None:
            self._tails.unfollow([kept.tail], kept)
            kept.tail = None

    def close(self) -> None:
        """Forget everything."""
        if self._clearing is not None:
            self._clearing.cancel()
        for kept in list(self._kept.values()):
            self.forget(kept)

    def _keep(self, key: bytes, admission: Admission, *, is_used: bool) -> None:
        seen = admission.watched
        if seen is None or admission.actor.account_id is None:
            return
        dates = (admission.expires_at, admission.changes_at)
        until = self._clock.now() + timedelta(seconds=KEPT_S)
        until = min([until, *filter(None, dates)])
        kept = _Kept(self, key, admission.actor, until, is_used=is_used)
        kept.tail = self._tails.follow_from(seen, kept)
        if kept.tail is None:
            return
        if kept.tail.epoch != seen.epoch or kept.tail.last > seen.top:
            # Something came after that look: good for this request, and no further.
            self.forget(kept)
            return
        for other in (self._kept.get(key), self._oldest() if len(self) >= KEPT_MAX else None):
            if other is not None:
                self.forget(other)
        self._kept[key] = kept
        if self._clearing is None:
            self._clearing = self._timers.call_later(KEPT_S, self._clear)

    def _oldest(self) -> _Kept:
        return next(iter(self._kept.values()))

    def _clear(self) -> None:
        """Forget those whose time is over; they stand in the order in which they came."""
        self._clearing = None
        now = self._clock.now()
        for kept in [kept for kept in self._kept.values() if kept.until <= now]:
            self.forget(kept)
        if self._kept:
            self._clearing = self._timers.call_later(KEPT_S, self._clear)
