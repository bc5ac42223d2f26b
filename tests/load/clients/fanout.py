"""W2's client: many subscribers of one event, each timed until the last of them has it.

A number goes to the server's control door; the clock runs from just before until the last
subscriber's frame has been read. The next number follows a little later, so nothing queues up.
"""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

from tests.load.clients.crowd import Crowd, Guest
from tests.load.clients.frames import upgrade
from tests.load.clients.window import Window, answer, percentile_ms, read_plan
from tests.load.control import MARK, PREFIX

NUMBERS_A_ROUND = 10_000
GAP_S = 0.02
"""Between the last receipt of one event and the next event."""
PATIENCE_S = 15.0
"""For one event; whoever has not got it by then counts as lost."""
SETTLING_S = 0.8
"""After the last opening: what greets the subscribers has come, the server is idle."""
NAP_A_FRAME_S, NAP_MAX_S = 2e-6, 0.005
LAST_FRAMES = 64
"""While more than so many frames are out, the client naps between two looks, for less than any
server needs to send them: waking for each frame is half of what one costs it. The last ones, which
the clock waits for, are read as they come."""
SETTLING_EVENTS = 100
LAGGING_EVENTS = 60
"""Unmeasured, once there is somebody who does not read: by then its buffers are full."""
CATCHING_UP_S = 10.0


class Audience:
    """The subscribers, and what has come to them of the present event."""

    def __init__(self, plan: dict[str, Any]) -> None:
        request = upgrade(plan["path"], plan["port"], plan["headers"])
        self.crowd = Crowd(plan["ports"], request, plan["openings"], self._hear)
        self.size = len(self.crowd.guests)
        self.slow: Guest | None = None
        self.crowd.invite(plan.get("others", ()))
        self.number = plan["round"] * NUMBERS_A_ROUND
        self.got = self.lost = self.twice = self.slow_got = self.frame_bytes = 0
        self._topic = plan["topic"]
        self._needle = PREFIX
        self._first = self._last = 0.0
        self._control = socket.create_connection(("127.0.0.1", plan["control_port"]))
        self._control.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def publish(self) -> tuple[float, float]:
        """One event; seconds until the first and until the last subscriber had it."""
        self.number += 1
        self.got = 0
        self._needle = b":%d" % (MARK + self.number)
        line = f"{self.number} {self._topic}\n".encode()
        wanted, pump = self.size, self.crowd.pump
        started = time.perf_counter()
        until = started + PATIENCE_S
        self._control.sendall(line)
        while self.got < wanted and time.perf_counter() < until:
            pump(0.05)
            if wanted - self.got > LAST_FRAMES:
                time.sleep(min(NAP_MAX_S, (wanted - self.got) * NAP_A_FRAME_S))
        if self.got < wanted:
            self.lost += wanted - self.got
            self._last = time.perf_counter()
        return self._first - started, self._last - started

    def _hear(self, guest: Guest, payload: bytes) -> None:
        if guest is self.slow:
            self.slow_got += PREFIX in payload
        elif self._needle not in payload:
            self.crowd.note_errors(payload)
        elif guest.seen == self.number:
            self.twice += 1
        else:
            guest.seen = self.number
            self.got += 1
            if self.got == 1:
                self._first, self.frame_bytes = time.perf_counter(), len(payload)
            if self.got == self.size:
                self._last = time.perf_counter()


def measure(audience: Audience, plan: dict[str, Any], *, warm: int, events: int) -> dict[str, Any]:
    """So many events; what a delivery cost and how late the last one came."""
    for _ in range(warm):
        audience.publish()
        audience.crowd.pump_for(GAP_S)
    firsts, lasts, active_s, client_s = [], [], 0.0, 0.0
    window = Window(plan["server_pids"])
    for _ in range(events):
        busy, started = time.process_time(), time.perf_counter()
        first, last = audience.publish()
        active_s += time.perf_counter() - started
        client_s += time.process_time() - busy
        firsts.append(first)
        lasts.append(last)
        audience.crowd.pump_for(GAP_S)
    window.close()
    deliveries = events * audience.size
    return {
        "cpu_us_per_delivery": round(window.server_cpu_s * 1e6 / deliveries, 2),
        "first_p50_ms": percentile_ms(firsts, 0.5),
        "last_p50_ms": percentile_ms(lasts, 0.5),
        "last_p99_ms": percentile_ms(lasts, 0.99),
        # Of the time in which frames were under way; the pauses between events are nobody's load.
        "client_cpu_share": round(client_s / active_s, 3),
    }


