"""How late the event loop runs, and how many new sockets it takes in that state.

Whoever is in already feels each millisecond; a newcomer costs half of one, and can come again. So
while the loop lags few are let in each second: a storm of reconnects is spread out, and makes way
all the same.
"""

from __future__ import annotations

from typing import Final

from realtime.bounds import LAGGING_OPENED_PER_S, LOOP_LAG_COUNTED_MAX_S, LOOP_LAG_MAX_S
from realtime.metrics import Histogram
from realtime.rate import TokenBucket
from realtime.timing import TimerHandle, Timers

LOOK_S: Final = 1.0
"""Between two looks at how late the loop's timers run."""


class LoopWatch:
    """Observes each second how late a timer runs: what every socket of this process waits."""

    def __init__(self, timers: Timers, lag_s: Histogram) -> None:
        self.recent_s = 0.0
        """Half of it is the last look's, a quarter that of the one before, and so on."""
        self._timers = timers
        self._lag_s = lag_s
        self._newcomers = TokenBucket(LAGGING_OPENED_PER_S, LAGGING_OPENED_PER_S, timers.time())
        self._due_at = 0.0
        self._timer: TimerHandle | None = None

    def start(self) -> None:
        """Begin to look."""
        self._due_at = self._timers.time() + LOOK_S
        self._timer = self._timers.call_later(LOOK_S, self._on_time)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def lets_in(self) -> bool:
        """Whether one more socket may be opened now; who is let in while the loop lags counts."""
        if self.recent_s <= LOOP_LAG_MAX_S:
            return True
        return not self._newcomers.take(self._timers.time())

    def _on_time(self) -> None:
        late_s = max(0.0, self._timers.time() - self._due_at)
        self._lag_s.observe(late_s)
        self.recent_s = (self.recent_s + min(late_s, LOOP_LAG_COUNTED_MAX_S)) / 2
        self.start()
