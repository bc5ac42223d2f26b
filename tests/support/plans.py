"""The plans by which the database ran what this process sent, as the database itself tells them.

PostgreSQL's ``auto_explain`` is loaded into the pool's connections: so the plans are those of the
very statements, arguments, role and policies, and of what runs inside functions and triggers.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

from domain.kernel.database import pool

Kind = Literal["custom", "generic"]
_SETTINGS = {
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_format": "json",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_buffers": "on",
    "client_min_messages": "log",
    "jit": "off",
}
CONNECTIONS = 6
"""As many as a pool may have in tests and workloads: one that is opened later is not watched."""
_COUNT = re.compile(r"\bSELECT count\(\*\) AS n FROM")
SAME_MAX = 4
"""Runs of one statement that are looked at."""
SAME_CHARS = 2_000
"""By which statements are known as the same."""
Node = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ran:
    """One statement as it ran."""

    sql: str
    root: Node
    kind: Kind
    ms: float

    def nodes(self) -> Iterator[Node]:
        """Every node of the plan."""
        pending: list[Node] = [self.root]
        while pending:
            node = pending.pop()
            yield node
            pending += node.get("Plans", ())

    @property
    def scanned_whole(self) -> frozenset[str]:
        """The tables that were read from one end to the other."""
        return frozenset(
            node["Relation Name"] for node in self.nodes() if node["Node Type"] == "Seq Scan"
        )

    @property
    def is_count(self) -> bool:
        """Whether it counts all that the asker may see: a leader's is the whole table."""
        return _COUNT.search(self.sql) is not None

    @property
    def blocks(self) -> int:
        """Pages of 8 KiB that were looked at."""
        return int(self.root.get("Shared Hit Blocks", 0) + self.root.get("Shared Read Blocks", 0))

    @property
    def rows(self) -> int:
        """Rows of tables that were touched, used or not."""
        touched = 0.0
        for node in self.nodes():
            if "Relation Name" in node:
                seen = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
                touched += seen * node["Actual Loops"]
        return round(touched)


@asynccontextmanager
async def watched_plans(kind: Kind) -> AsyncIterator[list[Ran]]:
    """The plans of all that this process's pool sends inside the block, of whatever task.

    ``kind``: made for the very arguments, or for any, as a connection does from the sixth time on.
    """
    ran: list[Ran] = []

    times: Counter[str] = Counter()

    def remember(_conn: object, message: Any) -> None:
        head, _, plan = message.message.partition("plan:\n")
        start = plan[:SAME_CHARS]
        times[start] += 1
        if plan and times[start] <= SAME_MAX:
            told = json.loads(plan)
            ms = float(head.split()[1])
            ran.append(Ran(told["Query Text"], told["Plan"], kind, ms))

    held = pool()
    taken = [await held.take() for _ in range(CONNECTIONS)]
    settings = _SETTINGS | {"plan_cache_mode": f"force_{kind}_plan"}
    for conn in reversed(taken):
        role = await conn.fetchval("SELECT current_user")
        wanted = ";".join(f"SET {name} = '{value}'" for name, value in settings.items())
        await conn.execute(f"SET ROLE NONE; LOAD 'auto_explain'; {wanted}; SET ROLE {role}")
        conn.add_log_listener(remember)
        held.give(conn)
    try:
        yield ran
        await asyncio.sleep(0)  # the driver calls its listeners in the loop's next round
    finally:
        for conn in taken:
            if not conn.is_closed():
                role = await conn.fetchval("SELECT current_user")
                left = ";".join(f"RESET {name}" for name in settings)
                await conn.execute(f"SET ROLE NONE; {left}; SET ROLE {role}")
                conn.remove_log_listener(remember)