def measure_beside_slow(audience: Audience, plan: dict[str, Any]) -> dict[str, Any]:
    """The same with somebody who reads nothing, and then reads after all; and as often without.

    Without comes after it: the kernel would hold much more for a socket that has once been read
    well. The first events are nobody's: the client itself gets slower during them.
    """
    crowd, events = audience.crowd, plan["events"]
    for _ in range(SETTLING_EVENTS):
        audience.publish()
        crowd.pump_for(GAP_S)
    slow = audience.slow = Guest(len(crowd.guests), plan["slow_opening"], is_narrow=True)
    crowd.guests.append(slow)
    if not crowd.open():
        return {"broke": f"the slow reader did not get in; {crowd.reasons}"}
    number = audience.number
    crowd.ignore(slow)
    figures = measure(audience, plan, warm=LAGGING_EVENTS, events=events)
    owed = (audience.number - number) * plan["slow_subscriptions"]
    in_kernel = _in_kernel_bytes(slow)
    crowd.attend(slow)
    crowd.pump(0)
    crowd.pump_until(lambda: audience.slow_got >= owed, CATCHING_UP_S)
    crowd.cut([slow])
    crowd.pump_for(SETTLING_S)
    alone = measure(audience, plan, warm=plan["warm"], events=events)
    return {
        **figures,
        "p99_vs_without": round(figures["last_p99_ms"] / alone["last_p99_ms"], 3),
        "without_cpu_us_per_delivery": alone["cpu_us_per_delivery"],
        "without_p50_ms": alone["last_p50_ms"],
        "without_p99_ms": alone["last_p99_ms"],
        "slow_lost": owed - audience.slow_got,
        # Beyond what the kernel took: kept back by the server, or left to its log.
        "slow_kept_back_kib": round((owed * audience.frame_bytes - in_kernel) / 1024),
    }


def _in_kernel_bytes(guest: Guest) -> int:
    """Bytes for this guest that the kernel holds, at both ends of its connection."""
    assert guest.sock is not None
    port = f":{guest.sock.getsockname()[1]:04X}"
    held = 0
    for line in Path("/proc/net/tcp").read_text().splitlines():
        _, local, remote, _, queues, *_ = line.split()
        sending, _, receiving = queues.partition(":")
        if remote.endswith(port):
            held += int(sending, 16)
        elif local.endswith(port):
            held += int(receiving, 16)
    return held


def run(plan: dict[str, Any]) -> dict[str, Any]:
    """The figures of one run."""
    audience = Audience(plan)
    opening = Window(plan["server_pids"])
    if not audience.crowd.open():
        return {"broke": f"{audience.crowd.ready} are in; {audience.crowd.reasons}"}
    opening.close()
    audience.crowd.pump_for(SETTLING_S)
    if plan.get("slow_opening"):
        figures = measure_beside_slow(audience, plan)
    else:
        figures = measure(audience, plan, warm=plan["warm"], events=plan["events"])
    return {
        **figures,
        "others": len(plan.get("others", ())),
        "subscribers": audience.size,
        "frame_bytes": audience.frame_bytes,
        "opening_cpu_ms": round(opening.server_cpu_s * 1e3 / audience.size, 3),
        "lost": audience.lost,
        "twice": audience.twice,
        **audience.crowd.fault(),
    }


if __name__ == "__main__":
    plan = read_plan()
    answer(run(plan))
