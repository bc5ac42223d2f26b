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
from domain.kernel.streams import LoggedEvent, account_stream
from realtime.authority import Standing
from realtime.bounds import TOKEN_MAX
from realtime.node import Node
from realtime.tail import Tail


class Session:
    """Whose socket it is. A Follower of the account's stream that is never delivered to."""

    __slots__ = ("_cookie", "_is_watched", "_node", "_on_change", "_standing", "_tails")

    def __init__(self, node: Node, cookie: str | None, on_change: Callable[[], None]) -> None:
        self._node = node
        self._cookie = cookie
        self._on_change = on_change
        self._standing: Standing | None = None
        self._tails: list[Tail] = []
        self._is_watched = False

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

    async def sign_in(self, payload: Mapping[str, Any]) -> bool:
        """Whether the token in the payload, else the cookie, names a session in force.

        Raises what the database raises.
        """
        token = payload.get("token")
        if token is not None and not (isinstance(token, str) and 0 < len(token) <= TOKEN_MAX):
            return False
        cookie, self._cookie = self._cookie, None
        node = self._node
        async with node.sign_in_gate:
            admission = await node.authenticator.authenticate(token, None if token else cookie)
        if admission is None:
            return False
        self._standing = Standing(admission, node.authenticator, node.renew_gate)
        if self.account is None:
            return True
        # Watched first and then looked at once more: a sign-out in between is not missed.
        self._tails = await node.tails.follow([account_stream(self.account)], self)
        self._is_watched = True
        return await self.standing(renew=True) is not None

    def used(self) -> None:
        """The user has acted: the session is not idle."""
        if self._standing is not None:
            self._standing.used()

    async def standing(self, *, renew: bool) -> Actor | None:
        """The actor: as last seen, or as the database has it now. None: the session has ended."""
        assert self._standing is not None, "an operation before signing in"
        actor = await (self._standing.renewed() if renew else self._standing.current())
        return None if renew and self.is_expired else actor

    def end(self) -> None:
        """The socket closes: watch no more."""
        self._is_watched = False
        self._node.tails.unfollow(self._tails, self)

    # As a follower of the account's stream

    def authority_changed(self, event: LoggedEvent) -> None:
        """The session may have ended, or the grants have changed."""
        self._changed()

    def history_changed(self, tail: Tail) -> None:
        """What was missed may have been a revocation."""
        self._changed()

    def fell_behind(self, tail: Tail) -> None:
        """Nothing is lost: changes of authority are heard when the tail takes them."""

    def wants(self, event: LoggedEvent) -> bool:
        """Nothing is delivered."""
        return False

    async def deliver(self, event: LoggedEvent) -> None:
        """Never called."""

    def _changed(self) -> None:
        # Before it is watched, signing in is still to look once more.
        if self._is_watched:
            self._on_change()
