"""W8 for the database: how each statement ran among many rows and among very many; and the pool."""

from __future__ import annotations

import asyncio
import hashlib
import statistics
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.kernel.actor import Actor
from domain.kernel.database import connect, disconnect
from domain.kernel.ports import GraphQLRequest
from domain.vault.passwords import Passwords, install_passwords
from schema.engine import SchemaEngine
from tests.load.databases import database_facts, database_server, fresh_database
from tests.load.ours import prepared
from tests.load.progress import tell
from tests.load.query import QUERY
from tests.load.workload import COMMON_KEYS, Figures, Pace, Workload
from tests.support.asking import an_engine, ask_everything
from tests.support.federation import a_busy_federation
from tests.support.growing import GROWING, Growth, grow
from tests.support.plans import Ran, watched_plans
from tests.support.vault import CHEAP_COSTS

SMALL = Growth(members=20_000, others=5_000, unions=2_000)
BIG = Growth(members=1_000_000, others=60_000, unions=2_000)
BIG_QUICK = Growth(members=100_000, others=15_000, unions=2_000)
POOLS = (2, 4, 10, 20)
ASKERS = 32
GREW_MIN = 1.2
"""So many times the rows may be touched, and it still counts as not growing."""
SPARED_ROWS = 20
"""Fewer rows more than that tell nothing: they are another page of an index."""
SQL_CHARS = 400

KEYS = {
    "sequential_scans": "tables that grow and were read whole, with the statement; must be empty",
    "counts": "the same by what counts everything the asker may see, which is asked for by name",
    "grew": "other statements that touched over 1.2 times the rows in the big database",
    "statements": "of each: nodes of its plan; in small and big database 8 KiB pages, rows touched"
    " and milliseconds; ms_ratio is big by small, by the asker who sees most",
    "ms_ratio": "the median of these ratios: 1.2 at most, for nothing asked for grows",
    "pools": "W1's query, 32 askers in one process, by connections: requests/s, CPU µs a request",
}


@dataclass(frozen=True, slots=True)
class _Side:
    ran: Mapping[str, Sequence[Ran]]
    """By text."""
    database: Mapping[str, object]
    pools: Figures


async def run(pace: Pace) -> Figures:
    """The same questions in both databases; then pools of several sizes on the big one."""
    big = BIG_QUICK if pace.is_quick else BIG
    with database_server() as server_url:
        one = await _side(server_url, "small", SMALL, pace, pools=())
        two = await _side(server_url, "big", big, pace, pools=POOLS)
    return {
        **_figures(one.ran, two.ran),
        "pools": two.pools,
        "rows": {"small": SMALL.members, "big": big.members},
        "peers": {f"pool_{size}": figures for size, figures in two.pools.items()},
        "valid": True,
        "invalid_because": [],
        "rounds": [],
        "database": two.database,
    }


async def _side(
    server_url: str, name: str, growth: Growth, pace: Pace, *, pools: Sequence[int]
) -> _Side:
    async with fresh_database(server_url, name) as url:
        async with prepared(url) as house:
            install_passwords(Passwords(CHEAP_COSTS))
            askers = await a_busy_federation(house.works)
            tell(f"{growth.members} members, {growth.others} rows of everything else")
            await grow(url, growth, tell)
            engine = an_engine(house.works)
            ran: list[Ran] = []
            for kind in ("custom", "generic"):
                tell(f"asking everything, by {kind} plans")
                async with watched_plans(kind) as plans:
                    await ask_everything(engine, house.works.clock, askers)
                ran += plans
        cadre = askers[0].actor
        tell("asked")
        rates = {str(size): await _rate(url, engine, cadre, size, pace) for size in pools}
        return _Side(_by_text(ran), await database_facts(url), rates)


def _by_text(ran: Sequence[Ran]) -> Mapping[str, Sequence[Ran]]:
    found: defaultdict[str, list[Ran]] = defaultdict(list)
    for each in ran:
        found[each.sql].append(each)
    return found


async def _rate(url: str, engine: SchemaEngine, actor: Actor, size: int, pace: Pace) -> Figures:
    """The query, asked by 32 at once over so many connections."""
    await connect(url, pool_min=size, pool_max=size)
    done = 0

    async def ask_until(end: float) -> None:
        nonlocal done
        while time.monotonic() < end:
            answer = await engine.execute(GraphQLRequest(QUERY), actor)
            assert b'"errors"' not in answer.body
            done += 1

    async def all_ask(seconds: float) -> None:
        end = time.monotonic() + seconds
        await asyncio.gather(*(ask_until(end) for _ in range(ASKERS)))

    try:
        await all_ask(pace.warm_s)
        done, began, cpu = 0, time.monotonic(), time.process_time()
        await all_ask(pace.measure_s)
        cpu_s, took_s = time.process_time() - cpu, time.monotonic() - began
    finally:
        await disconnect()
    return {"rps": round(done / took_s), "cpu_us_per_request": round(cpu_s / done * 1e6)}


def _figures(small: Mapping[str, Sequence[Ran]], big: Mapping[str, Sequence[Ran]]) -> Figures:
    statements = {_name(sql): _compared(small[sql], big[sql]) for sql in big if sql in small}
    ratios = [each["ms_ratio"] for each in statements.values()]
    scans = [
        (_name(sql), table, each.is_count)
        for sql, runs in big.items()
        for each in runs
        for table in each.scanned_whole & GROWING
    ]
    return {
        "sequential_scans": sorted({scan[:2] for scan in scans if not scan[2]}),
        "counts": sorted({scan[:2] for scan in scans if scan[2]}),
        "grew": sorted(name for name, each in statements.items() if each["has_grown"]),
        "ms_ratio": round(statistics.median(ratios), 2) if ratios else None,
        "statements": statements,
    }


def _compared(small: Sequence[Ran], big: Sequence[Ran]) -> Figures:
    # Of those who asked, the one who sees most.
    rows = [max(each.rows for each in runs) for runs in (small, big)]
    ms = [
        min(each.ms for each in runs if each.rows == most)
        for runs, most in zip((small, big), rows, strict=True)
    ]
    return {
        "sql": " ".join(big[0].sql.split())[-SQL_CHARS:],
        "nodes": sorted({node["Node Type"] for each in big for node in each.nodes()}),
        "pages": [max(each.blocks for each in runs) for runs in (small, big)],
        "rows": rows,
        "ms": ms,
        "ms_ratio": round(ms[1] / ms[0], 2) if ms[0] else 1.0,
        "has_grown": not big[0].is_count and rows[1] > rows[0] * GREW_MIN + SPARED_ROWS,
    }


def _name(sql: str) -> str:
    """A statement's, short and always the same."""
    return hashlib.sha256(sql.encode()).hexdigest()[:8]


WORKLOAD = Workload(
    name="plans",
    promise="W8: no statement reads what it does not need, among 20,000 members or a million",
    keys=KEYS | COMMON_KEYS,
    run=run,
)
"""`python -m tests.load plans`."""
