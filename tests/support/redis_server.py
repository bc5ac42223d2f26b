"""A Redis for the tests: given by the environment, or an ephemeral one on a Unix socket."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

START_MAX_S = 10.0
START_TRIES = 5


class RedisServer:
    """A private server that a test may stop, freeze and start again."""

    def __init__(self, folder: Path, *, name: str = "redis", has_port: bool = False) -> None:
        self.socket = folder / f"{name}.sock"
        self.port = 0
        """Replicas need one; known once started."""
        self._has_port = has_port
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self.socket}"

    def start(self) -> None:
        for _ in range(START_TRIES):
            # Somebody may hold the port; below those that outgoing connections are given.
            self.port = random.randint(20_000, 32_000) if self._has_port else 0
            if self._starts():
                return
        raise AssertionError("redis-server does not start")

    def _starts(self) -> bool:
        self._process = subprocess.Popen(
            [
                *("redis-server", "--port", str(self.port), "--unixsocket", str(self.socket)),
                *("--save", "", "--appendonly", "no", "--dir", str(self.socket.parent)),
                *("--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0"),
            ],
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_MAX_S
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                return False
            time.sleep(0.01)
        return True

    def _listens(self) -> bool:
        # Its file is there a moment before anybody listens at it.
        with socket.socket(socket.AF_UNIX) as caller:
            return caller.connect_ex(str(self.socket)) == 0

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None
            self.socket.unlink(missing_ok=True)

    def freeze(self) -> None:
        """It accepts and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def private_redis() -> Iterator[RedisServer]:
    """A server of one's own. Skips, visibly, where none is installed; in CI that is a failure."""
    if shutil.which("redis-server") is None:
        if os.environ.get("CI"):
            pytest.fail("redis-server is not installed")
        pytest.skip("redis-server is not installed")
    # Unix socket paths are short: pytest's own temporary folders may be too deep.
    with tempfile.TemporaryDirectory(prefix="uh-redis-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def some_redis() -> Iterator[str]:
    """The URL of a running server: the given one, else a private one."""
    given = os.environ.get("UNIONHALL_TEST_REDIS_URL")
    if given:
        yield given
        return
    with private_redis() as server:
        yield server.url


async def eventually(is_so: Callable[[], object], within_s: float = 5.0) -> None:
    """Return as soon as it is so; fail when it is not in time."""
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to be"
        await asyncio.sleep(0.005)
