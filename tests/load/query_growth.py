"""W8 for queries: what W1 costs among more members, and under a matrix of more unions."""

from __future__ import annotations

from tests.load.databases import fresh_database
from tests.load.operations import CLIENT, PAGE, plan_of
from tests.load.ours import OURS, prepared
from tests.load.progress import tell
from tests.load.servers import serving
from tests.load.workload import Candidate, Figures, Pace, medians, take_turns, total

CPU = "cpu_us_per_request"
FIRST = 50
FULL_SIZES = {
    "members": ((20_000, 200), (1_000_000, 200)),
    "unions": ((20_000, 100), (20_000, 10_000)),
}
QUICK_SIZES = {"members": ((2_000, 200), (20_000, 200))}
"""Of each kind of growth the small and the large: members, unions."""


async def growth(pace: Pace, server_url: str) -> Figures:
    """For each kind: CPU a request at both sizes, and the large by the small."""
    told: Figures = {}
    for kind, sizes in (QUICK_SIZES if pace.is_quick else FULL_SIZES).items():
        cpu = [await _cost(pace, server_url, *size) for size in sizes]
        small, large = (figures[CPU] for figures in cpu)
        told[kind] = {
            "sizes": [dict(zip(("members", "unions"), size, strict=True)) for size in sizes],
            "cpu_us_per_request": [small, large],
            "errors": sum(figures["errors"] for figures in cpu),
            "large_vs_small": round(large / small, 3) if small and large else None,
        }
    return told


async def _cost(pace: Pace, server_url: str, members: int, unions: int) -> Figures:
    tell(f"growth: {members} members, {unions} unions")
    async with fresh_database(server_url, "growth") as url, prepared(url) as house:
        token = await house.enter_cadre(unions=unions, members=members)
        plan = plan_of(pace, PAGE.format(page=FIRST, after=""), token, FIRST)
        async with serving([house.program()]) as servers:
            measured = await take_turns(pace, [Candidate(servers[OURS], CLIENT, plan)])
    middle = medians(measured).get(OURS, {})
    return {CPU: middle.get(CPU), "errors": total(measured, OURS, "errors")}
