"""A private PostgreSQL under the data directory, for whoever has no server of their own.

Promises: one cluster a data directory, made once and whole or not at all; reached by a Unix socket
in a folder of mode 0700 (no port, no password to leak); shared by all our processes, stopped by the
last; a killed process leaves it running for the next start. Refuses: to be used in production.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import quote

from gateway.postgres_binaries import Binaries, NoPostgres, RunAs, find_binaries, find_user

DATABASE = "unionhall"
START_TIMEOUT_S = 60
"""Crash recovery of a large cluster takes seconds; a minute is a fault."""
STOP_TIMEOUT_S = 30
POLL_S = 0.02
GONE_TIMEOUT_S = 5.0
"""How long a killed server may take to leave the process list; PostgreSQL itself says the rest."""
SOCKET_FOLDER_BYTES_MAX = 85
"""A socket's path has 103 bytes on the strictest system; the file's own name takes 18."""
LOG_TAIL_CHARS = 1_500

LOCALE = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"
"""Under plain C, trigram and text search are blind to Chinese."""

OPTIONS = (
    *("-c", "listen_addresses=", "-c", "unix_socket_permissions=0700", "-c", "max_connections=200"),
    # What a statement carried must not reach a log: parameters can be personal.
    *("-c", "log_parameter_max_length=0", "-c", "log_parameter_max_length_on_error=0"),
    *("-c", "log_min_error_statement=panic", "-c", "timezone=UTC", "-c", "log_timezone=UTC"),
)
FORGETFUL_OPTIONS = (
    *("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off"),
    *("-c", "autovacuum_naptime=10min"),
)

Tell = Callable[[str], None]


class EmbeddedFailed(Exception):
    """The private PostgreSQL did not start; the message ends with what its log says."""


@dataclass(frozen=True, slots=True)
class _Cluster:
    root: Path
    is_durable: bool

    @property
    def data(self) -> Path:
        return self.root / "postgres"

    @property
    def log(self) -> Path:
        return self.root / "postgres.log"

    @property
    def major(self) -> int | None:
        version = self.data / "PG_VERSION"
        return int(version.read_text().split(".")[0]) if version.is_file() else None


@contextmanager
def running(data_dir: Path, *, is_durable: bool = True, tell: Tell | None = None) -> Iterator[str]:
    """The URL of the private server's database, as its owner, for as long as the block runs.

    Started if it is not running; stopped at the end unless another process of ours uses it.
    ``is_durable`` False is for tests: a power cut may lose everything. Raises NoPostgres and
    EmbeddedFailed.
    """
    cluster = _Cluster(data_dir.absolute(), is_durable)
    cluster.root.mkdir(parents=True, exist_ok=True)
    with (cluster.root / ".postgres.users").open("a") as users:
        with _turn(cluster):
            fcntl.flock(users, fcntl.LOCK_SH)
            url = _ensure_running(cluster, tell or _say_nothing)
        try:
            yield url
        finally:
            with _turn(cluster):
                if _is_last(users):
                    _stop(cluster)


@contextmanager
def _turn(cluster: _Cluster) -> Iterator[None]:
    """One process at a time starts or stops."""
    with (cluster.root / ".postgres.turn").open("a") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield


def _is_last(users: IO[str]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _say_nothing(_what: str) -> None:
    return None


def _ensure_running(cluster: _Cluster, tell: Tell) -> str:
    if _state(cluster) is not None:
        return _url(_await_ready(cluster, is_launched=False))
    binaries = find_binaries(cluster.major)
    user = find_user((binaries.folder, cluster.root), cluster.data)
    if cluster.major is None:
        tell(f"Creating a private PostgreSQL {binaries.major} in {cluster.data}")
        _create(cluster, binaries, user)
    tell("Starting the private PostgreSQL")
    _await_gone(cluster)
    _launch(cluster, binaries, user)
    return _url(_await_ready(cluster, is_launched=True))


@dataclass(frozen=True, slots=True)
class _State:
    pid: int
    socket_folder: Path
    is_ready: bool


def _await_gone(cluster: _Cluster) -> None:
    """A server that was just killed is still in the process list for a moment: outwait it."""
    try:
        pid = int((cluster.data / "postmaster.pid").read_text().split(maxsplit=1)[0])
    except (FileNotFoundError, ValueError, IndexError):
        return
    deadline = time.monotonic() + GONE_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        except PermissionError:
            pass  # it lives, under PostgreSQL's own user
        time.sleep(POLL_S)


def _state(cluster: _Cluster) -> _State | None:
    """What ``postmaster.pid`` tells of a server that really answers; None: there is none."""
    try:
        lines = (cluster.data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    if len(lines) < 8:
        return None
    state = _State(int(lines[0]), Path(lines[4]), lines[7].strip() == "ready")
    # After a crash the number may belong to a stranger: only the socket tells.
    return state if _answers(state.socket_folder) else None


def _answers(folder: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(folder / ".s.PGSQL.5432"))
        except OSError:
            return False
    return True


def _url(state: _State) -> str:
    return f"postgresql://postgres@/{DATABASE}?host={quote(str(state.socket_folder), safe='/')}"


def _create(cluster: _Cluster, binaries: Binaries, user: RunAs) -> None:
    """Make the cluster beside its place and move it there whole: a killed start leaves no half."""
    making = cluster.root / "postgres.making"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    user.owns(making)
    speed = [] if cluster.is_durable else ["--no-sync"]
    _run(
        [
            *(*user.prefix, binaries.program("initdb"), "-D", str(making), "-U", "postgres"),
            *("--auth=trust", "--encoding=UTF8", f"--locale={LOCALE}", *speed),
        ]
    )
    _run(
        [*user.prefix, binaries.program("postgres"), "--single", "-D", str(making), "template1"],
        feed=f"CREATE DATABASE {DATABASE}\n",
    )
    making.rename(cluster.data)


def _environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_"))}
    return kept | {"LC_ALL": LOCALE, "LANG": LOCALE}


def _run(command: list[str], feed: str = "") -> None:
    done = subprocess.run(  # noqa: S603 - PostgreSQL's own programs
        command,
        input=feed,
        capture_output=True,
        text=True,
        cwd="/",
        env=_environment(),
        timeout=START_TIMEOUT_S * 2,
        check=False,
    )
    if done.returncode != 0:
        raise EmbeddedFailed(f"{command[-1]}: {(done.stderr or done.stdout)[-LOG_TAIL_CHARS:]}")


def _launch(cluster: _Cluster, binaries: Binaries, user: RunAs) -> None:
    """Start it as a process of its own: Ctrl-C reaches our program, which stops it in order."""
    folder = _socket_folder(cluster, user)
    options = OPTIONS if cluster.is_durable else OPTIONS + FORGETFUL_OPTIONS
    given = shlex.join(["-k", str(folder), "-p", "5432", *options])
    start = [*user.prefix, binaries.program("pg_ctl"), "-D", str(cluster.data), "-o", given]
    with cluster.log.open("wb") as log:
        done = subprocess.run(  # noqa: S603 - PostgreSQL's own program
            [*start, "--silent", "--no-wait", "start"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=_environment(),
            timeout=START_TIMEOUT_S,
            check=False,
        )
    if done.returncode != 0:
        raise _failed(cluster)


def _socket_folder(cluster: _Cluster, user: RunAs) -> Path:
    """The data directory itself, or a private temporary folder when its path is too long."""
    path = str(cluster.data)
    # A comma would part two folders for PostgreSQL and two hosts for the driver.
    if len(os.fsencode(path)) <= SOCKET_FOLDER_BYTES_MAX and "," not in path:
        return cluster.data
    folder = Path(tempfile.mkdtemp(prefix="unionhall-", dir="/tmp"))
    user.owns(folder)
    return folder


def _await_ready(cluster: _Cluster, *, is_launched: bool) -> _State:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        state = _state(cluster)
        if state is not None and state.is_ready:
            return state
        # A new log holds its own start only; an older one tells of sessions ended long ago.
        if is_launched and "FATAL" in _log_tail(cluster):
            break
        time.sleep(POLL_S)
    raise _failed(cluster)


def _failed(cluster: _Cluster) -> EmbeddedFailed:
    return EmbeddedFailed(f"The private PostgreSQL did not start. Its log: {_log_tail(cluster)}")


def _log_tail(cluster: _Cluster) -> str:
    if not cluster.log.exists():
        return ""
    return cluster.log.read_text(errors="replace")[-LOG_TAIL_CHARS:]


def _stop(cluster: _Cluster) -> None:
    """Fast shutdown, waited for: sessions are ended, everything is written."""
    state = _state(cluster)
    if state is None:
        return
    deadline = time.monotonic() + STOP_TIMEOUT_S
    with contextlib.suppress(ProcessLookupError):
        os.kill(state.pid, signal.SIGINT)
        # The socket closes first; the process lives until all is written.
        while (cluster.data / "postmaster.pid").exists() and time.monotonic() < deadline:
            time.sleep(POLL_S)
            os.kill(state.pid, 0)
    if state.socket_folder != cluster.data:
        shutil.rmtree(state.socket_folder, ignore_errors=True)


__all__ = ["EmbeddedFailed", "NoPostgres", "running"]
