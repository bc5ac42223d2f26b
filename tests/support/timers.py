"""Timers that stand still until a test moves them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

ROUNDS = 40
"""Rounds of the loop that every chain of ready tasks in these tests ends within."""


@dataclass(eq=False, slots=True)
class ManualTimer:
    at: float
    callback: Callable[[], Any]
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True


class ManualTimers:
    """The Timers of tests."""

    def __init__(self) -> None:
        self._now = 0.0
        self._timers: list[ManualTimer] = []

    def time(self) -> float:
        return self._now

    def call_later(self, delay: float, callback: Callable[[], Any], /) -> ManualTimer:
        timer = ManualTimer(self._now + delay, callback)
        self._timers.append(timer)
        return timer

    def stall(self, seconds: float) -> None:
        """The loop is busy for so long: what is due meanwhile runs with the next advance, late."""
        self._now += seconds

    def fire(self, seconds: float) -> None:
        """Let the time pass at once: due timers run, and no task does."""
        self._now += seconds
        due = [t for t in self._timers if not t.is_cancelled and t.at <= self._now]
        self._timers = [t for t in self._timers if t not in due]
        for timer in sorted(due, key=lambda t: t.at):
            timer.callback()

    async def advance(self, seconds: float) -> None:
        """Let the time pass; timers run at their instants, tasks between them to their ends."""
        until = self._now + seconds
        await settle()
        while due := [t for t in self._timers if not t.is_cancelled and t.at <= until]:
            timer = min(due, key=lambda t: t.at)
            self._timers.remove(timer)
            self._now = max(self._now, timer.at)
            timer.callback()
            await settle()
        self._timers = [t for t in self._timers if not t.is_cancelled]
        self._now = until


async def settle() -> None:
    """Let every task run until it waits for something outside."""
    for _ in range(ROUNDS):
        await asyncio.sleep(0)
