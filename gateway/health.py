"""How the process is: alive (for anybody), ready (for the balancer), figures (for the operator).

Promises: nothing here tells anything of a person. Refuses: details to whoever is no operator, with
the same answer as for a path that does not exist.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import time
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope

from gateway.browsers import bearer_token
from gateway.metrics import METRICS_TYPE, Figures
from gateway.settings import Settings

Check = Callable[[], Awaitable[bool]]
Answer = Callable[[Request], Awaitable[Response]]

CHECK_S_MAX = 2.0
"""A balancer asks again soon; what takes longer is not ready."""


class Health:
    """The three endpoints.

    ``checks``: what must hold for new work to be sent here. ``signs``: what the operator should
    know of and the balancer need not; a process whose bus is ill serves everybody, only later.
    """

    def __init__(
        self,
        settings: Settings,
        checks: Mapping[str, Check],
        signs: Mapping[str, Callable[[], bool]],
        figures: Figures,
    ) -> None:
        self._settings = settings
        self._checks = checks
        self._signs = signs
        self._figures = figures
        self._started = time.monotonic()

    @property
    def routes(self) -> list[BaseRoute]:
        """Where they are."""
        return [
            Route("/healthz", self.alive),
            Route("/readyz", self.ready),
            OperatorsRoute("/metrics", self.metrics, self._settings),
        ]

    async def alive(self, _request: Request) -> Response:
        """200 as long as the loop turns."""
        return JSONResponse({"status": "ok"}, headers={"cache-control": "no-store"})

    async def ready(self, request: Request) -> Response:
        """200 when every check holds, else 503; which one failed is for operators."""
        results = dict(zip(self._checks, await self._outcomes(), strict=True))
        is_ready = all(results.values())
        answer: dict[str, object] = {"status": "ready" if is_ready else "not ready"}
        if is_operator(self._settings, request):
            answer["checks"] = results
            answer["signs"] = {name: is_well() for name, is_well in self._signs.items()}
            answer["uptime_s"] = round(time.monotonic() - self._started)
        return JSONResponse(answer, 200 if is_ready else 503, headers={"cache-control": "no-store"})

    async def metrics(self, _request: Request) -> Response:
        """Figures in Prometheus' text format, for operators."""
        headers = {"content-type": METRICS_TYPE, "cache-control": "no-store"}
        return Response(self._figures.text(), headers=headers)

    async def _outcomes(self) -> list[bool]:
        return await asyncio.gather(*(_holds(check) for check in self._checks.values()))


class OperatorsRoute(Route):
    """A path that is there for operators only: to all others it is none, by whatever method, with
    or without a slash behind it."""

    def __init__(self, path: str, answer: Answer, settings: Settings) -> None:
        super().__init__(path, answer)
        self._settings = settings

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As any route's, for an operator."""
        if scope["type"] != "http" or not is_operator(self._settings, Request(scope)):
            return Match.NONE, {}
        return super().matches(scope)


async def _holds(check: Check) -> bool:
    try:
        async with asyncio.timeout(CHECK_S_MAX):
            return await check()
    except Exception:  # whatever it is, new work must go elsewhere; the check's owner logs it
        return False


def is_operator(settings: Settings, request: Request) -> bool:
    """By the operator's token; without one configured, on a developer's machine and no proxy's way.

    A proxy that says nothing of itself makes everybody look local: production asks for the token.
    """
    if settings.operator_token:
        given = bearer_token(dict(request.scope["headers"])) or ""
        return hmac.compare_digest(given.encode(), settings.operator_token.encode())
    if settings.is_production:
        return False
    is_proxied = "x-forwarded-for" in request.headers or "forwarded" in request.headers
    if is_proxied or request.client is None:
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
