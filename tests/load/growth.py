"""W8 for the live layer: what a delivery costs among many other streams, and over two processes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.load.databases import database_facts, database_server, fresh_database
from tests.load.fanout import EVENTS, EVENTS_QUICK, SUBSCRIBERS, WARM, our_candidate
from tests.load.live import board_opening, boards_opening, of
from tests.load.ours import OURS, House, prepared
from tests.load.ours_notices import Watch, enter_other_notices, enter_watchers
from tests.load.progress import tell
from tests.load.servers import Program, Server, serving
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
from tests.support.redis_server import RedisServer

STREAMS, STREAMS_QUICK = 10_000, 1_000
STREAMS_A_SOCKET = 40
"""As many as a socket may begin to follow at once; further ones wait for its rate."""
AMONG, FIRST, SECOND = "ours_among_streams", "ours_of_two", "ours_of_two_second"
ONE, TWO = "ours_one_process", "ours_two_processes"
CPU = "cpu_us_per_delivery"

KEYS = {
    "cpu_us_per_delivery": "server CPU for one subscriber's frame when nothing else is followed",
    "cpu_among_streams": "the same by itself, with 10,000 (quick: 1,000) other streams followed",
    "cpu_two_processes": "the same of two processes with Redis, 1,000 subscribers each, by one",
    "two_processes_deliver": "so many times one process deliver two that have a core each (2 / the"
    " above): by CPU, for the client needs a core of its own",
    "lost": "frames that had not come 15 s after their event",
    "twice": "frames that came twice",
}


async def run(pace: Pace) -> Figures:
    """Set up, let the candidates take turns, compare."""
    streams = STREAMS_QUICK if pace.is_quick else STREAMS
    with database_server() as server_url, _redis() as redis_url:
        async with fresh_database(server_url, "ours") as ours_url, prepared(ours_url) as house:
            tell(f"{2 * SUBSCRIBERS} cadres, {streams} other notices")
            watch = await enter_watchers(house, 2 * SUBSCRIBERS)
            others = await enter_other_notices(house, watch, streams)
            tell("starting the servers")
            async with serving(_programs(house, redis_url)) as servers:
                measured = await take_turns(pace, _candidates(pace, servers, watch, others))
            return _figures(measured) | {"database": await database_facts(ours_url)}


@contextmanager
def _redis() -> Iterator[str | None]:
    """A Redis of this run's own, for others' hints would cost too; None where there is none."""
    if shutil.which("redis-server") is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="uh-load-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        try:
            yield server.url
        finally:
            server.stop()


def _programs(house: House, redis_url: str | None) -> list[Program]:
    alone = [house.program_with_door(), house.program_with_door(AMONG)]
    if redis_url is None:
        return alone
    together = [house.program_with_door(n, UNIONHALL_REDIS_URL=redis_url) for n in (FIRST, SECOND)]
    return [*alone, *together]


def _candidates(
    pace: Pace, servers: Mapping[str, Server], watch: Watch, others: Sequence[str]
) -> list[Candidate]:
    plan = {"events": EVENTS_QUICK if pace.is_quick else EVENTS, "warm": WARM}
    both = [board_opening(token, watch.notice) for token in watch.tokens]
    openings = both[:SUBSCRIBERS]
    slices = [others[at : at + STREAMS_A_SOCKET] for at in range(0, len(others), STREAMS_A_SOCKET)]
    among = [
        boards_opening(watch.tokens[number % len(watch.tokens)], notices)
        for number, notices in enumerate(slices)
    ]
    candidates = [
        our_candidate(servers[OURS], OURS, watch, openings, plan),
        our_candidate(servers[AMONG], AMONG, watch, openings, plan | {"others": among}),
    ]
    if FIRST in servers:
        first, second = servers[FIRST], servers[SECOND]
        candidates += [
            our_candidate(first, ONE, watch, openings, plan),
            our_candidate(first, TWO, watch, both, plan, also=[second]),
        ]
    return candidates


def _figures(measured: Sequence[Figures]) -> Figures:
    two = ratio(measured, CPU, TWO, ONE)
    middle, ours = medians(measured), (OURS, AMONG, ONE, TWO)
    return {
        **of(middle, OURS, (CPU,)),
        "cpu_among_streams": ratio(measured, CPU, AMONG, OURS),
        "cpu_two_processes": two,
        "two_processes_deliver": round(2 / two, 3) if two else None,
        "lost": sum(total(measured, name, "lost") for name in ours),
        "twice": sum(total(measured, name, "twice") for name in ours),
        **verdict(measured),
        "peers": middle,
        "rounds": list(measured),
    }


WORKLOAD = Workload(
    name="growth",
    promise="W8: a delivery costs the same among many streams and over two processes",
    keys=KEYS | COMMON_KEYS,
    run=run,
)
"""`python -m tests.load growth`."""
