"""One whole response of ``/graphql``: what its head says, and how it leaves.

Promises: every answer carries the safe headers, is stored by nobody, and says what a browser of a
known origin must hear. What says nothing more has its head written out once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson
from starlette.types import Scope, Send

from gateway import browsers, wire
from gateway.negotiation import MediaType
from gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Reply:
    """One whole response."""

    status: int
    body: bytes
    content_type: str = MediaType.JSON.content_type
    headers: browsers.RawHeaders = field(default_factory=list)


def refusal(
    code: str,
    status: int,
    params: dict[str, str | int | float] | None = None,
    headers: browsers.RawHeaders | None = None,
) -> Reply:
    """A GraphQL error document for what never became an operation."""
    error = {"message": code, "extensions": {**(params or {}), "code": code}}
    return Reply(status, orjson.dumps({"errors": [error]}), headers=headers or [])


class Replies:
    """Sends replies as this federation's settings want them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._safe = browsers.safe_headers(settings)
        self._heads: dict[tuple[str, bytes | None], bytes] = {}
        """Of plain answers, by content type and origin: a few of each."""
        self._origins = {None, *(origin.encode("latin-1") for origin in settings.origins)}

    async def send(self, scope: Scope, send: Send, reply: Reply, request: browsers.Headers) -> None:
        """Send it whole."""
        is_head = scope["method"] == "HEAD"
        origin = request.get(b"origin")
        if reply.status == 200 and not reply.headers and not is_head and origin in self._origins:
            head = self._heads.get((reply.content_type, origin))
            if head is None:
                head = wire.head_of(self._headers(reply, request))
                self._heads[reply.content_type, origin] = head
            if wire.answer(scope, head, reply.body):
                return
        length = (b"content-length", b"%d" % len(reply.body))
        headers = [length, *self._headers(reply, request)]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if is_head else reply.body})

    def _headers(self, reply: Reply, request: browsers.Headers) -> browsers.RawHeaders:
        headers = [
            (b"content-type", reply.content_type.encode("latin-1")),
            (b"cache-control", b"no-store"),
            *reply.headers,
            *browsers.cors(self._settings, request),
            *self._safe,
        ]
        return browsers.with_policy(headers)
