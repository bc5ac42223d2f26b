"""The one table of workloads: a file each, one line here."""

from __future__ import annotations

from tests.load import chat, fanout, query
from tests.load.workload import Workload

WORKLOADS: dict[str, Workload] = {
    workload.name: workload for workload in (chat.WORKLOAD, fanout.WORKLOAD, query.WORKLOAD)
}
