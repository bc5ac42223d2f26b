"""Token buckets: a steady rate with bursts, told the time; and what one socket may do by them."""

from __future__ import annotations

from realtime.bounds import LiveSettings


class TokenBucket:
    """Full at first; one token an operation."""

    __slots__ = ("_at", "_burst", "_per_s", "_tokens")

    def __init__(self, per_s: float, burst: int, now: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._tokens = float(burst)
        self._at = now

    def take(self, now: float) -> float:
        """0 when one was there; else the seconds until one will be."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_s)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._per_s


class Allowance:
    """What one socket may say: frames of any kind, and operations among them."""

    __slots__ = ("_frames", "_operations")

    def __init__(self, settings: LiveSettings, now: float) -> None:
        self._frames = TokenBucket(settings.frames_per_s, settings.frames_burst, now)
        self._operations = TokenBucket(settings.ops_per_s, settings.ops_burst, now)

    def has_frame(self, now: float) -> bool:
        """Whether one more frame may be heard."""
        return not self._frames.take(now)

    def operation_wait_s(self, now: float) -> float:
        """0 when one more operation may start; else the seconds until one may."""
        return self._operations.take(now)
