"""The log as the live layer reads it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from domain.kernel.streams import Known, LoggedEvent, StreamState
from realtime.bounds import LOG_PAGE_MAX


class Log(Protocol):
    """What the tails need of ``domain.kernel.streams``."""

    async def stream_states(self, ids: Sequence[str]) -> dict[str, StreamState]:
        """Where each stream stands."""
        ...

    async def streams_moved(self, known: Sequence[Known]) -> list[StreamState]:
        """Where those stand now that do not stand as known."""
        ...

    async def read_events(
        self, state: StreamState, after: int, limit: int = LOG_PAGE_MAX
    ) -> list[LoggedEvent]:
        """Events above ``after``, in order."""
        ...


def is_dense(events: Iterable[LoggedEvent], after: int) -> bool:
    """Whether these are the events right after ``after``, without a gap."""
    return all(event.offset == after + n for n, event in enumerate(events, 1))
