"""The program as a process of its own: forked from one that has imported it, or started cold."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Protocol

from tests.support import warm

STARTED_S_MAX = 30.0
"""The first one waits until the program is imported: two seconds on a quiet machine."""


class Process(Protocol):
    """A running program, as asyncio has it."""

    @property
    def pid(self) -> int:
        """Its number."""

    @property
    def returncode(self) -> int | None:
        """None while it runs."""

    def kill(self) -> None:
        """kill -9."""

    def send_signal(self, signal: int) -> None:
        """Any other."""

    async def wait(self) -> int:
        """Its exit code, once it has ended."""


class Forked:
    """A program that was forked; its exit code comes over a socket."""

    def __init__(self, pid: int, told: asyncio.StreamReader, asked: asyncio.StreamWriter) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._asked = asked
        self._end = asyncio.create_task(self._until_ended(told))

    def kill(self) -> None:
        """kill -9."""
        self.send_signal(9)

    def send_signal(self, signal: int) -> None:
        """Any other."""
        os.kill(self.pid, signal)

    async def wait(self) -> int:
        """Its exit code, once it has ended."""
        return await asyncio.shield(self._end)

    async def _until_ended(self, told: asyncio.StreamReader) -> int:
        try:
            self.returncode = int(await told.readline())
        finally:
            self._asked.close()
        return self.returncode


async def started(
    command: Sequence[str], folder: Path, environ: Mapping[str, str], log: Path, *, is_warm: bool
) -> Process:
    """Run ``unionhall`` with this command, in this folder, with nothing but this environment."""
    if is_warm and warm.IS_POSSIBLE:
        asked = _warm().ask(command, folder, environ, log)
        told, writer = await asyncio.open_unix_connection(sock=asked)
        async with asyncio.timeout(STARTED_S_MAX):
            return Forked(int(await told.readline()), told, writer)
    with log.open("wb") as out:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway.cli", *command),
            cwd=folder,
            env=environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=asyncio.subprocess.STDOUT,
        )


@cache
def _warm() -> warm.Warm:
    """One for all that this worker starts."""
    return warm.Warm()
