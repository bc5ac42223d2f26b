"""Emptying a node before it stops: clients are told, come back elsewhere in slices, lose nothing.

A client that knows us opens its new socket first, at a random moment of the notice, and resumes
there; every other one is closed with 1012, comes back by itself and resumes. A socket is closed
only when its queries and mutations are answered. Each step is bounded: stopping always ends.
"""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from realtime.close_codes import CloseCode
from realtime.connection import Connection
from realtime.node import Node
from realtime.timing import pause

logger = logging.getLogger(__name__)

SLICES = 20
"""Closes are spread over so many slices: the next node never gets everybody at once."""
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class DrainTimes:
    """How long each step may take, in seconds; all three together bound the drain."""

    notice_s: float = 20.0
    """For clients that know us to move by themselves."""
    spread_s: float = 30.0
    """Over which everybody else is closed."""
    finish_s: float = 10.0
    """For the operations that still run then."""


async def drain(node: Node, times: DrainTimes) -> None:
    """Tell every client, wait, close who is left slice by slice, await what still runs.

    Afterwards no socket is open, and a mutation runs only if it has overstayed all bounds.
    """
    spoken = {
        "rt": {
            "drain": {"in": round(times.notice_s * 1000), "spread": round(times.spread_s * 1000)}
        }
    }
    frame = orjson.dumps(spoken)
    for connection in node.registry:
        connection.ping(frame)
    logger.info("draining %d connections", len(node.registry))
    await _until(node, times.notice_s, lambda: not len(node.registry))
    left = await _close_in_slices(node, times.spread_s)
    await _until(node, times.finish_s, lambda: not any(each.operations.is_busy for each in left))
    for connection in left:
        connection.close(CloseCode.RESTART)
    # Of sockets that were lost: a busy one was waited for above, within the same time.
    await await_mutations(node, 0 if left else times.finish_s)
    await node.receipts.flush()


async def _close_in_slices(node: Node, spread_s: float) -> list[Connection]:
    """Close evenly over the time; where operations run, in a later slice. Who is left over."""
    left = deque(random.sample(tuple(node.registry), len(node.registry)))
    total, closed = len(left), 0
    for number in range(1, SLICES + 1):
        if not left:
            break
        for _ in range(len(left)):
            if closed * SLICES >= total * number:
                break
            connection = left.popleft()
            if connection.operations.is_busy:
                left.append(connection)
            else:
                connection.close(CloseCode.RESTART)
                closed += 1
        await pause(node.timers, spread_s / SLICES)
    return list(left)


async def await_mutations(node: Node, within_s: float) -> None:
    """Return when no mutation is under way, or after the time."""
    await _until(node, within_s, lambda: not node.mutations)
    if node.mutations:
        logger.warning("%d mutations are left to themselves", len(node.mutations))


async def _until(node: Node, within_s: float, is_so: Callable[[], bool]) -> None:
    deadline = node.timers.time() + within_s
    while not is_so() and node.timers.time() < deadline:
        await pause(node.timers, min(POLL_S, within_s))
