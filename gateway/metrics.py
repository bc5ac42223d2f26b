"""The figures of this process in Prometheus' text format, read when somebody asks.

Promises: nothing is counted here on the way of a request, and a label is one of a fixed few words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from realtime.metrics import Histogram, LiveMetrics

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
PREFIX: Final = "unionhall_"

COUNTERS: Final = {
    "deliveries": "events and whispers written to operations",
    "renders": "answers rendered",
    "sent_together": "frames that went to the kernel by one call for many; 0: it grants no ring",
    "bytes_out": "bytes of frames handed to sockets",
    "share_poison": "shared renderings that touched a viewer: must stay 0",
    "soft": "times that a socket was found slow",
    "lagging": "times that a subscription went back to the log",
    "closed_slow": "sockets closed because their peer did not read",
    "replay_events": "events replayed",
    "replay_bytes": "bytes replayed",
    "authority_checks": "questions whether a subscription may go on",
    "receipts": "deliveries taken down as automatic receipts",
    "receipts_lost": "deliveries left to the client's own mark",
}
"""Field of LiveMetrics → what it counts."""
LABELLED: Final = {
    "gap_fills": ("cause", "reads of the log because a tail lacked something"),
    "resumes": ("outcome", "how subscriptions began"),
    "refusals": ("reason", "sockets not opened: 403 for a foreign origin, else 503"),
    "close_codes": ("code", "sockets closed by this server"),
}
HISTOGRAMS: Final = {
    "commit_to_socket_s": ("commit_to_socket_seconds", "from a fact's commit to its being written"),
    "bus_lag_s": ("bus_lag_seconds", "from a canary's sending to its coming back"),
    "loop_lag_s": ("loop_lag_seconds", "how late a timer ran"),
    "write_buffer_bytes": (
        "write_buffer_bytes",
        "bytes not taken by a socket at a heartbeat",
    ),
}

Gauges = Callable[[], Mapping[str, float]]
NOTHING_COUNTED: Final[Mapping[str, int]] = {}


class Figures:
    """Everything that the operator may read of one process. ``gauges``: what stands now.

    ``uncovered``: operations that no plan covers, by reason (docs/engine.md).
    """

    def __init__(
        self, live: LiveMetrics, gauges: Gauges, uncovered: Mapping[str, int] = NOTHING_COUNTED
    ) -> None:
        self._live = live
        self._gauges = gauges
        self._uncovered = uncovered
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self) -> bytes:
        """The exposition: ours, then those of the process and the interpreter."""
        return generate_latest(self._registry) + generate_latest(REGISTRY)

    def collect(self) -> Iterable[Metric]:
        """One family a figure."""
        for name, value in self._gauges().items():
            yield GaugeMetricFamily(f"{PREFIX}{name}", name.replace("_", " "), value=value)
        for name, means in COUNTERS.items():
            value = getattr(self._live, name)
            yield CounterMetricFamily(f"{PREFIX}live_{name}", means, value=value)
        for name, (label, means) in LABELLED.items():
            family = CounterMetricFamily(f"{PREFIX}live_{name}", means, labels=[label])
            for key, value in getattr(self._live, name).items():
                family.add_metric([str(key)], value)
            yield family
        interpreted = CounterMetricFamily(
            f"{PREFIX}operations_interpreted", "operations no plan covers", labels=["reason"]
        )
        for reason, count in self._uncovered.items():
            interpreted.add_metric([reason], count)
        yield interpreted
        for name, (shown, means) in HISTOGRAMS.items():
            yield _family(f"{PREFIX}live_{shown}", means, getattr(self._live, name))


def _family(name: str, means: str, histogram: Histogram) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, means)
    uppers = [*(repr(float(bound)) for bound in histogram.bounds), "+Inf"]
    cumulated = accumulate(histogram.counts)
    family.add_metric([], list(zip(uppers, cumulated, strict=True)), histogram.total)
    return family
