"""W8 for queries: what W1 costs among more members, and under a matrix of more unions."""

from __future__ import annotations

from tests.load.databases import database_facts, database_server, fresh_database
from tests.load.operations import CLIENT, PAGE, plan_of
from tests.load.ours import OURS, prepared
from tests.load.progress import tell
from tests.load.servers import serving
from tests.load.workload import (
    COMMON_KEYS,
    Candidate,
    Figures,
    Pace,
    Workload,
    medians,
    take_turns,
    total,
    verdict,
)

CPU = "cpu_us_per_request"
FIRST = 50
FULL_SIZES = {
    "unions": ((20_000, 100), (20_000, 10_000)),
    "members": ((20_000, 200), (1_000_000, 200)),
}
QUICK_SIZES = {"members": ((2_000, 200), (20_000, 200))}
"""Of each kind of growth the small and the large: members, unions."""

KEYS = {
    "growth": "by kind: both sizes, server CPU a request at each, and the large by the small",
    "errors": "answers that were not 200 with fifty members, and connections that broke",
}


async def run(pace: Pace) -> Figures:
    """For each kind and size a database of its own, one after the other."""
    told: Figures = {}
    every: list[Figures] = []
    with database_server() as server_url:
        for kind, sizes in (QUICK_SIZES if pace.is_quick else FULL_SIZES).items():
            measured = [await _measured(pace, server_url, *size) for size in sizes]
            small, large = (medians(each).get(OURS, {}).get(CPU) for each in measured)
            told[kind] = {
                "sizes": [dict(zip(("members", "unions"), size, strict=True)) for size in sizes],
                "cpu_us_per_request": [small, large],
                "errors": sum(total(each, OURS, "errors") for each in measured),
                "large_vs_small": round(large / small, 3) if small and large else None,
            }
            for size, each in zip(sizes, measured, strict=True):
                every += [{**one, "peer": f"{size[0]}_members_{size[1]}_unions"} for one in each]
        facts = await _facts(server_url)
    return {
        "growth": told,
        "errors": sum(each["errors"] for each in told.values()),
        **verdict(every),
        "peers": medians(every),
        "rounds": every,
        "database": facts,
    }


async def _measured(pace: Pace, server_url: str, members: int, unions: int) -> list[Figures]:
    tell(f"{members} members, {unions} unions")
    async with fresh_database(server_url, "growth") as url, prepared(url) as house:
        token = await house.enter_cadre(unions=unions, members=members)
        tell("entered")
        plan = plan_of(pace, PAGE.format(page=FIRST, after=""), token, FIRST)
        async with serving([house.program()]) as servers:
            return await take_turns(pace, [Candidate(servers[OURS], CLIENT, plan)])


async def _facts(server_url: str) -> dict[str, object]:
    async with fresh_database(server_url, "facts") as url:
        return await database_facts(url)


WORKLOAD = Workload(
    name="query_growth",
    promise="W8: W1 costs the same among a million members and under 10,000 unions",
    keys=KEYS | COMMON_KEYS,
    run=run,
)
"""`python -m tests.load query_growth`."""
