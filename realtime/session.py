"""The session of one socket: signing in, and watching whether it still holds.

The account's own stream (``me:``) tells of sign-outs and of changes of its grants; each such event
stops every subscription of the socket at once, until the database has been asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain.kernel.actor import Actor
from domain.kernel.ports import GraphQLRequest
from domain.kernel.streams import LoggedEvent, StreamState, account_stream
from realtime.attendance import is_nobody_there
from realtime.authority import Standing
from realtime.bounds import TOKEN_MAX
from realtime.node import Node
from realtime.tail import Tail
from realtime.timing import TimerHandle

DUE_MIN_S = 0.05
"""Between two looks at a date that has come: clocks of this process and its timers may differ."""
DUE_MAX_S = 3_600.0
"""Further dates are looked for again by then; timers of years are no use to anybody."""


class Session:
    """Whose socket it is. A Follower of the account's stream that is never delivered to."""

    __slots__ = (
        *("_cookie", "_due", "_is_unattended", "_is_watched", "_node", "_on_change", "_standing"),
        "_tails",
    )

    def __init__(self, node: Node, cookie: str | None, on_change: Callable[[], None]) -> None:
        self._node = node
        self._cookie = cookie
        self._on_change = on_change
        self._standing: Standing | None = None
        self._tails: list[Tail] = []
        self._is_unattended = False
        self._is_watched = False
        self._due: TimerHandle | None = None

    @property
    def actor(self) -> Actor | None:
        """The actor as last seen."""
        return self._standing.actor if self._standing is not None else None

    @property
    def account(self) -> UUID | None:
        """The account, if anybody's."""
        return self.actor.account_id if self.actor is not None else None

    @property
    def id(self) -> UUID | None:
        """The session's id, if there is one."""
        return self.actor.session_id if self.actor is not None else None

    @property
    def expires_at(self) -> datetime | None:
        """When it ends unless refreshed, as last seen."""
        return self._standing.expires_at if self._standing is not None else None

    @property
    def is_expired(self) -> bool:
        """Whether that time has come."""
        return self.ends_within(0)

    def ends_within(self, seconds: float) -> bool:
        """Whether it ends so soon, as last seen."""
        latest = self._node.clock.now() + timedelta(seconds=seconds)
        return self.expires_at is not None and latest >= self.expires_at

    def must_look(self, within_s: float) -> bool:
        """Whether it ends so soon, or something has changed since the last look that succeeded."""
        is_doubtful = self._standing is not None and self._standing.is_doubtful
        return is_doubtful or self.ends_within(within_s)

    async def sign_in(self, payload: Mapping[str, Any]) -> bool:
        """Whether the token in the payload, else the cookie, names a session in force.

        Raises what the database raises.
        """
        self._is_unattended = is_nobody_there(payload)
        token = payload.get("token")
        if token is not None and not (isinstance(token, str) and 0 < len(token) <= TOKEN_MAX):
            return False
        cookie, self._cookie = self._cookie, None
        node = self._node
        admission = await node.authenticator.authenticate(
            token, None if token else cookie, is_used=not self._is_unattended
        )
        if admission is None:
            return False
        self._standing = Standing(admission, node.authenticator)
        if self.account is None:
            return True
        if not await self._watch(account_stream(self.account), admission.watched):
            return await self.standing(renew=True) is not None
        self._arm()
        return True

    async def _watch(self, stream: str, seen: StreamState | None) -> bool:
        """Follow the account's stream. Whether the admission is as new as all that is heard so far;
        else it is to be looked at once more, so that no sign-out in between is missed."""
        tails = self._node.tails
        tail = tails.follow_from(seen, self) if seen is not None else None
        self._tails = [tail] if tail is not None else await tails.follow([stream], self)
        self._is_watched = True
        tail = self._tails[0]
        return seen is not None and tail.epoch == seen.epoch and tail.last <= seen.top

    def asked(self, request: GraphQLRequest) -> None:
        """An operation begins: the session is not idle, unless nobody is there.

        What comes back by itself resumes what it follows; a query or mutation tells of a person.
        """
        if self._standing is None or is_nobody_there(request.extensions):
            return
        if not (self._is_unattended and self._follows(request)):
            self._standing.used()

    def _follows(self, request: GraphQLRequest) -> bool:
        actor = self.actor
        return actor is not None and self._node.engine.kind(request, actor) == "subscription"

    async def standing(self, *, renew: bool) -> Actor | None:
        """The actor: as last seen, or as the database has it now. None: the session has ended.

        After a change nobody acts on what was seen before it, even if looks fail: then it raises.
        """
        assert self._standing is not None, "an operation before signing in"
        renew = renew or self._standing.is_doubtful
        actor = await (self._standing.renewed() if renew else self._standing.current())
        if renew:
            self._arm()
        return None if renew and self.is_expired else actor

    def end(self) -> None:
        """The socket closes: watch no more."""
        self._is_watched = False
        if self._due is not None:
            self._due.cancel()
            self._due = None
        self._node.tails.unfollow(self._tails, self)

    # As a follower of the account's stream

    def authority_changed(self, event: LoggedEvent) -> None:
        """The session may have ended, or the grants have changed."""
        self._changed()

    def history_changed(self, tail: Tail) -> None:
        """What was missed may have been a revocation."""
        self._changed()

    def _arm(self) -> None:
        """Be woken when the session ends or its rights change by date, to stop and look again."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if self._standing is None or not self._is_watched:
            return
        due = [
            at for at in (self._standing.expires_at, self._standing.changes_at) if at is not None
        ]
        if due:
            in_s = (min(due) - self._node.clock.now()).total_seconds()
            in_s = min(max(in_s, DUE_MIN_S), DUE_MAX_S)
            self._due = self._node.timers.call_later(in_s, self._is_due)

    def _is_due(self) -> None:
        self._due = None
        self._changed()

    def _changed(self) -> None:
        # Before it is watched, signing in is still to look once more.
        if self._is_watched:
            assert self._standing is not None, "watched before signing in"
            self._standing.is_doubtful = True
            self._on_change()
