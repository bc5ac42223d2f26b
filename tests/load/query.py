"""W1, the query: a page of fifty members with their unions, over thirty-two connections."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from tests.load.databases import database_facts, database_server, fresh_database
from tests.load.operations import CLIENT, CONNECTIONS, Asked, operations, plan_of
from tests.load.ours import OURS, prepared
from tests.load.peers.ground import lay_ground
from tests.load.progress import tell
from tests.load.query_growth import growth
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

MEMBERS = 20_000
UNIONS = 200
FIRST = 50
QUERY = (
    f"query M {{ members(first: {FIRST}) {{ edges {{ node {{ id name union {{ id name }} }} }}"
    " pageInfo { hasNextPage endCursor } } }"
)
RAW, PLAIN, CACHED = "raw", "strawberry", "strawberry_cached"
CORE = "ours_on_graphql_core"
RAW_OURS = "raw_on_our_tables"
CPU = "cpu_us_per_request"
AFTERWARDS_S = 30

KEYS = {
    "rps": "requests a second that ours answered, 32 connections always asking",
    "cpu_vs_raw": "server CPU a request, ours by the raw limit's",
    "cpu_vs_strawberry": "server CPU a request, ours by plain strawberry's",
    "cpu_vs_graphql_core": "server CPU a request, ours compiled by ours with every plan off",
    "operations": "the same of each operation; the last three have no strawberry beside them",
    "growth": "server CPU of W1: among many members by among few, and the same of unions",
    "errors": "answers of ours that were not 200 with fifty members, and connections that broke",
}


async def run(pace: Pace) -> Figures:
    """Set up, let the candidates take turns, compare; then the other operations, then growth."""
    with database_server() as server_url:
        async with (
            fresh_database(server_url, "peers") as peers_url,
            fresh_database(server_url, "ours") as ours_url,
        ):
            tell(f"{MEMBERS} members in {UNIONS} unions: for the peers, then for us")
            await lay_ground(peers_url, unions=UNIONS, members=MEMBERS)
            async with prepared(ours_url) as house:
                token = await house.enter_cadre(unions=UNIONS, members=MEMBERS)
                others = await operations(house, token, FIRST)
                limit = peer("raw_ours", RAW_OURS, PEER_DATABASE_URL=ours_url)
                programs = [house.program(), house.interpreted(CORE), limit, *_peers(peers_url)]
                tell("starting the servers")
                async with serving(programs) as servers:
                    measured = await take_turns(pace, _candidates(pace, servers, token))
                    asked = {"members": _ratios(measured)} | {
                        each.name: _ratios(
                            await take_turns(_shorter(pace), _both(_shorter(pace), servers, each))
                        )
                        for each in others
                    }
            facts = await database_facts(ours_url)
        figures = _figures(measured) | {"operations": asked, "database": facts}
        return figures | {"growth": await growth(_shorter(pace), server_url)}


def _shorter(pace: Pace) -> Pace:
    """What comes after W1: less time for each, and some more for all of it."""
    return dataclasses.replace(
        pace,
        warm_s=min(pace.warm_s, 0.4),
        measure_s=min(pace.measure_s, 3.0) / 2,
        budget_s=pace.budget_s + AFTERWARDS_S,
    )


def _both(pace: Pace, servers: Mapping[str, Server], asked: Asked) -> list[Candidate]:
    """Ours, compiled and not; and the peers, where they have such a list."""
    plan = plan_of(pace, asked.query, asked.token, asked.nodes)
    made = [Candidate(servers[name], CLIENT, plan) for name in (OURS, CORE)]
    if asked.peers is not None:
        theirs = plan | {"query": f"query M {asked.peers}", "headers": {}}
        made.append(Candidate(servers[RAW], CLIENT, theirs))
        made.append(Candidate(servers[PLAIN], CLIENT, theirs | {"path": "/graphql/"}))
    else:
        made.append(Candidate(servers[RAW_OURS], CLIENT, plan | {"headers": {}}, name=RAW))
    return made


def _ratios(measured: Sequence[Figures]) -> Figures:
    middle = medians(measured)
    return {
        "rps": middle[OURS].get("rps"),
        "cpu_us_per_request": middle[OURS].get(CPU),
        "cpu_vs_raw": ratio(measured, CPU, OURS, RAW),
        "cpu_vs_strawberry": ratio(measured, CPU, OURS, PLAIN),
        "cpu_vs_graphql_core": ratio(measured, CPU, OURS, CORE),
        "errors": total(measured, OURS, "errors"),
    }


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
        "nodes": FIRST,
        "connections": CONNECTIONS,
        "warm_s": pace.warm_s,
        "measure_s": pace.measure_s,
    }
    ours: dict[str, Any] = {"headers": {"Authorization": f"Bearer {token}"}}
    mounted = {"path": "/graphql/"}
    differences: dict[str, dict[str, Any]] = {
        OURS: ours,
        CORE: ours,
        PLAIN: mounted,
        CACHED: mounted,
        RAW: {},
    }
    return [Candidate(servers[name], CLIENT, plan | own) for name, own in differences.items()]


def _figures(measured: Sequence[Figures]) -> Figures:
    return {
        **_ratios(measured),
        **verdict(measured),
        "peers": medians(measured),
        "rounds": list(measured),
    }


WORKLOAD = Workload(
    name="query",
    promise="W1: fifty members with their unions, out of 20,000 that the asker may see",
    keys=KEYS | COMMON_KEYS,
    run=run,
)
