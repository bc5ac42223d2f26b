"""W1, the query: a page of fifty members with their unions, over thirty-two connections."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tests.load.agreement import values_told
from tests.load.databases import database_facts, database_server, fresh_database
from tests.load.node_peers import LEFT_OUT_KEYS, MERCURIUS, node_peers
from tests.load.operations import CLIENT, CONNECTIONS, Asked, operations, plan_of
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

MEMBERS = 20_000
UNIONS = 200
FIRST = 50
QUERY = (
    f"query M {{ members(first: {FIRST}) {{ edges {{ node {{ id name union {{ id name }} }} }}"
    " pageInfo { hasNextPage endCursor } } }"
)
RAW, PLAIN, CACHED = "raw", "strawberry", "strawberry_cached"
CORE = "ours_on_graphql_core"
RAW_OURS, PLAIN_OURS = "raw_on_our_tables", "strawberry_on_our_tables"
NODE_SCRIPTS = {MERCURIUS: "mercurius_query"}
CPU = "cpu_us_per_request"
AFTERWARDS_S = 15
"""The four other operations may end so much later than W1's own budget."""
OTHERS_ROUNDS = 2
OTHERS_MEASURE_S_MAX = 2.0
OTHERS_PATIENCE_S = 10
"""Of each of the four, for others on this machine to be quiet."""

KEYS = {
    "rps": "requests a second that ours answered, 32 connections always asking",
    "cpu_vs_raw": "server CPU a request, ours by the raw limit's",
    "cpu_vs_strawberry": "server CPU a request, ours by plain strawberry's",
    "cpu_vs_graphql_core": "server CPU a request, ours compiled by ours with every plan off",
    "cpu_vs_mercurius": "server CPU a request, ours by mercurius' with its compiler (Node.js);"
    " null when left out",
    "operations": "the same of each of five operations, how many rounds it had, and how many values"
    " each candidate's answer held before measuring: not equally many makes the run invalid",
    "errors": "answers of ours that were not 200 with fifty members, and connections that broke",
}


async def run(pace: Pace) -> Figures:
    """Set up, let the candidates take turns, compare; then the other operations."""
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
                both = [house.program(), house.interpreted(CORE)]
                tell("starting the servers")
                peers = _peers(pace, peers_url, ours_url)
                node = node_peers(pace, NODE_SCRIPTS, PEER_DATABASE_URL=peers_url)
                async with serving([*both, *peers, *node.programs]) as servers:
                    every = {"members": await _take(pace, _candidates(pace, servers, token))}
                    less = _shorter(pace)
                    for each in others:
                        tell(f"operation: {each.name}")
                        every[each.name] = await _take(less, _both(less, servers, each))
            facts = {"left_out": node.left_out, "database": await database_facts(ours_url)}
            return _figures(every) | facts


@dataclasses.dataclass(frozen=True, slots=True)
class _Taken:
    measured: Sequence[Figures]
    values: Mapping[str, int | str]


async def _take(pace: Pace, candidates: Sequence[Candidate]) -> _Taken:
    """First what each answers, then what it costs."""
    wanted = [each for each in candidates if not pace.only or each.label in pace.only]
    values = await values_told(wanted)
    return _Taken(await take_turns(pace, candidates), values)


def _shorter(pace: Pace) -> Pace:
    """What comes after W1: less time for each, and some more for all of it."""
    return dataclasses.replace(
        pace,
        rounds=min(pace.rounds, OTHERS_ROUNDS),
        warm_s=min(pace.warm_s, 0.3),
        measure_s=min(pace.measure_s * 0.4, OTHERS_MEASURE_S_MAX),
        patience_s=min(pace.patience_s, OTHERS_PATIENCE_S),
        budget_s=pace.budget_s + AFTERWARDS_S,
    )


def _both(pace: Pace, servers: Mapping[str, Server], asked: Asked) -> list[Candidate]:
    """Ours, compiled and not; and the peers, on our tables or on their own."""
    plan = plan_of(pace, asked.query, asked.token, asked.nodes)
    theirs = plan | {"query": f"query M {asked.peers}", "headers": {}}
    raw, plain = (RAW_OURS, PLAIN_OURS) if asked.is_on_our_tables else (RAW, PLAIN)
    # It answers all connections about every half second: a span must hold several of these.
    longer = {"path": "/graphql/", "measure_s": 2 * pace.measure_s}
    return [
        Candidate(servers[OURS], CLIENT, plan),
        Candidate(servers[raw], CLIENT, theirs, name=RAW),
        Candidate(servers[plain], CLIENT, theirs | longer, name=PLAIN),
        Candidate(servers[CORE], CLIENT, plan),
    ]


def _ratios(measured: Sequence[Figures]) -> Figures:
    middle = medians(measured).get(OURS, {})
    return {
        "rps": middle.get("rps"),
        "cpu_us_per_request": middle.get(CPU),
        "cpu_vs_raw": ratio(measured, CPU, OURS, RAW),
        "cpu_vs_strawberry": ratio(measured, CPU, OURS, PLAIN),
        "cpu_vs_graphql_core": ratio(measured, CPU, OURS, CORE),
        "errors": total(measured, OURS, "errors"),
    }


def _peers(pace: Pace, url: str, ours_url: str) -> list[Program]:
    """The cached one only where there is time for it: no ratio is taken to it."""
    cached = peer("strawberry_query", CACHED, PEER_DATABASE_URL=url, PEER_CACHES="on")
    return [
        peer("raw_query", RAW, PEER_DATABASE_URL=url),
        peer("raw_ours", RAW_OURS, PEER_DATABASE_URL=ours_url),
        peer("strawberry_query", PLAIN, PEER_DATABASE_URL=url),
        peer("strawberry_ours", PLAIN_OURS, PEER_DATABASE_URL=ours_url),
        *([] if pace.is_quick else [cached]),
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
        RAW: {},
        PLAIN: mounted,
        CORE: ours,
        CACHED: mounted,
        MERCURIUS: {},
    }
    started = {name: own for name, own in differences.items() if name in servers}
    return [Candidate(servers[name], CLIENT, plan | own) for name, own in started.items()]


def _figures(every: Mapping[str, _Taken]) -> Figures:
    members = every["members"].measured
    return {
        **_ratios(members),
        "cpu_vs_mercurius": ratio(members, CPU, OURS, MERCURIUS),
        "operations": {name: _operation(taken) for name, taken in every.items()},
        **_verdict(every),
        "peers": medians(members),
        "rounds": [{"operation": n, **one} for n, taken in every.items() for one in taken.measured],
    }


def _operation(taken: _Taken) -> Figures:
    counts = Counter(one["peer"] for one in taken.measured if "broke" not in one)
    return {
        **_ratios(taken.measured),
        "rounds": dict(counts),
        "values": dict(taken.values),
        "peers": medians(taken.measured),
    }


def _verdict(every: Mapping[str, _Taken]) -> Figures:
    """That of each operation, and whether all candidates told equally much."""
    reasons = []
    for name, taken in every.items():
        own = verdict(taken.measured)["invalid_because"]
        if len(set(taken.values.values())) > 1:
            own = [*own, f"answers are not equally long: {dict(taken.values)}"]
        reasons += [f"{name}: {reason}" for reason in own]
    return {"valid": not reasons, "invalid_because": reasons}


WORKLOAD = Workload(
    name="query",
    promise="W1: fifty members with their unions, out of 20,000 that the asker may see",
    keys=KEYS | LEFT_OUT_KEYS | COMMON_KEYS,
    run=run,
)
