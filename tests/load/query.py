"""W1, the query: a page of fifty members with their unions, over thirty-two connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.load.databases import database_facts, database_server, fresh_database
from tests.load.ours import OURS, prepared
from tests.load.peers.ground import lay_ground
from tests.load.progress import tell
from tests.load.servers import Program, Server, peer, serving
from tests.load.workload import (
    COMMON_KEYS,
    Candidate,
    Figures,
    Pace,
    Workload,
    medians,
    ratio,
    take_turns,
    total,
    verdict,
)

CLIENT = "tests.load.clients.query"
MEMBERS = 20_000
UNIONS = 200
CONNECTIONS = 32
PAGE = 50
QUERY = (
    f"query M {{ members(first: {PAGE}) {{ edges {{ node {{ id name union {{ id name }} }} }}"
    " pageInfo { hasNextPage endCursor } } }"
)
OUR_QUERY = QUERY
RAW, PLAIN, CACHED = "raw", "strawberry", "strawberry_cached"

KEYS = {
    "rps": "requests a second that ours answered, 32 connections always asking",
    "cpu_vs_raw": "server CPU a request, ours by the raw limit's",
    "cpu_vs_strawberry": "server CPU a request, ours by plain strawberry's",
    "errors": "answers of ours that were not 200 with fifty members, and connections that broke",
}


async def run(pace: Pace) -> Figures:
    """Set up, let the candidates take turns, compare."""
    with database_server() as server_url:
        async with (
            fresh_database(server_url, "peers") as peers_url,
            fresh_database(server_url, "ours") as ours_url,
        ):
            tell(f"{MEMBERS} members in {UNIONS} unions: for the peers, then for us")
            await lay_ground(peers_url, unions=UNIONS, members=MEMBERS)
            async with prepared(ours_url) as house:
                token = await house.enter_cadre(unions=UNIONS, members=MEMBERS)
                programs = [house.program(), *_peers(peers_url)]
                tell("starting the servers")
                async with serving(programs) as servers:
                    measured = await take_turns(pace, _candidates(pace, servers, token))
            return _figures(measured) | {"database": await database_facts(ours_url)}


def _peers(url: str) -> list[Program]:
    return [
        peer("raw_query", RAW, PEER_DATABASE_URL=url),
        peer("strawberry_query", PLAIN, PEER_DATABASE_URL=url),
        peer("strawberry_query", CACHED, PEER_DATABASE_URL=url, PEER_CACHES="on"),
    ]


def _candidates(pace: Pace, servers: Mapping[str, Server], token: str) -> list[Candidate]:
    plan = {
        "path": "/graphql",
        "query": QUERY,
        "headers": {},
        "nodes": PAGE,
        "connections": CONNECTIONS,
        "warm_s": pace.warm_s,
        "measure_s": pace.measure_s,
    }
    ours: dict[str, Any] = {"query": OUR_QUERY, "headers": {"Authorization": f"Bearer {token}"}}
    mounted = {"path": "/graphql/"}
    differences: dict[str, dict[str, Any]] = {OURS: ours, PLAIN: mounted, CACHED: mounted, RAW: {}}
    return [Candidate(server, CLIENT, plan | differences[name]) for name, server in servers.items()]


def _figures(measured: Sequence[Figures]) -> Figures:
    key = "cpu_us_per_request"
    middle = medians(measured)
    return {
        "rps": middle[OURS].get("rps"),
        "cpu_us_per_request": middle[OURS].get(key),
        "cpu_vs_raw": ratio(measured, key, OURS, RAW),
        "cpu_vs_strawberry": ratio(measured, key, OURS, PLAIN),
        "errors": total(measured, OURS, "errors"),
        **verdict(measured),
        "peers": middle,
        "rounds": list(measured),
    }


WORKLOAD = Workload(
    name="query",
    promise="W1: fifty members with their unions, out of 20,000 that the asker may see",
    keys=KEYS | COMMON_KEYS,
    run=run,
)
