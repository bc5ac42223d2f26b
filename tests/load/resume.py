"""W4, the storm: thousands come back at once, each to get exactly what it missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.load.databases import database_facts, database_server, fresh_database
from tests.load.live import (
    OUR_WAY,
    RAW,
    STRAWBERRY,
    WAYS,
    inbox_opening,
    initiation,
    of,
    peer_openings,
    publication,
)
from tests.load.ours import OURS, prepared
from tests.load.ours_notices import Zone, enter_officers
from tests.load.progress import tell
from tests.load.servers import Server, peer, serving
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

CLIENT = "tests.load.clients.resume"
SOCKETS, SOCKETS_QUICK = 5_000, 500
UNIONS, UNIONS_QUICK = 1_000, 100
MISSED = 3
"""Events that each misses."""
BACKLOG = 16_384
"""Connections that wait to be accepted, as far as the kernel allows: what one sets for a storm."""
CPU = "cpu_ms_per_resume"

KEYS = {
    "served_s": "from the instant all come back until the last has all it missed",
    "p99_ms": "the same for all but one in a hundred",
    "cpu_ms_per_resume": "server CPU to connect, sign in, follow and replay, milliseconds",
    "cpu_ms_afterwards": "server CPU in the 3 s after that, a socket: receipts, mostly",
    "cpu_vs_strawberry": "cpu_ms_per_resume by strawberry's, which replays nothing",
    "cpu_vs_websockets": "the same by raw `websockets`, which follows and replays nothing",
    "lost": "events of ours that somebody who came back never got",
    "doubled": "events of ours that somebody got twice",
    "refused": "sockets of ours that were not let in at the first try",
}


async def run(pace: Pace) -> Figures:
    """Set up, let the candidates take turns, compare."""
    sockets = SOCKETS_QUICK if pace.is_quick else SOCKETS
    unions = UNIONS_QUICK if pace.is_quick else UNIONS
    with database_server() as server_url:
        async with fresh_database(server_url, "ours") as ours_url, prepared(ours_url) as house:
            tell(f"{sockets} officers of {unions} unions")
            zone = await enter_officers(house, unions=unions, officers=sockets)
            programs = [
                house.program_with_door(UNIONHALL_BACKLOG=str(BACKLOG)),
                peer("strawberry_fanout", STRAWBERRY),
                peer("raw_fanout", RAW),
            ]
            tell("starting the servers")
            async with serving(programs) as servers:
                measured = await take_turns(pace, _candidates(servers, zone))
            facts = {"sockets": sockets, "streams": unions}
            return _figures(measured) | facts | {"database": await database_facts(ours_url)}


def _candidates(servers: Mapping[str, Server], zone: Zone) -> list[Candidate]:
    followers = [inbox_opening(officer.token, officer.union) for officer in zone.officers]
    ours = {
        "openings": [[initiation(zone.publisher_token)], *followers],
        "publication": publication(zone.global_id),
        "is_replayed": True,
        "missed": MISSED,
    }

    def other(name: str) -> Candidate:
        openings = peer_openings(name, len(zone.officers))
        plan = {"openings": openings, "publication": None, "is_replayed": False, "missed": MISSED}
        return Candidate(servers[name], CLIENT, WAYS[name] | plan)

    return [Candidate(servers[OURS], CLIENT, OUR_WAY | ours), other(RAW), other(STRAWBERRY)]


def _figures(measured: Sequence[Figures]) -> Figures:
    middle = medians(measured)
    return {
        **of(middle, OURS, ("served_s", "p99_ms", CPU, "cpu_ms_afterwards")),
        "cpu_vs_strawberry": ratio(measured, CPU, OURS, STRAWBERRY),
        "cpu_vs_websockets": ratio(measured, CPU, OURS, RAW),
        "lost": total(measured, OURS, "lost"),
        "doubled": total(measured, OURS, "doubled"),
        "refused": total(measured, OURS, "refused"),
        **verdict(measured),
        "peers": middle,
        "rounds": list(measured),
    }


WORKLOAD = Workload(
    name="resume",
    promise="W4: a storm of reconnects; each gets exactly the events that it missed",
    keys=KEYS | COMMON_KEYS,
    run=run,
)
"""`python -m tests.load resume`."""
