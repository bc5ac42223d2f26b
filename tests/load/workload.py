"""What a workload is, and how its candidates take turns: A B A B, medians, ratios of one run."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import orjson

from tests.load import machine
from tests.load.progress import elapsed_s, tell
from tests.load.servers import ROOT, Server

Figures = dict[str, Any]

CLIENT_SHARE_MAX = 0.9
"""A client busier than this on its core measures itself, not the server."""
FOREIGN_CPU_MAX = 0.35
"""Cores that others may burn meanwhile; above it throughput and latency tell little."""
WAIT_S_MAX = 15.0
"""Before one turn; who shares the machine all day must not wait all day."""
QUIET_S = 1.0
QUIET_CPU_MAX = 0.2
"""Cores busy over QUIET_S with no load of ours: background work of an idle machine stays below."""
SHOWN = (
    *("rps", "cpu_us_per_request", "msgs_s", "cpu_us_per_message", "cpu_us_per_delivery"),
    *("last_p50_ms", "rss_kib_per_socket", "connect_cpu_ms", "cpu_ms_per_resume", "served_s"),
    *("publish_to_all_s", "cpu_us_per_confirmation", "p99_ms", "lost", "errors", "broke"),
)
"""Figures worth a glance while the run goes on."""
TOO_LATE = "not measured: the time was up"
CLIENT_TIMEOUT_S = 240
"""For one candidate in one round, everything in; the client's own bounds end it long before."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a run takes."""

    is_quick: bool
    rounds: int
    warm_s: float
    measure_s: float
    patience_s: float
    """How long, in a whole run, turns may wait for others on this machine to be quiet."""
    budget_s: float
    """No turn but the very first begins later than this after the start."""
    only: frozenset[str] = frozenset()
    """Candidates by label, when not all of them are wanted."""


FULL = Pace(is_quick=False, rounds=3, warm_s=1.5, measure_s=5.0, patience_s=90, budget_s=600)
QUICK = Pace(is_quick=True, rounds=1, warm_s=0.5, measure_s=1.5, patience_s=0, budget_s=38)


@dataclass(frozen=True, slots=True)
class Workload:
    """One kind of load and the answer it gives."""

    name: str
    promise: str
    keys: Mapping[str, str]
    """The keys of the answer that goals are written in, and what each one means."""
    run: Callable[[Pace], Coroutine[Any, Any, Figures]]


