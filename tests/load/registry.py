"""The one table of workloads: a file each, one line here."""

from __future__ import annotations

from tests.load import chat, connections, fanout, query
from tests.load.workload import Workload

WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (chat.WORKLOAD, connections.WORKLOAD, fanout.WORKLOAD, query.WORKLOAD)
}
