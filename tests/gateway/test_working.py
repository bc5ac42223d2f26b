"""The worker runs what works have left, as the role that owns nothing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from domain import reactions
from domain.kernel.actor import SYSTEM
from domain.kernel.database import fetch
from domain.kernel.work import Works
from gateway.working import work

WAIT_S = 10


@asynccontextmanager
async def working(works: Works, url: str) -> AsyncIterator[None]:
    task = asyncio.create_task(work(works, url))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_deferred_job_is_run_with_its_payload(
    works: Works, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: asyncio.Queue[tuple[Mapping[str, Any], str]] = asyncio.Queue()

    async def note(given: Works, payload: Mapping[str, Any]) -> None:
        async with given.open(SYSTEM) as w:
            (row,) = await w.fetch("SELECT current_user::text AS name")
        ran.put_nowait((payload, row["name"]))

    monkeypatch.setattr(reactions, "JOBS", {"test.note": note})
    monkeypatch.setattr(reactions, "SCHEDULE", {})
    async with works.open(SYSTEM) as w:
        w.defer("test.note", {"n": 1})
    async with working(works, database):
        async with asyncio.timeout(WAIT_S):
            before = await ran.get()
        async with works.open(SYSTEM) as w:
            w.defer("test.note", {"n": 2})
        async with asyncio.timeout(WAIT_S):
            after = await ran.get()

    assert before == ({"n": 1}, "unionhall_app")
    assert after == ({"n": 2}, "unionhall_app")


async def test_a_job_that_fails_says_so_without_its_payload(
    works: Works,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    failed = asyncio.Event()

    async def fail(given: Works, payload: Mapping[str, Any]) -> None:
        failed.set()
        raise ZeroDivisionError(payload["secret"])

    monkeypatch.setattr(reactions, "JOBS", {"test.fail": fail})
    monkeypatch.setattr(reactions, "SCHEDULE", {})
    async with works.open(SYSTEM) as w:
        w.defer("test.fail", {"secret": "320585"})
    with caplog.at_level(logging.INFO, "unionhall"):
        async with working(works, database), asyncio.timeout(WAIT_S):
            await failed.wait()
            while not await fetch("SELECT 1 FROM pgqueuer_log WHERE status = 'exception'"):  # noqa: ASYNC110 - another library writes it
                await asyncio.sleep(0.01)
        kept = await fetch("SELECT traceback::text AS text FROM pgqueuer_log")

    ours = [r.getMessage() for r in caplog.records if r.name == "unionhall.worker"]
    assert len(ours) == 1
    assert "test.fail" in ours[0]
    assert "320585" not in caplog.text
    assert not any("320585" in (row["text"] or "") for row in kept)
