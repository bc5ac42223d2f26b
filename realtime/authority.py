"""Who is at the other end, and whether that still holds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.kernel.actor import Actor
from domain.kernel.streams import StreamState


@dataclass(frozen=True, slots=True)
class Admission:
    """A session in force: its actor as of now, and when the session ends unless refreshed."""

    actor: Actor
    expires_at: datetime | None = None
    changes_at: datetime | None = None
    """When its rights next change by date, which no event will tell."""
    watched: StreamState | None = None
    """Where the account's own stream stood at that look, if the look says so."""


class Authenticator(Protocol):
    """Answers as the database has it; the wiring binds it to the access slice.

    It bounds for itself how much it asks at a time, and sign-ins apart from renewals: a storm of
    reconnects must not hold up a revocation. An answer is never older than its question.
    """

    async def authenticate(
        self, token: str | None, cookie: str | None, *, is_used: bool = True
    ) -> Admission | None:
        """The session of a token, else of a cookie; None: nobody, or a session that has ended.

        ``is_used``: its user is there, so that it is not idle.
        """
        ...

    async def refresh(self, session_id: UUID, *, is_used: bool = False) -> Admission | None:
        """The same session with its grants as they are now; None: it has ended.

        ``is_used``: its user has acted since the last look, so that it is not idle.
        """
        ...


class Standing:
    """What one connection may act as. ``actor`` is None once the session has ended."""

    __slots__ = (
        *("_asking", "_authenticator", "_is_used", "_next"),
        *("actor", "changes_at", "expires_at", "is_doubtful"),
    )

    def __init__(self, admission: Admission, authenticator: Authenticator) -> None:
        self.actor: Actor | None = admission.actor
        self.expires_at = admission.expires_at
        self.changes_at = admission.changes_at
        self.is_doubtful = False
        """Something has changed since the last look that succeeded; set by whoever hears of it."""
        self._authenticator = authenticator
        self._is_used = False
        self._asking: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    def used(self) -> None:
        """The user has acted; the next look says so."""
        self._is_used = True

    async def current(self) -> Actor | None:
        """The actor; while a look is under way, what it finds."""
        look = self._next or self._asking
        if look is not None:
            await asyncio.shield(look)
        return self.actor

    async def renewed(self) -> Actor | None:
        """The actor as the database has it after this call began. Raises what the look raises.

        Those who ask while a look waits to begin share it.
        """
        if self.actor is None or self.actor.session_id is None:
            return self.actor
        if self._next is None:
            self._next = asyncio.create_task(self._renew(self.actor.session_id, self._asking))
            self._next.add_done_callback(_retrieve)
        await asyncio.shield(self._next)
        return self.actor

    async def _renew(self, session_id: UUID, previous: asyncio.Task[None] | None) -> None:
        if previous is not None:
            await asyncio.wait([previous])
        self._asking, self._next = self._next, None
        was_doubtful, self.is_doubtful = self.is_doubtful, False
        try:
            is_used, self._is_used = self._is_used, False
            admission = await self._authenticator.refresh(session_id, is_used=is_used)
            if admission is None:
                self.actor = None
            else:
                self.actor, self.expires_at = admission.actor, admission.expires_at
                self.changes_at = admission.changes_at
        except BaseException:
            self.is_doubtful = self.is_doubtful or was_doubtful
            raise
        finally:
            self._asking = None


def _retrieve(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()  # those who wait get it; nobody waiting is no reason to complain
