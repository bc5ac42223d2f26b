"""The routes: one endpoint for the whole API, over HTTP and sockets, and the operator's paths."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.kernel.database import fetch
from domain.vault import service as vault
from gateway import browsers
from gateway.graphql_http import GraphQLHttp
from gateway.health import Health
from gateway.ide import load_ide
from gateway.metrics import Figures
from gateway.pages import load_pages
from gateway.replies import refusal
from gateway.settings import Settings
from gateway.sockets import GraphQLSockets

if TYPE_CHECKING:
    from gateway.wiring import House

ENDPOINT_PATH = "/graphql"


def build_app(house: House) -> Front:
    """The ASGI application of a furnished house."""
    settings = house.settings
    # Equal in every process of this federation, so that attempts are counted together.
    key = partial(browsers.client_key, salt=vault.derived_secret("gateway.client_key"))
    ide = None if settings.is_production else load_ide(settings)
    sockets = GraphQLSockets(
        house.hub,
        origins=settings.origins,
        cookie_name=browsers.cookie_name(settings),
        client_key=key,
    )
    graphql = GraphQLHttp(
        settings=settings,
        engine=house.engine,
        authenticate=house.standings.actor,
        client_key=key,
        page=ide.page if ide else None,
    )
    routes = _health(house).routes
    if ide is not None:
        routes += ide.routes
    routes += load_pages(settings) or ([Route("/", _to_page)] if ide else [])
    return Front(settings, graphql, sockets, routes)


def _health(house: House) -> Health:
    async def database() -> bool:
        return bool(await fetch("SELECT 1"))

    async def accepting() -> bool:
        return not house.hub.is_draining

    return Health(
        house.settings,
        checks={"database": database, "accepting": accepting},
        signs={"bus": lambda: house.bus.healthy},
        figures=Figures(house.hub.node.metrics, house.hub.gauges, house.engine.plans.uncovered),
    )


async def _to_page(_request: Request) -> Response:
    return RedirectResponse(ENDPOINT_PATH)


async def _to_endpoint(request: Request) -> Response:
    return RedirectResponse(str(request.url.replace(path=ENDPOINT_PATH)))


async def _no_such_path(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    code = "not_found" if status == 404 else "request.method_not_allowed"
    reply = refusal(code, status)
    return Response(reply.body, status, media_type=reply.content_type)


class Front:
    """The one endpoint at once; every other path by its route, with the safe headers."""

    def __init__(
        self,
        settings: Settings,
        graphql: ASGIApp,
        sockets: ASGIApp | None = None,
        routes: Sequence[BaseRoute] = (),
    ) -> None:
        self._at_once = {"http": graphql, "websocket": sockets}
        self._others = Starlette(
            routes=[Route(ENDPOINT_PATH + "/", _to_endpoint, methods=["GET", "POST"]), *routes],
            middleware=[Middleware(SafeHeaders, settings=settings)],
            exception_handlers={HTTPException: _no_such_path},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        app = self._at_once.get(scope["type"]) if scope["path"] == ENDPOINT_PATH else None
        await (app or self._others)(scope, receive, send)


class SafeHeaders:
    """Puts the safe headers on every response, and the strict policy where none is set."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._headers = browsers.safe_headers(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; add to the head of the response."""

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = browsers.with_policy([*message["headers"], *self._headers])
            await send(message)

        await self._app(scope, receive, send_safely if scope["type"] == "http" else send)
