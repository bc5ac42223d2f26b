"""The one place that reads the wall clock; everything else is told the instant."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

FEDERATION_ZONE = ZoneInfo("Asia/Shanghai")
"""Days are counted where the federation is."""


class SystemClock:
    """The Clock of production."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        return datetime.now(UTC)
