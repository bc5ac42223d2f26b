"""W4's client: sockets that come, follow one thing each, and then say nothing."""

from __future__ import annotations

import time
from typing import Any

from tests.load import machine
from tests.load.clients.crowd import Crowd, Guest
from tests.load.clients.frames import upgrade
from tests.load.clients.window import Window, answer, read_plan

WARM = 40
"""Sockets that come and go first, so that no code is loaded while memory is counted."""
SETTLING_S = 3.0


def run(plan: dict[str, Any]) -> dict[str, Any]:
    """The figures of one run."""
    pids, request = plan["server_pids"], upgrade(plan["path"], plan["port"], plan["headers"])
    early = Crowd(plan["ports"], request, plan["openings"][:WARM], _ignore)
    if not early.open():
        return {"broke": f"{early.ready} are in; {early.reasons}"}
    early.cut(early.guests)
    time.sleep(SETTLING_S / 3)

    before_kib = machine.rss_kib(*pids)
    crowd = Crowd(plan["ports"], request, plan["openings"], _ignore)
    window = Window(pids)
    if not crowd.open():
        return {"broke": f"{crowd.ready} are in; {crowd.reasons}"}
    window.close()
    crowd.pump_for(SETTLING_S)
    count = len(crowd.guests)
    return {
        "rss_kib_per_socket": round((machine.rss_kib(*pids) - before_kib) / count, 2),
        "connect_cpu_ms": round(window.server_cpu_s * 1e3 / count, 4),
        "connects_s": round(count / window.wall_s, 1),
        "sockets": count,
        "rss_mib": round(machine.rss_kib(*pids) / 2**10, 1),
        "server_cpu_share": window.server_cpu_share,
        "client_cpu_share": window.client_cpu_share,
        **crowd.fault(),
    }


def _ignore(_guest: Guest, _payload: bytes) -> None:
    return None


if __name__ == "__main__":
    answer(run(read_plan()))
