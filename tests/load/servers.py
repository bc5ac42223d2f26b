"""Server processes under measurement: started on their core, ready when they listen, ended."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests.load import machine

ROOT = Path(__file__).resolve().parents[2]
PORTS = {"PORT": "{port}", "CONTROL_PORT": "{control_port}"}
"""How a peer is told where to listen."""
START_TIMEOUT_S = 30
"""A server on a busy machine; the slowest peer needs two seconds."""
STOP_TIMEOUT_S = 5
POLL_S = 0.05
LOG_TAIL_CHARS = 2_000


class ServerFailed(Exception):
    """A server did not come up; the message ends with what it wrote."""


@dataclass(frozen=True, slots=True)
class Program:
    """A server to measure: how to start it.

    ``{port}`` and ``{control_port}`` in arguments and values are the ports it gets.
    """

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Server:
    """A running one."""

    name: str
    pid: int
    port: int
    control_port: int


def peer(module: str, name: str, **environment: str) -> Program:
    """One of ``tests/load/peers``; it listens where PORT says."""
    arguments = [sys.executable, "-m", f"tests.load.peers.{module}"]
    return Program(name, arguments, PORTS | environment)


@asynccontextmanager
async def serving(programs: Sequence[Program]) -> AsyncIterator[dict[str, Server]]:
    """All of them, each on its own port, as long as the block runs."""
    started: list[tuple[subprocess.Popen[bytes], IO[bytes]]] = []
    try:
        servers = {}
        for program in programs:
            ports = {"{port}": _free_port(), "{control_port}": _free_port()}
            log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with its process, below
            process = _start(program, ports, log)
            started.append((process, log))
            servers[program.name] = Server(program.name, process.pid, *ports.values())
        for server, (process, log) in zip(servers.values(), started, strict=True):
            await _await_listening(server, process, log)
        yield servers
    finally:
        for process, _ in started:
            _tell_to_end(process, signal.SIGTERM)
        for process, log in started:
            _await_end(process)
            log.close()


def _start(program: Program, ports: Mapping[str, int], log: IO[bytes]) -> subprocess.Popen[bytes]:
    def filled(text: str) -> str:
        for place, port in ports.items():
            text = text.replace(place, str(port))
        return text

    # What the caller's environment says of another server of ours is none of this one's business.
    inherited = {key: value for key, value in os.environ.items() if "UNIONHALL" not in key}
    given = {key: filled(value) for key, value in program.environment.items()}
    with machine.starting_on(machine.SERVER_CORE):
        return subprocess.Popen(
            [filled(argument) for argument in program.arguments],
            cwd=ROOT,
            env=inherited | given,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


async def _await_listening(
    server: Server, process: subprocess.Popen[bytes], log: IO[bytes]
) -> None:
    for _ in range(int(START_TIMEOUT_S / POLL_S)):
        if process.poll() is not None:
            break
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        except OSError:
            await asyncio.sleep(POLL_S)
            continue
        writer.close()
        return
    log.seek(0)
    said = log.read().decode(errors="replace")[-LOG_TAIL_CHARS:]
    raise ServerFailed(f"{server.name} does not listen after {START_TIMEOUT_S} s:\n{said}")


def _tell_to_end(process: subprocess.Popen[bytes], sign: signal.Signals) -> None:
    if process.poll() is None:
        os.killpg(process.pid, sign)  # its own group: only what it started itself


def _await_end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        _tell_to_end(process, signal.SIGKILL)
        process.wait(STOP_TIMEOUT_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
