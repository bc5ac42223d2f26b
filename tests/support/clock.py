"""A clock that stands still until a test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

THEN = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


class FrozenClock:
    """The Clock of tests."""

    def __init__(self, now: datetime = THEN) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def advance(self, **by: float) -> None:
        """Move on by a timedelta's keywords."""
        self._now += timedelta(**by)
