"""The public audit of GraphQL over HTTP finds nothing to say about the running server."""

from __future__ import annotations

import json

from tests.support import server
from tests.support.node import CLIENTS, install_clients, run_script

AUDITS = 61


async def test_all_audits_of_graphql_http_pass(one: server.Server) -> None:
    install_clients()

    outcome = json.loads(await run_script(CLIENTS / "http_audit.mjs", one.graphql))

    assert outcome["failed"] == []
    assert outcome["count"] == AUDITS
