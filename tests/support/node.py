"""Node.js and the stock JavaScript clients, installed on demand from the committed lock file."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.npm import Unavailable, alone_in, find_node, install

CLIENTS = Path(__file__).parents[1] / "clients"
SDK = Path(__file__).parents[2] / "gateway" / "web" / "sdk"
NODE_MAJOR_MIN = 18
SDK_NODE_MAJOR_MIN = 20
"""Its tests stop the clock, which an older test runner cannot."""
LINE_BYTES_MAX = 4_194_304
"""Of what a script reports."""


def node(major_min: int = NODE_MAJOR_MIN) -> str:
    """The path of a Node.js that is new enough; without one the test is left out."""
    with _left_out():
        return find_node(major_min)


def install_clients() -> Path:
    """The folder with the clients installed; by one worker, once, as the lock file says."""
    node()
    with _left_out(), alone_in(CLIENTS):
        install(CLIENTS)
    return CLIENTS


def install_sdk() -> Path:
    """The folder of our own client, installed and built with its tests; by one worker, once."""
    node(SDK_NODE_MAJOR_MIN)
    with _left_out(), alone_in(SDK):
        install(SDK)
        digest = hashlib.sha256()
        for file in sorted([*SDK.glob("src/*"), *SDK.glob("tests/*"), *SDK.glob("*.*")]):
            if file.is_file():
                digest.update(file.read_bytes())
        built = SDK / "dist" / ".built"
        if not built.exists() or built.read_text() != digest.hexdigest():
            subprocess.run([node(), "build.mjs", "--tests"], cwd=SDK, check=True, timeout=60)
            built.write_text(digest.hexdigest())
    return SDK


@contextmanager
def _left_out() -> Iterator[None]:
    """Without what the block needs of Node.js, the test is left out with the reason."""
    try:
        yield
    except Unavailable as missing:
        pytest.skip(str(missing))


async def run_script(script: Path, *arguments: str, timeout_s: float = 60) -> str:
    """What the script printed; its failure is the test's, with all it said."""
    process = await _started(script, *arguments)
    try:
        async with asyncio.timeout(timeout_s):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, out.decode() + err.decode()
    return out.decode()


class RunningScript:
    """A script that prints JSON objects, one a line, while something happens to it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def told(self, key: str, timeout_s: float = 30) -> Any:
        """The value of the next object that has this key; other objects are passed over."""
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        async with asyncio.timeout(timeout_s):
            while line := await self._process.stdout.readline():
                if key in (found := json.loads(line)):
                    return found[key]
            raise AssertionError((await self._process.stderr.read()).decode())


@asynccontextmanager
async def running_script(script: Path, *arguments: str) -> AsyncIterator[RunningScript]:
    """The script for the block; killed afterwards, if it still runs."""
    process = await _started(script, *arguments)
    try:
        yield RunningScript(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _started(script: Path, *arguments: str) -> asyncio.subprocess.Process:
    environ = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    return await asyncio.create_subprocess_exec(
        *(node(), str(script), *arguments),
        cwd=CLIENTS,
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LINE_BYTES_MAX,
    )
