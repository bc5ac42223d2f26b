"""Members bound to the register: over HTTP and over the socket, by hash and by text."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from domain.kernel.work import Works
from domain.org.models import Level
from gateway.documents import registered
from schema.trusted import digest
from tests.support import server
from tests.support.chatting import a_pair
from tests.support.live_client import LiveClient, Refused
from tests.support.matrix import a_union

FREE = "query Free { __typename }"
REFUSED = "graphql.untrusted_document"


def hashed(name: str) -> dict[str, Any]:
    """A document named by its hash, as stock clients do."""
    return {"query": "", "extensions": {"persistedQuery": {"version": 1, "sha256Hash": name}}}


async def test_a_member_can_send_registered_documents_only(database: str, works_now: Works) -> None:
    pair = await a_pair(works_now, await a_union(level=Level.FEDERATION))
    headers = {"authorization": f"Bearer {pair.tokens[0]}"}
    name, text = next(
        (name, text) for name, text in registered().items() if text.startswith("query")
    )
    environ = {"UNIONHALL_BOUND_TO_DOCUMENTS": "members"}
    async with (
        server.running_server(database, environ=environ) as one,
        httpx.AsyncClient(headers=headers) as http,
        LiveClient(lambda: [one.socket], pair.tokens[0]) as client,
    ):

        async def code(body: dict[str, Any]) -> str | None:
            answer = (await http.post(one.graphql, json=body)).json()
            return answer["errors"][0]["extensions"]["code"] if "errors" in answer else None

        assert await code({"query": FREE}) == REFUSED
        assert await code({"query": "{ {"}) == REFUSED, "not even parsed"
        assert await code(hashed(digest(FREE))) == "PERSISTED_QUERY_NOT_FOUND"
        for known in (hashed(name), {"query": text}):
            assert await code(known) not in {REFUSED, "PERSISTED_QUERY_NOT_FOUND"}
        with pytest.raises(Refused, match=REFUSED):
            await client.execute(FREE)
