"""Node.js and the stock JavaScript clients, installed on demand from the committed lock file."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

CLIENTS = Path(__file__).parents[1] / "clients"
SDK = Path(__file__).parents[2] / "gateway" / "web" / "sdk"
NODE_MAJOR_MIN = 18
SDK_NODE_MAJOR_MIN = 20
"""Its tests stop the clock, which an older test runner cannot."""
INSTALL_S_MAX = 120
LINE_BYTES_MAX = 4_194_304
"""Of what a script reports."""


def node(major_min: int = NODE_MAJOR_MIN) -> str:
    """The path of a Node.js that is new enough: the system's, or the wheel's in the environment."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("no Node.js (pip install 'unionhall[node]')")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
    if int(version.stdout.lstrip("v").split(".")[0]) < major_min:
        pytest.skip(f"Node.js {version.stdout.strip()} is too old: {major_min} is needed")
    return found


def install_clients() -> Path:
    """The folder with the clients installed; by one worker, once, as the lock file says."""
    with _alone_in(CLIENTS):
        _install(CLIENTS)
    return CLIENTS


def install_sdk() -> Path:
    """The folder of our own client, installed and built with its tests; by one worker, once."""
    node(SDK_NODE_MAJOR_MIN)
    with _alone_in(SDK):
        _install(SDK)
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
def _alone_in(folder: Path) -> Iterator[None]:
    with (folder / ".installing").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield


def _install(folder: Path) -> None:
    node()
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm")
    installed, wanted = folder / "node_modules" / ".installed", folder / "package-lock.json"
    if installed.exists() and installed.read_bytes() == wanted.read_bytes():
        return
    done = subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=folder,
        capture_output=True,
        timeout=INSTALL_S_MAX,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip("the JavaScript clients cannot be installed (offline?)")
    installed.write_bytes(wanted.read_bytes())


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
