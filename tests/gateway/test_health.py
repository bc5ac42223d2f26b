"""Alive for anybody, ready for the balancer, figures for the operator only."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from gateway import health as health_module
from gateway.health import Check, Health
from gateway.settings import load

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
    address: str = "127.0.0.1",
    **headers: str,
) -> httpx.Response:
    settings = load({"UNIONHALL_OPERATOR_TOKEN": token} if token else {})
    health = Health(settings, checks or {"database": holds}, {"sockets_open": lambda: 3.0})
    app = Starlette(
        routes=[
            Route("/healthz", health.alive),
            Route("/readyz", health.ready),
            Route("/metrics", health.metrics),
        ]
    )
    transport = httpx.ASGITransport(app, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://hall") as client:
        return await client.get(path, headers={k.replace("_", "-"): v for k, v in headers.items()})


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
    assert "unionhall_sockets_open 3.0" in (await ask("/metrics")).text
    assert (await ask("/metrics", address="203.0.113.9")).status_code == 404
    assert (await ask("/metrics", x_forwarded_for="203.0.113.9")).status_code == 404


async def test_a_configured_token_is_asked_for_everywhere() -> None:
    told = await ask("/metrics", token=TOKEN, address="::1", authorization=f"Bearer {TOKEN}")

    assert told.status_code == 200
    assert (await ask("/metrics", token=TOKEN)).status_code == 404
    assert (await ask("/metrics", token=TOKEN, authorization="Bearer x")).status_code == 404
    assert "checks" not in (await ask("/readyz", token=TOKEN)).json()
