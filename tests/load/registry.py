"""The one table of workloads: a file each, one line here."""

from __future__ import annotations

from tests.load import (
    chat,
    connections,
    fanout,
    growth,
    plans,
    query,
    query_growth,
    receipts,
    resume,
)
from tests.load.workload import Workload

WORKLOADS: dict[str, Workload] = {
    each.WORKLOAD.name: each.WORKLOAD
    for each in (
        *(chat, connections, fanout, growth, plans, query, query_growth, receipts, resume),
    )
}
