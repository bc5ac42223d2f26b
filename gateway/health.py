"""How the process is: alive (for anybody), ready (for the balancer), figures (for the operator).

Promises: nothing here tells anything of a person. Refuses: details to whoever is no operator, with
the same answer as for a path that does not exist.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.browsers import bearer_token
from gateway.settings import Settings

Check = Callable[[], Awaitable[bool]]

CHECK_S_MAX = 2.0
"""A balancer asks again soon; what takes longer is not ready."""
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Health:
    """The three endpoints. ``checks``: what must hold for new work to be sent here."""

    def __init__(
        self,
        settings: Settings,
        checks: Mapping[str, Check],
        gauges: Mapping[str, Callable[[], float]],
    ) -> None:
        self._settings = settings
        self._checks = checks
        self._registry = CollectorRegistry()
        self._registry.register(_Gauges(gauges))
        self._started = time.monotonic()

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
            answer["uptime_s"] = round(time.monotonic() - self._started)
        return JSONResponse(answer, 200 if is_ready else 503, headers={"cache-control": "no-store"})

    async def metrics(self, request: Request) -> Response:
        """Figures in Prometheus' text format, for operators."""
        if not is_operator(self._settings, request):
            return Response(status_code=404)
        text = generate_latest(self._registry) + generate_latest(REGISTRY)
        return Response(text, headers={"content-type": METRICS_TYPE, "cache-control": "no-store"})

    async def _outcomes(self) -> list[bool]:
        return await asyncio.gather(*(_holds(check) for check in self._checks.values()))


async def _holds(check: Check) -> bool:
    try:
        async with asyncio.timeout(CHECK_S_MAX):
            return await check()
    except Exception:  # whatever it is, new work must go elsewhere; the check's owner logs it
        return False


def is_operator(settings: Settings, request: Request) -> bool:
    """By the operator's token; without one configured, from this machine and through no proxy."""
    if settings.operator_token:
        given = bearer_token(request.headers) or ""
        return hmac.compare_digest(given.encode(), settings.operator_token.encode())
    is_proxied = "x-forwarded-for" in request.headers or "forwarded" in request.headers
    if is_proxied or request.client is None:
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


class _Gauges:
    """Reads each figure when asked; nothing is counted on the way of a request."""

    def __init__(self, gauges: Mapping[str, Callable[[], float]]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterable[Metric]:
        """One family a figure."""
        for name, read in self._gauges.items():
            family = GaugeMetricFamily(f"unionhall_{name}", name.replace("_", " "))
            family.add_metric([], read())
            yield family
