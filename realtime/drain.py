"""Emptying a node before it stops: clients are told, come back elsewhere in slices, lose nothing.

A client that knows us opens its new socket first and resumes there; every other one is closed with
1012, comes back by itself and resumes. Each step is bounded, so that stopping always ends.
"""

from __future__ import annotations

import logging
import random

import orjson

from realtime.close_codes import CloseCode
from realtime.node import Node
from realtime.timing import pause

logger = logging.getLogger(__name__)

SLICES = 20
"""Closes are spread over so many slices: the next node never gets everybody at once."""
MUTATIONS_MAX_S = 10.0
"""How long mutations under way are waited for."""
POLL_S = 0.1


async def drain(node: Node, *, in_s: float, spread_s: float) -> None:
    """Tell every client, wait ``in_s``, close who is left over ``spread_s``, await mutations.

    Afterwards no socket is open. Takes at most ``in_s + spread_s + MUTATIONS_MAX_S`` seconds.
    """
    spoken = {"rt": {"drain": {"in": round(in_s * 1000), "spread": round(spread_s * 1000)}}}
    frame = orjson.dumps(spoken)
    for connection in node.registry:
        connection.ping(frame)
    logger.info("draining %d connections", len(node.registry))
    await _until_empty(node, in_s)
    left = list(node.registry)
    random.shuffle(left)
    size = -(-len(left) // SLICES)
    for start in range(0, len(left), max(1, size)):
        for connection in left[start : start + size]:
            connection.close(CloseCode.RESTART)
        await pause(node.timers, spread_s / SLICES)
    await await_mutations(node)
    await node.receipts.flush()


async def _until_empty(node: Node, within_s: float) -> None:
    deadline = node.timers.time() + within_s
    while len(node.registry) and node.timers.time() < deadline:
        await pause(node.timers, min(POLL_S, within_s))


async def await_mutations(node: Node) -> None:
    """Return when no mutation is under way, or after ``MUTATIONS_MAX_S``."""
    deadline = node.timers.time() + MUTATIONS_MAX_S
    while node.mutations and node.timers.time() < deadline:
        await pause(node.timers, POLL_S)
    if node.mutations:
        logger.warning("%d mutations are left to themselves", len(node.mutations))
