"""How long something may take: a look now and then at all of it, instead of a timer for each.

A timer is set, cancelled and thrown away each time, and nearly none ever goes off: those of an
operation and of its wait for a connection were a twentieth of what a message cost. Here a block is
put down when it begins and crossed out when it ends; a look stops at the first that has time left.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

LOOKS = 20
"""Looks within one patience: a block is ended at most a twentieth of it too late."""


class Patience:
    """Ends what takes longer than ``seconds``. Use ``limit()`` as a block; for one loop."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._running: dict[Limit, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """Blocks that run."""
        return len(self._running)

    def limit(self) -> Limit:
        """A block that raises TimeoutError inside the task that runs it, once it is too late."""
        return Limit(self)

    def begin(self, limit: Limit) -> None:
        """Put the block down."""
        self._running[limit] = None
        if self._timer is None:
            self._plan()

    def end(self, limit: Limit) -> None:
        """Cross it out."""
        self._running.pop(limit, None)

    def _plan(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self.seconds / LOOKS, self._look)

    def _look(self) -> None:
        self._timer = None
        overdue_from = asyncio.get_running_loop().time() - self.seconds
        while self._running:
            oldest = next(iter(self._running))
            if oldest.begun_at > overdue_from:
                self._plan()
                return
            del self._running[oldest]
            oldest.expire()


class Limit:
    """One block. What ``asyncio.timeout`` does, but for the timer."""

    __slots__ = ("_cancelling", "_is_expired", "_patience", "_task", "begun_at")

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._is_expired = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None, "a block of a task"
        self._task = task
        self._cancelling = task.cancelling()
        self.begun_at = asyncio.get_running_loop().time()
        self._patience.begin(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._patience.end(self)
        if self._is_expired:
            # Whoever else has cancelled the task besides is not kept waiting by us.
            is_ours = self._task.uncancel() <= self._cancelling
            if is_ours and kind is asyncio.CancelledError:
                raise TimeoutError from error

    def expire(self) -> None:
        """The time is up."""
        self._is_expired = True
        self._task.cancel()
