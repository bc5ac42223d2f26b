"""Time as the live layer takes it: a monotonic instant and timers. The event loop has both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol


class TimerHandle(Protocol):
    """A timer that can be called off."""

    def cancel(self) -> None:
        """Call it off; harmless when it has run."""
        ...


class Timers(Protocol):
    """What an asyncio loop offers; tests pass a twin that stands still."""

    def time(self) -> float:
        """Monotonic seconds."""
        ...

    def call_later(self, delay: float, callback: Callable[[], Any], /) -> TimerHandle:
        """Call ``callback`` on the loop after ``delay`` seconds."""
        ...


async def pause(timers: Timers, delay_s: float) -> None:
    """Return after ``delay_s`` seconds of these timers."""
    woken = asyncio.Event()
    handle = timers.call_later(delay_s, woken.set)
    try:
        await woken.wait()
    finally:
        handle.cancel()
