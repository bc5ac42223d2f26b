"""``python -m tests.load NAME --json [--quick]``: measure, answer one JSON object, exit 0."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import sys
from collections.abc import Mapping

import orjson

from tests.load import machine
from tests.load.progress import elapsed_s
from tests.load.registry import WORKLOADS
from tests.load.workload import FULL, QUICK, Figures, Pace

ROUNDS_MAX = 20
SECONDS_MIN, SECONDS_MAX = 0.5, 30.0
"""Every run is bounded, whatever the command line says."""


def main() -> int:
    """Run what the command line names."""
    options = _options()
    machine.allow_sockets()
    workload = WORKLOADS[options.name]
    figures = asyncio.run(workload.run(_pace(options)))
    answer = {
        "workload": workload.name,
        "is_quick": options.quick,
        **figures,
        "machine": machine.facts(),
        "took_s": round(elapsed_s(), 1),
    }
    if options.json:
        sys.stdout.write(orjson.dumps(answer).decode() + "\n")
        return 0
    sys.stdout.write(_table(answer) + "\n")
    return 0


def _table(answer: Figures) -> str:
    """The medians as Markdown, for people and for docs/performance.md."""
    peers: Mapping[str, Figures] = answer["peers"]
    keys = list(dict.fromkeys(key for figures in peers.values() for key in figures))
    lines = [f"| | {' | '.join(peers)} |", "|---" * (len(peers) + 1) + "|"]
    for key in keys:
        values = [f"{figures[key]:g}" if key in figures else "" for figures in peers.values()]
        lines.append(f"| {key} | {' | '.join(values)} |")
    lines += [f"Left out: {name}: {why}" for name, why in answer.get("left_out", {}).items()]
    lines += [f"Not to be believed: {reason}" for reason in answer["invalid_because"]]
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("name", choices=sorted(WORKLOADS), help="the workload")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--quick", action="store_true", help="within 60 s, for a look")
    parser.add_argument(
        "--rounds", type=int, choices=range(1, ROUNDS_MAX + 1), help="turns of each candidate"
    )
    parser.add_argument(
        "--only", action="append", default=[], metavar="CANDIDATE", help="this one; repeatable"
    )
    parser.add_argument("--seconds", type=_seconds, help="how long each measurement lasts")
    return parser.parse_args()


def _seconds(text: str) -> float:
    return max(SECONDS_MIN, min(SECONDS_MAX, float(text)))


def _pace(options: argparse.Namespace) -> Pace:
    pace = QUICK if options.quick else FULL
    pace = dataclasses.replace(pace, only=frozenset(options.only))
    if options.rounds:
        pace = dataclasses.replace(pace, rounds=options.rounds)
    if options.seconds:
        pace = dataclasses.replace(pace, measure_s=options.seconds)
    return pace


if __name__ == "__main__":
    raise SystemExit(main())
