"""The HTTP door with a small schema behind it: no database, no socket, a client in the process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import httpx
import strawberry

from domain.kernel.actor import NOBODY, Actor
from domain.kernel.capabilities import Capability
from domain.kernel.work import Works
from gateway.app import Front
from gateway.graphql_http import GraphQLHttp
from gateway.ide import load_ide
from gateway.settings import Settings, load
from schema.context import Info
from schema.declare import verb
from schema.engine import SchemaEngine
from schema.root import NodeQuery, build_from, core_schema
from tests.support.announcing import RememberedAnnouncements
from tests.support.clock import FrozenClock
from tests.support.schema import NobodyPresent

GOOD_TOKEN = "u1_good"
BASE_URL = "http://127.0.0.1:8000"
ACCOUNT = Actor(account_id=UUID("01a20a17-6427-703b-95d2-9e685366792d"))
"""Always the same: test names are made of it, and every worker must know the same tests."""


@strawberry.type
class DoorQuery:
    @verb(Capability.PUBLIC, "Who asks.")
    def who(self, info: Info) -> str:
        actor = info.context.actor
        return "nobody" if actor == NOBODY else str(actor.account_id)

    @verb(Capability.PUBLIC, "The text again.")
    def echo(self, text: str) -> str:
        return text


@strawberry.type
class DoorMutation:
    @verb(Capability.PUBLIC, "Sign in by cookie; false where no response carries one.")
    def enter(self, info: Info) -> bool:
        done.append("enter")
        if info.context.edge.cookies is None:
            return False
        info.context.edge.cookies.set_session("u1_new", expires_in_s=60)
        return True

    @verb(Capability.PUBLIC, "Sign out.")
    def leave(self, info: Info) -> bool:
        done.append("leave")
        if info.context.edge.cookies is not None:
            info.context.edge.cookies.clear()
        return True


done: list[str] = []
"""Every mutation that ran, so that a refusal can be seen to have had no effect."""

used: list[bool] = []
"""Whether each request that somebody was looked for counted as a use."""

_SCHEMA = core_schema(build_from([NodeQuery, DoorQuery], [DoorMutation], []))


async def authenticate(token: str, /, *, is_used: bool = True) -> Actor | None:
    """Knows one token."""
    used.append(is_used)
    return ACCOUNT if token == GOOD_TOKEN else None


def door(environ: Mapping[str, str] | None = None) -> Front:
    """The application with ``/graphql`` alone."""
    settings = load(environ or {})
    return Front(settings, endpoint(settings))


def endpoint(settings: Settings) -> GraphQLHttp:
    """The endpoint over the small schema."""
    works = Works(FrozenClock(), RememberedAnnouncements())
    return GraphQLHttp(
        settings=settings,
        engine=SchemaEngine(_SCHEMA, works, NobodyPresent()),
        authenticate=authenticate,
        page=None if settings.is_production else load_ide(settings).page,
    )


def client(app: Front, **headers: str) -> httpx.AsyncClient:
    """A client of the application, in this process; an exception in it is the test's failure."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    return httpx.AsyncClient(transport=transport, base_url=BASE_URL, headers=headers)


def code(response: httpx.Response) -> str | None:
    """The stable code of the first error."""
    errors: list[dict[str, Any]] = response.json().get("errors") or []
    return str(errors[0]["extensions"]["code"]) if errors else None
