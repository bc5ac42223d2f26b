"""Alive for anybody, ready for the balancer, figures for the operator only."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx
import pytest
from starlette.applications import Starlette

from gateway import health as health_module
from gateway.health import Check, Health
from gateway.metrics import Figures
from gateway.settings import load
from realtime.metrics import LiveMetrics

TOKEN = "0123456789abcdef0123456789abcdef"


async def holds() -> bool:
    return True


async def breaks() -> bool:
    raise ConnectionError


async def hangs() -> bool:
    await asyncio.Event().wait()
    return True


async def ask(
    path: str,
    *,
    checks: Mapping[str, Check] | None = None,
    token: str = "",
    profile: str = "development",
    address: str = "127.0.0.1",
    method: str = "GET",
    **headers: str,
) -> httpx.Response:
    environ = {"UNIONHALL_PROFILE": profile, "UNIONHALL_OPERATOR_TOKEN": token}
    settings = load(environ)
    figures = Figures(LiveMetrics(), lambda: {"connections": 3})
    health = Health(settings, checks or {"database": holds}, {"bus": lambda: False}, figures)
    app = Starlette(routes=health.routes)
    transport = httpx.ASGITransport(app, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://hall") as client:
        return await client.request(
            method, path, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )


async def test_anybody_may_know_that_it_lives_and_is_ready() -> None:
    alive = await ask("/healthz", address="203.0.113.9")
    ready = await ask("/readyz", address="203.0.113.9")

    assert alive.json() == {"status": "ok"}
    assert ready.json() == {"status": "ready"}


@pytest.mark.parametrize("check", [breaks, hangs])
async def test_a_check_that_fails_or_hangs_makes_it_not_ready(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "CHECK_S_MAX", 0.01)
    ready = await ask("/readyz", checks={"database": check, "accepting": holds})

    assert ready.status_code == 503
    assert ready.json()["checks"] == {"database": False, "accepting": True}


async def test_figures_are_the_operators() -> None:
    assert "unionhall_connections 3.0" in (await ask("/metrics")).text
    assert (await ask("/metrics", address="203.0.113.9")).status_code == 404
    assert (await ask("/metrics", x_forwarded_for="203.0.113.9")).status_code == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize("behind", ["", "/", "?name=x", "/more"])
async def test_to_a_stranger_the_figures_are_a_path_that_does_not_exist(
    method: str, behind: str
) -> None:
    figures, nothing = [
        await ask(f"/{path}{behind}", method=method, address="203.0.113.9")
        for path in ("metrics", "nothing")
    ]
    assert (figures.status_code, nothing.status_code) == (404, 404)
    assert (figures.content, figures.headers) == (nothing.content, nothing.headers)


async def test_in_production_nobody_is_the_operator_without_a_token() -> None:
    """A proxy on the same machine that says nothing of itself makes everybody look local."""
    assert (await ask("/metrics", profile="production")).status_code == 404
    assert "checks" not in (await ask("/readyz", profile="production")).json()
    given = {"token": TOKEN, "authorization": f"Bearer {TOKEN}", "profile": "production"}
    assert (await ask("/metrics", **given)).status_code == 200


async def test_an_ill_bus_is_told_to_the_operator_and_takes_no_work_away() -> None:
    ready = await ask("/readyz")

    assert ready.status_code == 200
    assert ready.json()["signs"] == {"bus": False}


async def test_a_configured_token_is_asked_for_everywhere() -> None:
    told = await ask("/metrics", token=TOKEN, address="::1", authorization=f"Bearer {TOKEN}")

    assert told.status_code == 200
    assert (await ask("/metrics", token=TOKEN)).status_code == 404
    assert (await ask("/metrics", token=TOKEN, authorization="Bearer x")).status_code == 404
    assert "checks" not in (await ask("/readyz", token=TOKEN)).json()
