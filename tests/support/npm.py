"""Node.js, and npm packages as a committed lock file says; or the reason why they cannot be had."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

INSTALL_S_MAX = 120


class Unavailable(Exception):
    """There is no Node.js, no npm, or no package; the message says which."""


def find_node(major_min: int) -> str:
    """The path of a Node.js that is new enough: the system's, or the wheel's in the environment."""
    found = shutil.which("node")
    if found is None:
        raise Unavailable("no Node.js (pip install 'unionhall[node]')")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
    if int(version.stdout.lstrip("v").split(".")[0]) < major_min:
        raise Unavailable(f"Node.js {version.stdout.strip()} is too old: {major_min} is needed")
    return found


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """The only process in this folder that installs or builds, for the block."""
    with (folder / ".installing").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield


def install(folder: Path) -> None:
    """What the folder's lock file says, unless it is there; for whoever is alone in the folder."""
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("no npm")
    installed, wanted = folder / "node_modules" / ".installed", folder / "package-lock.json"
    if installed.exists() and installed.read_bytes() == wanted.read_bytes():
        return
    try:
        subprocess.run(
            # One more try, after ten seconds: npm's own two take more than a minute when offline.
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"],
            cwd=folder,
            capture_output=True,
            timeout=INSTALL_S_MAX,
            check=True,
        )
    except subprocess.SubprocessError as error:
        raise Unavailable("npm could not install the packages (offline?)") from error
    installed.write_bytes(wanted.read_bytes())
