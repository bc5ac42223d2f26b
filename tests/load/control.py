"""The door by which a load client makes a server publish: a line on 127.0.0.1, no answer.

A server that is measured has it beside its real port, so that what is measured is the fan-out of an
event and not the request that caused it.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

MARK = 1_900_000_000
"""Numbers of events are sent as MARK + number: ten digits that nothing else in a frame begins."""
PREFIX = b":1900"
"""How MARK and a number below a million stand in the JSON, or the title, of any of the servers."""
_NUMBER = re.compile(rb":(1900\d{6})")
EVENT_BYTES = 300
"""Of an event's JSON in a peer; what ours sends is about as long."""


@asynccontextmanager
async def listening(publish: Callable[[int, str], Awaitable[None]]) -> AsyncIterator[None]:
    """Call ``publish(number, topic)`` for each line ``number topic`` at CONTROL_PORT."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            number, _, topic = line.decode().strip().partition(" ")
            await publish(int(number), topic)
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", int(os.environ["CONTROL_PORT"]))
    try:
        yield
    finally:
        server.close()


def number_in(frame: bytes) -> int | None:
    """The number of the event that a frame tells of, if it tells of one."""
    found = _NUMBER.search(frame)
    return int(found[1]) - MARK if found else None


def event(number: int) -> dict[str, str | int]:
    """A peer's event of EVENT_BYTES."""
    fields: dict[str, str | int] = {
        "id": MARK + number,
        "kind": "message",
        "room": "union-42",
        "actor": "member-0001",
        "at": "2026-01-01T00:00:00.000Z",
    }
    return fields | {"body": "b" * (EVENT_BYTES - 116)}
