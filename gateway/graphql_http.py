"""GraphQL over HTTP: one bare ASGI endpoint that answers everything with a stable code.

Promises: whatever the body, a 4xx and JSON, no traceback; at most the configured bytes are read; a
cookie signs in only requests of known origins; GET executes queries only. Refuses: to know any
word of the schema, and batches.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import ClassVar, Protocol

from starlette.types import Receive, Scope, Send

from domain.kernel.actor import NOBODY, Actor
from domain.kernel.database import UNREACHABLE
from domain.kernel.errors import DomainError, Forbidden, Limited, Unauthenticated, Unavailable
from domain.kernel.json_text import BadJson, JsonTooLarge
from domain.kernel.ports import Edge, Engine, GraphQLAnswer, GraphQLRequest, ResponseCookies
from gateway import browsers, wire
from gateway.negotiation import (
    BadParameter,
    BadRequest,
    MediaType,
    MethodNotAllowed,
    accepted_type,
    ensure_json,
    request_of_body,
    request_of_url,
)
from gateway.replies import Replies, Reply, refusal
from gateway.settings import Settings
from realtime.attendance import BadAttendance, is_nobody_there

log = logging.getLogger("unionhall.gateway")

BODY_S_MAX = 15.0
"""Seconds to send a whole body; 64 KiB over the slowest phone take two."""


class Authenticate(Protocol):
    """The actor of a token; None: nobody. ``is_used``: the session's user is there."""

    async def __call__(self, token: str, /, *, is_used: bool = True) -> Actor | None: ...


class BodyTooSlow(BadRequest):
    """The body did not arrive in time."""

    code: ClassVar[str] = "request.too_slow"
    status: ClassVar[int] = 408


class ForeignOrigin(Forbidden):
    """A cookie came with a request of an unknown page (CSRF)."""

    code: ClassVar[str] = "request.foreign_origin"


class _ClientGone(Exception):
    """Nobody is left to answer."""


class GraphQLHttp:
    """The ASGI endpoint of ``/graphql``; ``page`` is the query page for browsers, if any."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        authenticate: Authenticate,
        client_key: Callable[[str], str] = browsers.client_key,
        page: Callable[[], Reply] | None = None,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._authenticate = authenticate
        self._client_key = client_key
        self._page = page
        self._replies = Replies(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers: browsers.Headers = dict(scope["headers"])
        try:
            reply = await self._reply(scope, receive, headers)
        except _ClientGone:
            return
        except Exception as bug:  # the last resort: masked outside, loud inside, no content
            log.error("internal: %s in the GraphQL endpoint", type(bug).__name__)
            reply = refusal("internal", 500)
        await self._replies.send(scope, send, reply, headers)

    async def _reply(self, scope: Scope, receive: Receive, headers: browsers.Headers) -> Reply:
        method = scope["method"]
        if method == "OPTIONS":
            return Reply(204, b"", headers=browsers.preflight(self._settings, headers))
        try:
            is_page_offered = method in {"GET", "HEAD"} and self._page is not None
            accept = browsers.text_of(headers, b"accept")
            media = accepted_type(accept, is_page_offered=is_page_offered)
            if media is MediaType.HTML and self._page is not None:
                return self._page()
            return await self._operate(scope, receive, headers, media)
        except DomainError as error:
            return _refused(error)
        except UNREACHABLE as error:
            log.error("unavailable: %s while answering", type(error).__name__)
            return _refused(Unavailable())

    async def _operate(
        self, scope: Scope, receive: Receive, headers: browsers.Headers, media: MediaType
    ) -> Reply:
        is_post = scope["method"] == "POST"
        request = await self._request(scope, receive, headers)
        try:
            is_used = not is_nobody_there(request.extensions)
        except BadAttendance:
            raise BadParameter("extensions") from None
        actor = await self._actor(headers, is_post=is_post, is_used=is_used)
        if not is_post and self._engine.kind(request, actor) in {"mutation", "subscription"}:
            raise MethodNotAllowed(allowed="POST")
        cookies = None
        if is_post and not browsers.is_foreign(self._settings, headers):
            cookies = ResponseCookies()
        edge = Edge(
            client_key=self._client_key(scope["client"][0] if scope.get("client") else ""),
            user_agent=browsers.user_agent(headers),
            cookies=cookies,
        )
        answer = await self._engine.execute(request, actor, edge)
        wanted = browsers.set_cookie(self._settings, cookies) if cookies else []
        return Reply(_status(answer, media), answer.body, media.content_type, wanted)

    async def _request(
        self, scope: Scope, receive: Receive, headers: browsers.Headers
    ) -> GraphQLRequest:
        bytes_max = self._settings.graphql_body_bytes_max
        match scope["method"]:
            case "GET":
                return request_of_url(scope["query_string"], bytes_max=bytes_max)
            case "POST":
                ensure_json(browsers.text_of(headers, b"content-type"))
                body = wire.whole_body(scope)
                if body is None:
                    body = await read_body(receive, headers, bytes_max=bytes_max)
                return request_of_body(body, bytes_max=bytes_max)
            case _:
                raise MethodNotAllowed

    async def _actor(self, headers: browsers.Headers, *, is_post: bool, is_used: bool) -> Actor:
        """Who asks. Raises Unauthenticated for a bearer token that is not, or no longer, good."""
        token = browsers.bearer_token(headers)
        if token is not None:
            actor = await self._authenticate(token, is_used=is_used) if token else None
            if actor is None:
                raise Unauthenticated
            return actor
        token = browsers.cookie_token(self._settings, headers)
        if token is None:
            return NOBODY
        if not browsers.may_use_cookie(self._settings, headers):
            if is_post:
                raise ForeignOrigin
            return NOBODY
        # An old cookie must not keep its owner from signing in again.
        return await self._authenticate(token, is_used=is_used) or NOBODY


async def read_body(receive: Receive, headers: browsers.Headers, *, bytes_max: int) -> bytes:
    """The whole body, counted while it comes: a declared length may lie or be absent.

    Raises JsonTooLarge, BodyTooSlow.
    """
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and (len(declared) > 12 or int(declared) > bytes_max):
        raise JsonTooLarge(max=bytes_max)
    body = b""
    try:
        async with asyncio.timeout(BODY_S_MAX):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise _ClientGone
                body += bytes(message.get("body", b""))
                if len(body) > bytes_max:
                    raise JsonTooLarge(max=bytes_max)
                if not message.get("more_body", False):
                    return body
    except TimeoutError:
        raise BodyTooSlow from None


def _status(answer: GraphQLAnswer, media: MediaType) -> int:
    """400 only where the media type lets a status speak of the operation."""
    return 400 if answer.is_request_error and media is MediaType.RESPONSE else 200


def _refused(error: DomainError) -> Reply:
    headers: browsers.RawHeaders = []
    match error:
        case MethodNotAllowed():
            status, headers = error.status, [(b"allow", error.allowed.encode())]
        case BadRequest():
            status = error.status
        case JsonTooLarge():
            # The rest of the body is not read, so the connection cannot be used again.
            status, headers = 413, [(b"connection", b"close")]
        case BadJson():
            status = 400
        case Unauthenticated():
            status, headers = 401, [(b"www-authenticate", b"Bearer")]
        case Forbidden():
            status = 403
        case Limited():
            status, headers = 429, [(b"retry-after", str(round(error.retry_after_s) or 1).encode())]
        case Unavailable():
            status, headers = 503, [(b"retry-after", b"1")]
        case _:
            status = 400
    return refusal(error.code, status, dict(error.params), headers)
