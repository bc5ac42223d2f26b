"""The public audit of GraphQL over HTTP finds nothing to say about the running server."""

from __future__ import annotations

import json

from tests.support.node import CLIENTS, install_clients, run_script
from tests.support.server import running_server

AUDITS = 61


async def test_all_audits_of_graphql_http_pass(database: str) -> None:
    install_clients()
    async with running_server(database) as server:
        outcome = json.loads(await run_script(CLIENTS / "http_audit.mjs", server.graphql))

    assert outcome["failed"] == []
    assert outcome["count"] == AUDITS
