"""A skipped test is seen: counted with its reason here, a failure in continuous integration.

A plugin for pytest: named in ``pytest_plugins`` of the top ``conftest.py``.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest

TRUE = {"1", "true", "on", "yes"}


def is_ci() -> bool:
    """Whether this run must leave nothing out."""
    return any(os.environ.get(name, "").lower() in TRUE for name in ("CI", "UNIONHALL_CI"))


def skipped_reasons(reports: list[Any]) -> Counter[str]:
    """How many tests each reason has left out."""
    found: Counter[str] = Counter()
    for report in reports:
        where = report.longrepr
        reason = where[2] if isinstance(where, tuple) else str(where)
        found[reason.removeprefix("Skipped: ")] += 1
    return found


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In continuous integration a run that left something out has failed."""
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if terminal is None or hasattr(session.config, "workerinput"):
        return  # a worker of a parallel run: the controller counts
    if is_ci() and terminal.stats.get("skipped") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what was left out, and why; nothing when nothing was."""
    reports = terminalreporter.stats.get("skipped", [])
    if not reports:
        return
    verdict = "a failure here" if is_ci() else "not run on this machine"
    terminalreporter.section(f"{len(reports)} skipped: {verdict}", red=is_ci(), yellow=not is_ci())
    for reason, count in skipped_reasons(reports).most_common():
        terminalreporter.write_line(f"{count:>5} x {reason}")
