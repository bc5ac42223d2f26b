"""W2, the fan-out: many subscribers of one event, in one server process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.load.clients.crowd import Opening
from tests.load.databases import database_facts, database_server, fresh_database
from tests.load.live import (
    ASGI,
    FLOOR,
    OUR_WAY,
    RAW,
    STRAWBERRY,
    WAYS,
    board_opening,
    boards_opening,
    of,
    peer_openings,
)
from tests.load.node_peers import GRAPHQL_WS, LEFT_OUT_KEYS, MERCURIUS, node_peers
from tests.load.ours import OURS, prepared
from tests.load.ours_notices import Watch, enter_watchers
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

CLIENT = "tests.load.clients.fanout"
SUBSCRIBERS = 1_000
"""In a quick run too: fewer would make the event itself, its commit above all, the cost."""
STRAWBERRY_QUICK = 300
"""Its subscribers in a quick run: each costs it the same, and a thousand would take the time."""
EVENTS, EVENTS_QUICK = 50, 15
WARM = 5
MANY, MANY_EVENTS, MANY_WARM = 5_000, 30, 3
FEW_DOCUMENTS = 10
SLOW_EVENTS = 200
"""With and without the slow reader, in a full run: of fifty the 99th in a hundred is the last, and
one commit that waits for the disk would be the figure."""
SLOW_SUBSCRIPTIONS = 16
"""Of the one who stops reading: its buffers are full after some twenty events."""
TEN, EACH, SLOW = "ours_10_documents", "ours_n_documents", "ours_slow_reader"
OURS_MANY, RAW_MANY, FLOOR_MANY = "ours_n5000", "websockets_n5000", "floor_n5000"
CPU = "cpu_us_per_delivery"
NODE_SCRIPTS = {GRAPHQL_WS: "graphql_ws_fanout", MERCURIUS: "mercurius_fanout"}
_DOCUMENT_KEYS = (CPU, "last_p50_ms", "last_p99_ms")

KEYS = {
    "cpu_us_per_delivery": "server CPU for one subscriber's frame, ours, microseconds",
    "cpu_vs_websockets_broadcast": "the same by raw `websockets` broadcast()",
    "cpu_vs_floor": "the same by one prebuilt frame written to each transport, and nothing else",
    "floor_vs_websockets_broadcast": "that floor by raw `websockets` broadcast()",
    "cpu_vs_asgi": "the same by plain ASGI sends on uvicorn",
    "cpu_vs_strawberry": "the same by strawberry's own subscriptions",
    "cpu_vs_node_graphql_ws": "the same by graphql-ws on ws (Node.js); null when left out",
    "cpu_vs_mercurius": "the same by mercurius' subscriptions (Node.js); null when left out",
    "last_p50_ms": "ours, from the event's leaving until the last subscriber had it, median",
    "last_p99_ms": "the same for all but one in a hundred events",
    "lost": "frames of ours that had not come 15 s after their event",
    "twice": "frames of ours that came twice",
    "documents": "the cost by the number of different documents: 1, 10 and one a subscriber",
    "slow_reader": "last receipt of all others with and without one who has stopped reading",
    "n5000": "the last receipt of 5,000 subscribers (null in a quick run)",
}


async def run(pace: Pace) -> Figures:
    """Set up, let the candidates take turns, compare."""
    count = SUBSCRIBERS if pace.is_quick else MANY
    with database_server() as server_url:
        async with fresh_database(server_url, "ours") as ours_url, prepared(ours_url) as house:
            tell(f"{count} cadres")
            watch = await enter_watchers(house, count + 1)
            node = node_peers(pace, NODE_SCRIPTS)
            programs = [house.program_with_door(), *peers(), *node.programs]
            tell("starting the servers")
            async with serving(programs) as servers:
                measured = await take_turns(pace, _candidates(pace, servers, watch))
            facts = {"left_out": node.left_out, "database": await database_facts(ours_url)}
            return _figures(measured) | facts


def peers() -> list[Program]:
    """The small servers that publish to all their sockets."""
    return [
        peer("raw_fanout", RAW),
        peer("floor_fanout", FLOOR),
        peer("asgi_fanout", ASGI),
        peer("strawberry_fanout", STRAWBERRY),
    ]


def _candidates(pace: Pace, servers: Mapping[str, Server], watch: Watch) -> list[Candidate]:
    plan = {"events": EVENTS_QUICK if pace.is_quick else EVENTS, "warm": WARM, "topic": ""}

    def ours(name: str, documents: int, **differences: Any) -> Candidate:
        aliases = [None if documents == 1 else number % documents for number in range(SUBSCRIBERS)]
        seats = zip(watch.tokens, aliases, strict=False)
        openings = [board_opening(token, watch.notice, alias) for token, alias in seats]
        return our_candidate(servers[OURS], name, watch, openings, plan | differences)

    def other(name: str) -> Candidate:
        is_short = pace.is_quick and name == STRAWBERRY
        openings = peer_openings(name, STRAWBERRY_QUICK if is_short else SUBSCRIBERS)
        return Candidate(servers[name], CLIENT, plan | WAYS[name] | {"openings": openings})

    slow = boards_opening(watch.tokens[-1], [watch.notice] * SLOW_SUBSCRIPTIONS)
    candidates = [
        ours(OURS, 1),
        *(other(name) for name in (RAW, FLOOR, ASGI, STRAWBERRY)),
        *(other(name) for name in NODE_SCRIPTS if name in servers),
        ours(TEN, FEW_DOCUMENTS),
        ours(EACH, SUBSCRIBERS),
        ours(
            SLOW,
            1,
            slow_opening=slow,
            slow_subscriptions=SLOW_SUBSCRIPTIONS,
            events=EVENTS_QUICK if pace.is_quick else SLOW_EVENTS,
        ),
    ]
    return candidates if pace.is_quick else [*candidates, *_many(servers, watch)]


def _many(servers: Mapping[str, Server], watch: Watch) -> list[Candidate]:
    plan = {"events": MANY_EVENTS, "warm": MANY_WARM, "topic": ""}
    openings = [board_opening(token, watch.notice) for token in watch.tokens[:MANY]]

    def other(name: str, many: str) -> Candidate:
        asked = plan | WAYS[name] | {"openings": peer_openings(name, MANY)}
        return Candidate(servers[name], CLIENT, asked, many)

    return [
        our_candidate(servers[OURS], OURS_MANY, watch, openings, plan),
        other(RAW, RAW_MANY),
        other(FLOOR, FLOOR_MANY),
    ]


def our_candidate(
    server: Server,
    name: str,
    watch: Watch,
    openings: Sequence[Opening],
    plan: Mapping[str, Any],
    *,
    also: Sequence[Server] = (),
) -> Candidate:
    """Ours, with these subscribers of the board."""
    own = {"topic": str(watch.notice_id), "openings": openings}
    return Candidate(server, CLIENT, {**plan, **OUR_WAY, **own}, name, also)


def _figures(measured: Sequence[Figures]) -> Figures:
    middle = medians(measured)
    ours = (OURS, TEN, EACH, SLOW, OURS_MANY)
    slow = (*("last_p99_ms", "without_p99_ms", "p99_vs_without"), "slow_lost", "slow_kept_back_kib")
    return {
        **of(middle, OURS, (CPU, "last_p50_ms", "last_p99_ms")),
        "cpu_vs_websockets_broadcast": ratio(measured, CPU, OURS, RAW),
        "cpu_vs_floor": ratio(measured, CPU, OURS, FLOOR),
        "floor_vs_websockets_broadcast": ratio(measured, CPU, FLOOR, RAW),
        "cpu_vs_asgi": ratio(measured, CPU, OURS, ASGI),
        "cpu_vs_strawberry": ratio(measured, CPU, OURS, STRAWBERRY),
        "cpu_vs_node_graphql_ws": ratio(measured, CPU, OURS, GRAPHQL_WS),
        "cpu_vs_mercurius": ratio(measured, CPU, OURS, MERCURIUS),
        "lost": sum(total(measured, name, "lost", "slow_lost") for name in ours),
        "twice": sum(total(measured, name, "twice") for name in ours),
        "documents": {
            "1": of(middle, OURS, _DOCUMENT_KEYS),
            "10": of(middle, TEN, _DOCUMENT_KEYS),
            "n": of(middle, EACH, _DOCUMENT_KEYS),
        },
        "slow_reader": of(middle, SLOW, slow),
        "n5000": of(middle, OURS_MANY, _DOCUMENT_KEYS)
        | {
            "cpu_vs_websockets_broadcast": ratio(measured, CPU, OURS_MANY, RAW_MANY),
            "floor_vs_websockets_broadcast": ratio(measured, CPU, FLOOR_MANY, RAW_MANY),
        },
        **verdict(measured),
        "peers": middle,
        "rounds": list(measured),
    }


WORKLOAD = Workload(
    name="fanout",
    promise="W2: every subscriber of one event has it, executed with rights and resume",
    keys=KEYS | LEFT_OUT_KEYS | COMMON_KEYS,
    run=run,
)
"""`python -m tests.load fanout`."""