COMMON_KEYS = {
    "workload": "its name",
    "is_quick": "whether it was a short run: good for a look, not for a comparison of decimals",
    "valid": "false when the client was near the end of its core, or somebody else took the cores",
    "invalid_because": "the reasons, one a line",
    "peers": "medians of each candidate, ours among them",
    "rounds": "every single measurement, in the order they were made",
    "machine": "cores, processor, Python, whether processes were pinned",
    "database": "PostgreSQL's version, and whether a commit was on disk",
    "took_s": "the whole run, set-up and all",
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A server and the client program with the plan that loads it."""

    server: Server
    client: str
    plan: Mapping[str, Any]
    name: str = ""
    """Where one server is loaded in several ways; else the server's own."""
    also: Sequence[Server] = ()
    """Further processes that take their part of the load."""

    @property
    def label(self) -> str:
        """What its figures stand under."""
        return self.name or self.server.name


async def take_turns(
    pace: Pace, candidates: Sequence[Candidate], *, only_round: int | None = None
) -> list[Figures]:
    """Each candidate once a round, the most important first, for as long as the budget lasts.

    ``only_round``: this round alone, for a workload that starts its servers anew for each.
    """
    measured: list[Figures] = []
    patience_s = pace.patience_s
    rounds = range(pace.rounds) if only_round is None else [only_round]
    wanted = [each for each in candidates if not pace.only or each.label in pace.only]
    for number, candidate in product(rounds, wanted):
        name = candidate.label
        if (measured or number) and elapsed_s() > pace.budget_s:
            tell(f"the time is up: round {number + 1} ends before {name}")
            missed = [] if number else wanted[wanted.index(candidate) :]
            measured += [{"round": 0, "peer": each.label, "broke": TOO_LATE} for each in missed]
            break
        patience_s -= await _wait_for_quiet(min(patience_s, WAIT_S_MAX))
        figures = await _measure(candidate, number)
        measured.append({"round": number, "peer": name, **figures})
        tell(f"round {number + 1}: {name}: {_in_short(figures)}")
    return measured


async def _wait_for_quiet(patience_s: float) -> float:
    """The seconds waited until others left the cores alone, or patience ended."""
    waited = 0.0
    while waited < patience_s:
        busy = machine.busy_s()
        await asyncio.sleep(QUIET_S)
        waited += QUIET_S
        if (machine.busy_s() - busy) / QUIET_S < QUIET_CPU_MAX:
            break
    return waited


async def _measure(candidate: Candidate, number: int) -> Figures:
    """One run of the client; beside its own figures what the rest of the machine did."""
    started = time.monotonic()
    busy, postgres = machine.busy_s(), machine.postgres_cpu_s()
    servers = [candidate.server, *candidate.also]
    pids = [server.pid for server in servers]
    server_cpu = machine.cpu_s(*pids)
    plan = {
        **candidate.plan,
        "port": candidate.server.port,
        "ports": [server.port for server in servers],
        "control_port": candidate.server.control_port,
        "server_pids": pids,
        "core": machine.CLIENT_CORE,
        "round": number,
    }
    figures = await _run_client(candidate.client, plan)
    wall = time.monotonic() - started
    client_cpu = figures.pop("client_cpu_total_s", 0.0)
    known = machine.cpu_s(*pids) - server_cpu + client_cpu
    database = machine.grown(postgres, machine.postgres_cpu_s())
    foreign = max(0.0, machine.busy_s() - busy - known - database)
    return {
        **figures,
        "postgres_cpu_share": round(database / wall, 3),
        "foreign_cpu_share": round(foreign / wall, 3),
    }


async def _run_client(client: str, plan: Mapping[str, Any]) -> Figures:
    """The client's figures, or why there are none: one that broke must not end the whole run."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", client),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(orjson.dumps(plan)), CLIENT_TIMEOUT_S)
    except TimeoutError:
        return {"broke": f"the client did not end within {CLIENT_TIMEOUT_S} s"}
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        return {"broke": f"the client ended with {process.returncode}; see above"}
    answer: Figures = orjson.loads(out.splitlines()[-1])
    return answer


def medians(measured: Sequence[Figures]) -> dict[str, Figures]:
    """For each candidate the median of each number."""
    answer: dict[str, Figures] = {}
    for name in dict.fromkeys(figures["peer"] for figures in measured):
        columns: dict[str, list[float]] = {}
        for figures in measured:
            if figures["peer"] == name:
                for key, value in figures.items():
                    if key != "round" and isinstance(value, int | float):
                        columns.setdefault(key, []).append(value)
        answer[name] = {key: _median(values) for key, values in columns.items()}
    return answer


def ratio(measured: Sequence[Figures], key: str, ours: str, other: str) -> float | None:
    """The median over rounds of ours by the other: both of one round, so drift falls out."""
    by_round: dict[int, dict[str, float]] = {}
    for figures in measured:
        if figures.get(key):
            by_round.setdefault(figures["round"], {})[figures["peer"]] = figures[key]
    pairs = [pair for pair in by_round.values() if ours in pair and other in pair]
    return _median([pair[ours] / pair[other] for pair in pairs]) if pairs else None


def total(measured: Sequence[Figures], peer: str, *keys: str) -> int:
    """A count over all rounds of one candidate."""
    own = [figures for figures in measured if figures["peer"] == peer]
    return sum(figures.get(key, 0) for figures in own for key in keys)


def verdict(measured: Sequence[Figures]) -> Figures:
    """Whether the figures may be believed, and why not."""
    reasons = []
    for figures in measured:
        who = f"round {figures['round'] + 1}, {figures['peer']}"
        if "broke" in figures:
            reasons.append(f"{who}: {figures['broke']}")
        if figures.get("client_cpu_share", 0) > CLIENT_SHARE_MAX:
            reasons.append(f"{who}: the client took {figures['client_cpu_share']} of its core")
        if figures.get("foreign_cpu_share", 0) > FOREIGN_CPU_MAX:
            reasons.append(f"{who}: others took {figures['foreign_cpu_share']} of a core")
    return {"valid": not reasons, "invalid_because": reasons}


def _median(values: Sequence[float]) -> float:
    return round(statistics.median(values), 4)


def _in_short(figures: Figures) -> str:
    return "  ".join(f"{key} {figures[key]}" for key in SHOWN if key in figures)
