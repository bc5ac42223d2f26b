"""The operator is told every counter of the live layer, in Prometheus' words."""

from __future__ import annotations

import dataclasses

from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import COUNTERS, HISTOGRAMS, LABELLED, Figures
from realtime.close_codes import CloseCode
from realtime.metrics import BUFFER_BOUNDS_BYTES, Histogram, LiveMetrics


def samples(figures: Figures) -> dict[tuple[str, tuple[str, ...]], float]:
    """(sample name, values of its labels) → value."""
    families = text_string_to_metric_families(figures.text().decode())
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def test_every_field_of_the_live_layer_is_shown_once() -> None:
    shown = [*COUNTERS, *LABELLED, *HISTOGRAMS]
    assert sorted(shown) == sorted(field.name for field in dataclasses.fields(LiveMetrics))


def test_counters_labels_and_histograms_read_as_prometheus_means_them() -> None:
    live = LiveMetrics(deliveries=7)
    live.gap_fills["sweep"] += 2
    live.close_codes[CloseCode.RESTART] += 3
    for buffered in (0, 100, 100, 10**6):
        live.write_buffer_bytes.observe(buffered)
    told = samples(Figures(live, lambda: {"connections": 5, "draining": True}))

    assert told["unionhall_connections", ()] == 5
    assert told["unionhall_draining", ()] == 1
    assert told["unionhall_live_deliveries_total", ()] == 7
    assert told["unionhall_live_gap_fills_total", ("sweep",)] == 2
    assert told["unionhall_live_gap_fills_total", ("epoch",)] == 0
    assert told["unionhall_live_close_codes_total", ("1012",)] == 3
    buckets = {key[1][0]: v for key, v in told.items() if key[0].endswith("buffer_bytes_bucket")}
    assert buckets == {"0.0": 1, "1024.0": 3, "8192.0": 3, "65536.0": 3, "524288.0": 3, "+Inf": 4}
    assert told["unionhall_live_write_buffer_bytes_sum", ()] == 1_000_200


def test_an_observation_on_a_bound_belongs_to_it() -> None:
    histogram = Histogram(BUFFER_BOUNDS_BYTES)
    histogram.observe(1_024, times=3)
    assert histogram.counts == [0, 3, 0, 0, 0, 0]
    assert (histogram.count, histogram.total) == (3, 3_072)


def test_operations_that_no_plan_covers_are_told_by_reason() -> None:
    told = samples(Figures(LiveMetrics(), dict, {"introspection": 3}))

    assert told["unionhall_operations_interpreted_total", ("introspection",)] == 3
