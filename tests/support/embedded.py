"""A throw-away PostgreSQL for a test run without a given one: quick, shared by the workers."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.embedded import running
from tests.support.database import with_database


@contextmanager
def embedded_server() -> Iterator[str]:
    """A URL with the right to create databases; the last worker of the run takes all away."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or str(os.getpid())
    folder = Path(tempfile.gettempdir()) / f"unionhall-test-{run[:16]}"
    with running(folder, is_durable=False) as url:
        yield with_database(url, "postgres")
    if not (folder / "postgres" / "postmaster.pid").exists():
        shutil.rmtree(folder, ignore_errors=True)
