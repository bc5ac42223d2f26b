"""A span of measurement as the client sees it: its own CPU and the server's, over the same time."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

import orjson

from tests.load import machine


def read_plan() -> dict[str, Any]:
    """What to do, from standard input; this process moves to the core the plan names."""
    plan: dict[str, Any] = orjson.loads(sys.stdin.buffer.read())
    machine.pin(0, plan["core"])
    return plan


def answer(figures: dict[str, Any]) -> None:
    """Hand the figures to the harness, with all the CPU this client has used."""
    figures["client_cpu_total_s"] = time.process_time()
    sys.stdout.buffer.write(orjson.dumps(figures) + b"\n")


class Window:
    """Opened when measuring begins; ``close`` ends it."""

    def __init__(self, server_pids: Sequence[int]) -> None:
        self._server_pids = server_pids
        self._server_cpu = machine.cpu_s(*server_pids)
        self._client_cpu = time.process_time()
        self._started = time.perf_counter()
        self.wall_s = self.server_cpu_s = self.client_cpu_share = 0.0

    def close(self) -> None:
        """Nothing after this counts."""
        self.wall_s = time.perf_counter() - self._started
        self.server_cpu_s = machine.cpu_s(*self._server_pids) - self._server_cpu
        self.client_cpu_share = round((time.process_time() - self._client_cpu) / self.wall_s, 3)

    @property
    def server_cpu_share(self) -> float:
        """Of one core."""
        return round(self.server_cpu_s / self.wall_s, 3)


def percentile_ms(seconds: Sequence[float], share: float) -> float | None:
    """The value that ``share`` of the measurements do not exceed; None without measurements."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 3)
