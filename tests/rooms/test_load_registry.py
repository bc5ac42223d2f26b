"""Every workload says what its figures mean, and the goals' keys are among them."""

from __future__ import annotations

import pytest

from tests.load.registry import WORKLOADS
from tests.load.workload import COMMON_KEYS

GOAL_KEYS = {
    "chat": {
        *("msgs_s", "cpu_us_per_message", "cpu_vs_raw", "cpu_vs_node_graphql_ws", "p99_ms"),
        *("lost", "left_out"),
    },
    "connections": {"rss_kib_per_socket", "connect_cpu_ms"},
    "fanout": {
        *("cpu_us_per_delivery", "cpu_vs_websockets_broadcast", "cpu_vs_strawberry"),
        *("cpu_vs_node_graphql_ws", "cpu_vs_mercurius", "left_out"),
        *("last_p50_ms", "last_p99_ms", "lost", "documents", "slow_reader", "n5000"),
    },
    "growth": {"cpu_among_streams", "cpu_two_processes", "two_processes_deliver"},
    "receipts": {
        *("publish_to_all_s", "confirm_p99_ms", "summary_lag_ms", "summary_events_s_max"),
        "lost",
    },
    "resume": {"lost", "doubled", "cpu_ms_per_resume", "served_s", "p99_ms"},
    "query": {
        *("rps", "cpu_vs_raw", "cpu_vs_strawberry", "cpu_vs_graphql_core", "errors"),
        *("operations", "cpu_vs_mercurius", "left_out"),
    },
    "query_growth": {"growth", "errors"},
}


@pytest.mark.parametrize("name", sorted(WORKLOADS))
def test_each_key_of_a_workload_says_what_it_means(name: str) -> None:
    workload = WORKLOADS[name]

    assert workload.name == name
    assert workload.promise
    assert COMMON_KEYS.keys() < workload.keys.keys()
    assert all(workload.keys.values())


@pytest.mark.parametrize("name", sorted(GOAL_KEYS))
def test_the_goals_are_written_in_keys_that_exist(name: str) -> None:
    assert GOAL_KEYS[name] <= WORKLOADS[name].keys.keys()
