"""Who has an open socket in a scope (在线状态): told to the scope's stream as whispers.

A scope is named by its stream, such as one conversation's; presence is never organisation-wide. An
account counts once however many sockets it has, and is "gone" only after a grace: a phone that
changes its network is not a person who left. What changes in a scope is gathered for a moment and
told as one difference; who comes back before it is told never left.
"""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from domain.kernel.ports import Announcer
from domain.kernel.ports import Presence as PresencePort
from domain.kernel.streams import Json
from realtime.timing import TimerHandle, Timers

PRESENCE_CHANGED = "presence.changed"
"""Kind of the whisper; its body: ``{"joined": [account, …], "left": [account, …]}``, sorted."""
BATCH_S = 0.5
"""How long changes of a scope are gathered before they are told."""
ACCOUNTS_PER_SCOPE_MAX = 500
"""Accounts shown in one scope: a service has at most so many windows, a conversation two people.
Whoever comes above it is not shown."""
GRACE_S = 20.0
"""Between an account's last socket in a scope and being told as gone."""


class PresenceBook(PresencePort, Protocol):
    """The kernel's Presence with the side that subscriptions write to."""

    def enter(self, scope: str, account: str) -> None:
        """One more subscription of this account runs in the scope. Never blocks or raises."""
        ...

    def leave(self, scope: str, account: str) -> None:
        """One fewer; each call answers one ``enter``."""
        ...

    async def start(self) -> None:
        """Begin."""
        ...

    async def stop(self) -> None:
        """This node sees nobody any more; other nodes tell who does not come back to them."""
        ...


class LocalPresence:
    """Presence of a single process."""

    def __init__(self, announcer: Announcer, timers: Timers) -> None:
        self._announcer = announcer
        self._timers = timers
        self._counts: Counter[tuple[str, str]] = Counter()
        self._accounts: dict[str, set[str]] = {}
        self._leaving: dict[tuple[str, str], TimerHandle] = {}
        self._changed: dict[str, dict[str, bool]] = {}
        self._batch: TimerHandle | None = None

    async def present(self, scope: str) -> frozenset[str]:
        """The accounts in the scope, those within their grace included."""
        return self.present_here(scope)

    def present_here(self, scope: str) -> frozenset[str]:
        """The accounts in the scope with a socket of this process."""
        return frozenset(self._accounts.get(scope, ()))

    def enter(self, scope: str, account: str) -> None:
        key = (scope, account)
        self._counts[key] += 1
        leaving = self._leaving.pop(key, None)
        if leaving is not None:
            leaving.cancel()
        accounts = self._accounts.setdefault(scope, set())
        if account not in accounts and len(accounts) < ACCOUNTS_PER_SCOPE_MAX:
            accounts.add(account)
            self._note(scope, account, present=True)

    def leave(self, scope: str, account: str) -> None:
        key = (scope, account)
        self._counts[key] -= 1
        assert self._counts[key] >= 0, "left more often than entered"
        if self._counts[key] == 0:
            del self._counts[key]
            if account in self._accounts.get(scope, ()):
                self._leaving[key] = self._timers.call_later(GRACE_S, lambda: self._leave(key))

    async def start(self) -> None:
        """Nothing to begin."""

    async def stop(self) -> None:
        for timer in (*self._leaving.values(), *filter(None, [self._batch])):
            timer.cancel()
        self._batch = None
        self._changed.clear()
        self._leaving.clear()
        self._counts.clear()
        self._accounts.clear()

    def _leave(self, key: tuple[str, str]) -> None:
        scope, account = key
        del self._leaving[key]
        self._accounts[scope].discard(account)
        if not self._accounts[scope]:
            del self._accounts[scope]
        self._note(scope, account, present=False)

    def _note(self, scope: str, account: str, *, present: bool) -> None:
        changes = self._changed.setdefault(scope, {})
        if changes.pop(account, present) is present:
            changes[account] = present
        if self._batch is None:
            self._batch = self._timers.call_later(BATCH_S, self._end_batch)

    def _end_batch(self) -> None:
        self._batch = None
        changed, self._changed = self._changed, {}
        for scope, changes in changed.items():
            joined = sorted(account for account, present in changes.items() if present)
            left = sorted(changes.keys() - set(joined))
            self._settle(scope, joined, left)

    def _settle(self, scope: str, joined: list[str], left: list[str]) -> None:
        self._tell(scope, joined, left)

    def _tell(self, scope: str, joined: list[str], left: list[str]) -> None:
        if joined or left:
            body: dict[str, Json] = {"joined": [*joined], "left": [*left]}
            self._announcer.whisper(scope, PRESENCE_CHANGED, body)
