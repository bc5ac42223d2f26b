"""What is due when, by ticks: nobody is looked at before their turn, however many there are."""

from __future__ import annotations

import math
from typing import Generic, Protocol, TypeVar


class Turn(Protocol):
    """Whatever waits for its tick. ``due`` is the wheel's own."""

    due: int


T = TypeVar("T", bound=Turn)
UNPLANNED = 0
"""No tick: the first is 1."""


class Wheel(Generic[T]):
    """Turns by tick. A turn planned anew counts where it was planned last."""

    def __init__(self, tick_s: float) -> None:
        self._tick_s = tick_s
        self._now = 0
        self._at: dict[int, list[T]] = {}

    def plan(self, turn: T, at_s: float) -> None:
        """Its turn comes with the first tick at or after this instant."""
        tick = max(self._now + 1, math.ceil(at_s / self._tick_s))
        if turn.due != tick:
            turn.due = tick
            self._at.setdefault(tick, []).append(turn)

    def due(self, now_s: float) -> list[T]:
        """Everything whose turn has come; it is planned no more."""
        until = math.floor(now_s / self._tick_s + 1e-6)
        found: list[T] = []
        for tick in sorted(tick for tick in self._at if tick <= until):
            for turn in self._at.pop(tick):
                if turn.due == tick:  # else it was planned anew, or stands here twice
                    turn.due = UNPLANNED
                    found.append(turn)
        self._now = until
        return found
