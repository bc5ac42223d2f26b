"""Unwrapped data keys, remembered for a short while: bounded in number and in time."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from uuid import UUID

from domain.vault.models import Purpose
from domain.vault.seals import DataKey

KEYS_MAX = 10_000
"""About 1 KiB each: every live conversation and the records on the screens of a busy day."""
TTL_S = 30.0
"""A key destroyed by another process opens nothing here after this long."""


class KeyCache:
    """Least recently used out first; nothing older than ``ttl_s`` since it was read."""

    def __init__(
        self,
        *,
        keys_max: int = KEYS_MAX,
        ttl_s: float = TTL_S,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys_max = keys_max
        self._ttl_s = ttl_s
        self._monotonic_s = monotonic_s
        self._kept: OrderedDict[tuple[Purpose, UUID], tuple[float, DataKey | None]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, owner: tuple[Purpose, UUID]) -> DataKey | None:
        """The key, if it is remembered and fresh."""
        entry = self._kept.get(owner)
        if entry is None:
            return None
        if entry[0] < self._monotonic_s():
            del self._kept[owner]
            return None
        self._kept.move_to_end(owner)
        return entry[1]

    def keep(self, owner: tuple[Purpose, UUID], key: DataKey) -> None:
        """Remember a committed key, unless it is shunned."""
        now_s = self._monotonic_s()
        entry = self._kept.get(owner)
        if entry is not None and entry[1] is None and entry[0] >= now_s:
            return
        self._put(owner, (now_s + self._ttl_s, key))

    def shun(self, owner: tuple[Purpose, UUID]) -> None:
        """Forget the key and remember none for a while: its destruction may not be committed yet,
        and a reader that still sees the row must not bring it back."""
        self._put(owner, (self._monotonic_s() + self._ttl_s, None))

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()

    def _put(self, owner: tuple[Purpose, UUID], entry: tuple[float, DataKey | None]) -> None:
        self._kept[owner] = entry
        self._kept.move_to_end(owner)
        while len(self._kept) > self._keys_max:
            self._kept.popitem(last=False)
