"""W4, the connections: what a socket with one live subscription costs to open and to keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.load.databases import database_facts, database_server, fresh_database
from tests.load.live import OUR_WAY, RAW, STRAWBERRY, WAYS, board_opening, of, peer_openings
from tests.load.ours import OURS, House, prepared
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

CLIENT = "tests.load.clients.connections"
SOCKETS, SOCKETS_QUICK, SOCKETS_MANY = 5_000, 1_000, 10_000
OURS_MANY = "ours_10000"
RSS, CPU = "rss_kib_per_socket", "connect_cpu_ms"

KEYS = {
    "rss_kib_per_socket": "memory of our process for a signed-in socket with one subscription, KiB",
    "rss_vs_websockets": "the same by raw `websockets`, which follows nothing",
    "rss_vs_strawberry": "the same by strawberry with one subscription",
    "connect_cpu_ms": "server CPU to connect, sign in and follow, ours, milliseconds",
    "connect_cpu_vs_websockets": "the same by raw `websockets`",
    "connect_cpu_vs_strawberry": "the same by strawberry",
    "many": "10,000 sockets on one process of ours (null in a quick run)",
    "failed": "sockets of ours that were refused at first, or ended",
}


async def run(pace: Pace) -> Figures:
    """Set up, let the candidates take turns, compare."""
    count = SOCKETS_QUICK if pace.is_quick else SOCKETS_MANY
    with database_server() as server_url:
        async with fresh_database(server_url, "ours") as ours_url, prepared(ours_url) as house:
            tell(f"{count} cadres")
            watch = await enter_watchers(house, count)
            measured: list[Figures] = []
            for number in range(pace.rounds):
                # Anew for each round: memory that a process has once had it seldom gives back.
                async with serving(_programs(pace, house)) as servers:
                    candidates = _candidates(pace, servers, watch)
                    measured += await take_turns(pace, candidates, only_round=number)
            return _figures(measured) | {"database": await database_facts(ours_url)}


def _programs(pace: Pace, house: House) -> list[Program]:
    programs = [
        house.program_with_door(),
        peer("raw_fanout", RAW),
        peer("strawberry_fanout", STRAWBERRY),
    ]
    return programs if pace.is_quick else [*programs, house.program_with_door(OURS_MANY)]


def _candidates(pace: Pace, servers: Mapping[str, Server], watch: Watch) -> list[Candidate]:
    count = SOCKETS_QUICK if pace.is_quick else SOCKETS

    def ours(name: str, count: int) -> Candidate:
        openings = [board_opening(token, watch.notice) for token in watch.tokens[:count]]
        return Candidate(servers[name], CLIENT, OUR_WAY | {"openings": openings})

    def other(name: str) -> Candidate:
        openings = peer_openings(name, count)
        return Candidate(servers[name], CLIENT, WAYS[name] | {"openings": openings})

    candidates = [ours(OURS, count), other(RAW), other(STRAWBERRY)]
    return candidates if pace.is_quick else [*candidates, ours(OURS_MANY, SOCKETS_MANY)]


def _figures(measured: Sequence[Figures]) -> Figures:
    middle = medians(measured)
    ours = (OURS, OURS_MANY)
    return {
        **of(middle, OURS, (RSS, CPU)),
        "rss_vs_websockets": ratio(measured, RSS, OURS, RAW),
        "rss_vs_strawberry": ratio(measured, RSS, OURS, STRAWBERRY),
        "connect_cpu_vs_websockets": ratio(measured, CPU, OURS, RAW),
        "connect_cpu_vs_strawberry": ratio(measured, CPU, OURS, STRAWBERRY),
        "many": of(middle, OURS_MANY, (RSS, CPU, "connects_s", "rss_mib")),
        "failed": sum(total(measured, name, "refused", "sockets_ended") for name in ours),
        **verdict(measured),
        "peers": middle,
        "rounds": list(measured),
    }


WORKLOAD = Workload(
    name="connections",
    promise="W4: idle sockets, each signed in with one live subscription",
    keys=KEYS | COMMON_KEYS,
    run=run,
)
"""`python -m tests.load connections`."""
