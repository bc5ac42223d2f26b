"""What this machine is, which core is whose, and how much CPU somebody took."""

from __future__ import annotations

import os
import platform
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROC = Path("/proc")
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
IDLE_COLUMNS = (3, 4)
"""Of the first line of /proc/stat: idle and waiting for a disk."""
NS_A_SECOND = 1e9


def _cores() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


CORES = _cores()
SERVER_CORE = CORES[0]
CLIENT_CORE = CORES[1 % len(CORES)]
IS_PINNING = hasattr(os, "sched_setaffinity") and len(CORES) > 1


def allow_sockets() -> None:
    """As many open files as this system grants; the processes started later inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def pin(pid: int, core: int) -> None:
    """Keep a process (0: this one) on one core, where the system can."""
    if IS_PINNING:
        os.sched_setaffinity(pid, {core})


@contextmanager
def starting_on(core: int) -> Iterator[None]:
    """What this thread starts in the block is on one core from its first instruction.

    So all its threads are too, even those that a program starts before anybody could pin it.
    """
    if not IS_PINNING:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def process_tree(pid: int) -> list[int]:
    """A process and all that descend from it, as far as they still run."""
    found = [pid]
    for task in _listing(PROC / str(pid) / "task"):
        children = _text(task / "children").split()
        for child in children:
            found += process_tree(int(child))
    return found


def cpu_s(*pids: int) -> float:
    """Seconds of CPU that these and their descendants have used, by the scheduler's count."""
    spent = 0
    for process in [each for pid in pids for each in process_tree(pid)]:
        for task in _listing(PROC / str(process) / "task"):
            spent += _first_number(_text(task / "schedstat"))
    return spent / NS_A_SECOND


def rss_kib(*pids: int) -> float:
    """Resident memory of these processes and their descendants."""
    pages = 0
    for process in [each for pid in pids for each in process_tree(pid)]:
        columns = _text(PROC / str(process) / "statm").split()
        pages += int(columns[1]) if len(columns) > 1 else 0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**10


def postgres_cpu_s() -> dict[int, float]:
    """Seconds of CPU of each PostgreSQL process of this machine."""
    spent = {}
    for folder in _listing(PROC):
        if folder.name.isdigit() and _text(folder / "comm").strip() == "postgres":
            spent[int(folder.name)] = _first_number(_text(folder / "schedstat")) / NS_A_SECOND
    return spent


def grown(before: dict[int, float], after: dict[int, float]) -> float:
    """How much was added between two answers of ``postgres_cpu_s``."""
    return max(0.0, sum(value - before.get(pid, 0.0) for pid, value in after.items()))


def busy_s() -> float:
    """Seconds of CPU that anybody on this machine has used since it started."""
    first = _text(PROC / "stat").partition("\n")[0].split()[1:9]
    ticks = [int(column) for column in first]
    return (sum(ticks) - sum(ticks[i] for i in IDLE_COLUMNS if i < len(ticks))) / TICKS_A_SECOND


def facts() -> dict[str, object]:
    """What a reader of the figures must know of the machine."""
    model = [line for line in _text(PROC / "cpuinfo").splitlines() if line.startswith("model name")]
    return {
        "cores": len(CORES),
        "processor": model[0].partition(":")[2].strip() if model else platform.processor(),
        "system": platform.system(),
        "python": platform.python_version(),
        "is_pinned": IS_PINNING,
    }


def _listing(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # the process is gone
        return []


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:  # the process is gone
        return ""


def _first_number(text: str) -> int:
    words = text.split()
    return int(words[0]) if words else 0
