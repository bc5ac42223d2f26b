"""The connections of this node: how many there may be, and whose they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING
from uuid import UUID

from realtime.bounds import LiveSettings
from realtime.metrics import Refusal

if TYPE_CHECKING:
    from realtime.connection import Connection

BEAT_SLOTS = 25
"""Connections beat in turns, spread over the interval, so that pings never come all at once."""


class Registry:
    """Every open connection. A connection is pending until it has signed in."""

    def __init__(self, settings: LiveSettings) -> None:
        self._settings = settings
        self._all: dict[Connection, None] = {}
        self._slots: list[dict[Connection, None]] = [{} for _ in range(BEAT_SLOTS)]
        self._pending: Counter[str] = Counter()
        self._accounts: dict[UUID, set[Connection]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._all))

    def refusal(self, client_key: str) -> Refusal | None:
        """Why no more connection from this client may be opened; None: it may."""
        if len(self._all) >= self._settings.connections_max:
            return "full"
        if self._pending[client_key] >= self._settings.pending_per_client_max:
            return "pending"
        return None

    def add(self, connection: Connection) -> None:
        """A socket has been opened; nobody is signed in on it."""
        self._all[connection] = None
        self._slots[connection.id.int % BEAT_SLOTS][connection] = None
        self._pending[connection.edge.client_key] += 1

    def admit(self, connection: Connection, account: UUID | None, session: UUID | None) -> bool:
        """It is this account's now. False: the account has as many as it may."""
        if account is not None:
            held = self._accounts.setdefault(account, set())
            if len(held) >= self._settings.connections_per_account_max:
                return False
            held.add(connection)
        connection.owner = (account, session)
        self._no_longer_pending(connection)
        return True

    def remove(self, connection: Connection) -> None:
        """The socket is gone."""
        if connection not in self._all:
            return
        del self._all[connection]
        del self._slots[connection.id.int % BEAT_SLOTS][connection]
        if connection.owner is None:
            self._no_longer_pending(connection)
            return
        account, _ = connection.owner
        if account is not None:
            self._accounts[account].discard(connection)
            if not self._accounts[account]:
                del self._accounts[account]

    def in_slot(self, slot: int) -> tuple[Connection, ...]:
        """The connections whose hearts beat in this turn."""
        return tuple(self._slots[slot])

    def of_account(self, account: UUID) -> frozenset[Connection]:
        """The open connections of an account."""
        return frozenset(self._accounts.get(account, ()))

    def _no_longer_pending(self, connection: Connection) -> None:
        key = connection.edge.client_key
        self._pending[key] -= 1
        if self._pending[key] <= 0:
            del self._pending[key]
