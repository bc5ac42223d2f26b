"""The peers on Node.js do the same work as the Python ones, and a run goes on without them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import strawberry
from graphql import build_schema, lexicographic_sort_schema, print_schema

from tests.load import chat, fanout, machine, node_peers, query
from tests.load.control import event
from tests.load.node_peers import FOLDER, GRAPHQL_WS, MERCURIUS
from tests.load.peers import strawberry_chat, strawberry_fanout, strawberry_query
from tests.load.peers.members import token_of
from tests.load.servers import Program, serving
from tests.load.workload import FULL, QUICK, Pace
from tests.support.node import node

SCRIPTS = {GRAPHQL_WS: "graphql_ws_fanout", MERCURIUS: "mercurius_fanout"}
ALL_SCRIPTS = [*fanout.NODE_SCRIPTS.items(), *chat.NODE_SCRIPTS.items()]
ALL_SCRIPTS += query.NODE_SCRIPTS.items()
SCHEMAS = {
    "fanout": strawberry.Schema(
        strawberry_fanout.Query, subscription=strawberry_fanout.Subscription
    ),
    "chat": strawberry.Schema(
        strawberry_chat.Query, strawberry_chat.Mutation, strawberry_chat.Subscription
    ),
    "query": strawberry.Schema(strawberry_query.Query),
}
BURNING = """
require('crypto').pbkdf2('a', 'b', 200000, 64, 'sha512', () =>
  require('net').createServer().listen({port}, '127.0.0.1'));
"""
"""Works for a tenth of a second in a thread of its own, then listens."""
BURNT_S_MIN = 0.02


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is all of PATH; and the peers' folder without what was installed."""
    folder = tmp_path / "node"
    folder.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(FOLDER / name, folder)
    monkeypatch.setattr(node_peers, "FOLDER", folder)
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    return programs


def test_without_node_the_peers_are_left_out_and_the_reason_is_said(on_path: Path) -> None:
    peers = node_peers.node_peers(FULL, SCRIPTS)

    assert peers.programs == []
    assert peers.left_out.keys() == SCRIPTS.keys()
    assert all("no Node.js" in reason for reason in peers.left_out.values())


def test_with_a_node_that_is_too_old_the_peers_are_left_out(on_path: Path) -> None:
    write_program(on_path / "node", "echo v16.20.2")

    peers = node_peers.node_peers(FULL, SCRIPTS)

    assert peers.programs == []
    assert all("too old" in reason for reason in peers.left_out.values())


def test_without_npm_the_peers_are_left_out(on_path: Path) -> None:
    write_program(on_path / "node", "echo v20.20.2")

    peers = node_peers.node_peers(FULL, SCRIPTS)

    assert peers.programs == []
    assert peers.left_out == dict.fromkeys(SCRIPTS, "no npm")


def test_when_nothing_can_be_installed_the_peers_are_left_out(on_path: Path) -> None:
    write_program(on_path / "node", "echo v20.20.2")
    write_program(on_path / "npm", "exit 1")

    peers = node_peers.node_peers(FULL, SCRIPTS)

    assert peers.programs == []
    assert all("could not install" in reason for reason in peers.left_out.values())


@pytest.mark.parametrize("workload", [fanout, query])
def test_figures_of_a_run_without_them_are_there_with_null_for_their_ratios(workload: Any) -> None:
    measured: list[dict[str, Any]] = [{"round": 0, "peer": "ours", workload.CPU: 10.0}]
    given = {"members": query._Taken(measured, {})} if workload is query else measured

    figures = workload._figures(given)

    assert figures["cpu_vs_mercurius"] is None
    assert figures[workload.CPU] == 10.0


def test_chat_without_them_has_null_for_their_ratio_and_without_ours_has_null_for_all() -> None:
    figures = chat._figures([{"round": 0, "peer": "ours", "cpu_us_per_message": 10.0}])

    assert (figures["cpu_us_per_message"], figures["cpu_vs_node_graphql_ws"]) == (10.0, None)
    assert chat._figures([])["cpu_us_per_message"] is None


