"""The real server as a process of its own: started, waited for, asked, stopped or killed."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.support.program import Process, started

ROOT = Path(__file__).parents[2]
READY_S_MAX = 30.0
"""Starting takes about two seconds on a quiet machine."""
STOP_S_MAX = 20.0
LOG_CHARS_MAX = 1_000_000
TROUBLE = re.compile(r"Traceback \(most recent call last\)|Task exception was never retrieved")

TEST_ROOT_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
"""The 32 bytes 0…31: the key of every test, and of nothing else."""


class Server:
    """One running server. Its log is kept; ``assert_no_traceback`` reads it."""

    def __init__(self, process: Process, port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self._log = log

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def graphql(self) -> str:
        """The endpoint over HTTP."""
        return f"{self.url}/graphql"

    @property
    def socket(self) -> str:
        """The endpoint over WebSocket."""
        return f"ws://127.0.0.1:{self.port}/graphql"

    @property
    def pid(self) -> int:
        """Of the process that serves."""
        return self.process.pid

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text(errors="replace")[-LOG_CHARS_MAX:]

    def assert_no_traceback(self) -> None:
        """Pass, or fail with the log's end."""
        log = self.log
        assert TROUBLE.search(log) is None, log[-5_000:]

    async def kill(self) -> None:
        """kill -9, at once."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """SIGTERM, and wait for its orderly end; its exit code."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_S_MAX):
            return await self.process.wait()


def free_port() -> int:
    """A port that nobody listens at just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def start(
    database_url: str,
    *,
    port: int | None = None,
    environ: Mapping[str, str] | None = None,
    command: Sequence[str] = ("serve",),
    is_warm: bool = True,
) -> Server:
    """Start a server against the database (as its owner's URL) and wait until it is ready; unless
    it is to be ``is_warm``, as a person starts it, with all that it imports."""
    port = port or free_port()
    folder = Path(tempfile.mkdtemp(prefix="uh-server-"))
    log = folder / "log"
    log.touch()
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("UNIONHALL_", "PORT"))}
    settings = {
        "UNIONHALL_DATABASE_URL": database_url,
        "UNIONHALL_DATA_DIR": str(folder),
        "UNIONHALL_ROOT_KEY": TEST_ROOT_KEY,
        "PORT": str(port),
        "PYTHONPATH": str(ROOT),
    }
    given = inherited | settings | dict(environ or {})
    process = await started(command, folder, given, log, is_warm=is_warm)
    server = Server(process, port, log)
    try:
        await _until_ready(server)
    except BaseException:
        await server.kill()
        raise
    return server


@asynccontextmanager
async def running_server(
    database_url: str,
    *,
    port: int | None = None,
    environ: Mapping[str, str] | None = None,
    is_warm: bool = True,
) -> AsyncIterator[Server]:
    """A server for the block; stopped afterwards, in order. A traceback in its log is a failure."""
    server = await start(database_url, port=port, environ=environ, is_warm=is_warm)
    try:
        yield server
    finally:
        await server.stop()
    server.assert_no_traceback()


async def _until_ready(server: Server) -> None:
    deadline = time.monotonic() + READY_S_MAX
    async with httpx.AsyncClient(trust_env=False) as client:
        while time.monotonic() < deadline:
            assert server.process.returncode is None, f"the server ended:\n{server.log[-5_000:]}"
            try:
                if (await client.get(f"{server.url}/readyz")).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)
    raise TimeoutError(f"not ready in {READY_S_MAX} s:\n{server.log[-5_000:]}")
