"""Node.js and the stock JavaScript clients, installed on demand from the committed lock file."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

CLIENTS = Path(__file__).parents[1] / "clients"
NODE_MAJOR_MIN = 18
INSTALL_S_MAX = 120


def node() -> str:
    """The path of a Node.js that is new enough: the system's, or the wheel's in the environment."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("no Node.js (pip install 'unionhall[node]')")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
    if int(version.stdout.lstrip("v").split(".")[0]) < NODE_MAJOR_MIN:
        pytest.skip(f"Node.js {version.stdout.strip()} is too old: {NODE_MAJOR_MIN} is needed")
    return found


def install_clients() -> Path:
    """The folder with the clients installed; by one worker, once, as the lock file says."""
    node()
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm")
    installed, wanted = CLIENTS / "node_modules" / ".installed", CLIENTS / "package-lock.json"
    with (CLIENTS / ".installing").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if installed.exists() and installed.read_bytes() == wanted.read_bytes():
            return CLIENTS
        done = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=CLIENTS,
            capture_output=True,
            timeout=INSTALL_S_MAX,
            check=False,
        )
        if done.returncode != 0:
            pytest.skip("the JavaScript clients cannot be installed (offline?)")
        installed.write_bytes(wanted.read_bytes())
    return CLIENTS


async def run_script(script: Path, *arguments: str, timeout_s: float = 60) -> str:
    """What the script printed; its failure is the test's, with all it said."""
    environ = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    process = await asyncio.create_subprocess_exec(
        *(node(), str(script), *arguments),
        cwd=CLIENTS,
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(timeout_s):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, out.decode() + err.decode()
    return out.decode()
