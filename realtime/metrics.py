"""What the live layer counts: plain numbers, so that counting costs nothing where bytes are moved.

The gateway reads them when somebody asks. Promises: every key is one of a fixed few, so that
nothing a client sends makes a figure of its own. Refuses: to know of persons, streams or sessions.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, get_args

GapCause: TypeAlias = Literal["hint_lost", "sweep", "epoch"]
"""Why a tail read the log: a hint beyond the next event, a sweep, another epoch."""
ResumeOutcome: TypeAlias = Literal["live", "ring", "log", "lagged", "unrecoverable"]
"""How a subscription began: from now on, from memory, from the log, or refused."""
Refusal: TypeAlias = Literal["origin", "draining", "full", "pending", "lagging"]
"""Why a socket was not opened: a foreign web page, the process ends, it has as many as it may, its
address has as many without a sign-in as it may, the loop lags."""

LATENCY_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Up to the slowest sweep: what comes later has been held up by an outage."""
BUFFER_BOUNDS_BYTES: Final = (0, 1_024, 8_192, 65_536, 524_288)
"""The last two are where a socket counts as slow and where its events are left to the log."""


class Histogram:
    """Observations by size; the last bucket has no upper bound."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Count ``value``, so many times."""
        self.counts[bisect_left(self.bounds, value)] += times
        self.total += value * times

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)


@dataclass(slots=True)
class LiveMetrics:
    """The counters of one process, never reset. Whoever does a thing adds one to its field."""

    deliveries: int = 0
    """Events and whispers written to operations."""
    renders: int = 0
    """Answers rendered; far below the deliveries where sharing works."""
    sent_together: int = 0
    """Frames of fan-outs that went to the kernel by one call for many; else one by one."""
    bytes_out: int = 0
    """Bytes of frames handed to sockets."""
    share_poison: int = 0
    """Shared renderings that touched a viewer; each is a defect of the schema."""
    soft: int = 0
    """Times that a socket was found slow; from then on it is spared whispers."""
    lagging: int = 0
    """Times that a subscription went back to the log because it had missed its turn."""
    closed_slow: int = 0
    """Sockets closed (1013) because their peer did not read."""
    replay_events: int = 0
    replay_bytes: int = 0
    authority_checks: int = 0
    """Questions whether a subscription may go on, asked of the database."""
    receipts: int = 0
    """Deliveries taken down as automatic receipts."""
    receipts_lost: int = 0
    """Deliveries that found no room or could not be written: left to the client's own mark."""
    gap_fills: dict[GapCause, int] = field(
        default_factory=lambda: dict.fromkeys(get_args(GapCause), 0)
    )
    resumes: dict[ResumeOutcome, int] = field(
        default_factory=lambda: dict.fromkeys(get_args(ResumeOutcome), 0)
    )
    refusals: dict[Refusal, int] = field(
        default_factory=lambda: dict.fromkeys(get_args(Refusal), 0)
    )
    """Handshakes answered with 403 (a foreign origin) or 503 (any other reason)."""
    close_codes: Counter[int] = field(default_factory=Counter)
    """Closes by this server, by code: the few of ``realtime.close_codes``."""
    commit_to_socket_s: Histogram = field(default_factory=lambda: Histogram(LATENCY_BOUNDS_S))
    """From the event's ``at`` to its being written, live deliveries only."""
    bus_lag_s: Histogram = field(default_factory=lambda: Histogram(LATENCY_BOUNDS_S))
    """From a canary's sending to its coming back."""
    loop_lag_s: Histogram = field(default_factory=lambda: Histogram(LATENCY_BOUNDS_S))
    """How late a timer ran, measured each second."""
    write_buffer_bytes: Histogram = field(default_factory=lambda: Histogram(BUFFER_BOUNDS_BYTES))
    """What sockets had not taken yet, looked at with each heartbeat."""