@pytest.mark.parametrize(
    ("pace", "started", "left_out"),
    [
        (FULL, {GRAPHQL_WS, MERCURIUS}, set()),
        (QUICK, set(), {GRAPHQL_WS, MERCURIUS}),
        (replace(QUICK, only=frozenset({"ours", MERCURIUS})), {MERCURIUS}, set()),
        (replace(FULL, only=frozenset({"ours"})), set(), set()),
    ],
)
def test_a_quick_run_has_them_only_when_they_are_named(
    on_path: Path, pace: Pace, started: set[str], left_out: set[str]
) -> None:
    write_program(on_path / "node", "echo v20.20.2")
    write_program(on_path / "npm", "/bin/mkdir node_modules")

    peers = node_peers.node_peers(pace, SCRIPTS)

    assert {program.name for program in peers.programs} == started
    assert peers.left_out.keys() == left_out


@pytest.mark.parametrize(("name", "script"), ALL_SCRIPTS)
def test_each_candidate_is_a_program_that_there_is(name: str, script: str) -> None:
    assert name in (GRAPHQL_WS, MERCURIUS)
    assert (FOLDER / f"{script}.mjs").is_file()


@pytest.mark.parametrize("name", SCHEMAS)
def test_they_speak_the_schema_of_the_strawberry_peer(name: str) -> None:
    theirs = build_schema((FOLDER / f"{name}.graphql").read_text())

    in_order = [lexicographic_sort_schema(each) for each in (theirs, SCHEMAS[name]._schema)]
    assert print_schema(in_order[0]) == print_schema(in_order[1])


def test_their_packages_are_exact_and_those_of_the_lock_file() -> None:
    wanted = json.loads((FOLDER / "package.json").read_text())["dependencies"]
    locked = json.loads((FOLDER / "package-lock.json").read_text())["packages"]

    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    assert {name: locked[f"node_modules/{name}"]["version"] for name in wanted} == wanted


def test_they_know_a_member_and_make_an_event_as_the_python_peers_do() -> None:
    token = token_of("member-1")
    asked = [token, token.replace("1", "2", 1), "member-1", "member-1.", None, 7]
    script = (
        "const { isMember } = await import('./members.mjs');"
        "const { event } = await import('./control.mjs');"
        "const asked = JSON.parse(process.argv[1]);"
        "console.log(JSON.stringify([asked.map(isMember), event(7)]));"
    )

    told = run_module(script, orjson.dumps(asked).decode())

    assert told == [[True, False, False, False, False, False], event(7)]


@pytest.mark.skipif(sys.platform != "linux", reason="threads are told by /proc")
async def test_every_thread_of_a_node_server_is_on_the_servers_core_and_counted() -> None:
    async with serving([Program("burning", [node(), "-e", BURNING])]) as servers:
        pid = servers["burning"].pid
        threads = [int(name) for name in os.listdir(f"/proc/{pid}/task")]
        cores = [os.sched_getaffinity(thread) for thread in threads]
        all_s, main_s = machine.cpu_s(pid), cpu_of_thread_s(pid)

    assert len(threads) > 1
    assert not machine.IS_PINNING or cores == [{machine.SERVER_CORE}] * len(threads)
    assert all_s - main_s > BURNT_S_MIN


def cpu_of_thread_s(thread: int) -> float:
    """Seconds of CPU of one thread."""
    return int(Path(f"/proc/{thread}/task/{thread}/schedstat").read_text().split()[0]) / 1e9


def write_program(path: Path, line: str) -> None:
    """A program of one line."""
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def run_module(script: str, argument: str) -> Any:
    """What a module in the peers' folder prints as JSON, with what the peers are told."""
    told = node_peers._program(node(), "any", "any", {}).environment
    done = subprocess.run(
        [node(), "--input-type=module", "-e", script, argument],
        cwd=FOLDER,
        env=dict(told),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)
