"""Many who talk at the same time, and what became of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

import asyncpg

from domain.kernel.actor import Actor
from domain.kernel.streams import LoggedEvent, read_events, stream_states
from domain.kernel.work import Works
from tests.support.consultations import a_consultant, a_person, running, say

if TYPE_CHECKING:
    Owner: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    Owner = Any

MANY = "SELECT * FROM consultation_send_many($1, $2)"
LOOKS_MAX = 20_000
"""Each a round trip: several seconds."""


@dataclass(frozen=True)
class Talk:
    """One running conversation whose last number this process knows: 1."""

    id: UUID
    case: UUID
    member: Actor
    consultant: Actor


async def a_crowd(works: Works, count: int, *, readers: int = 2) -> list[Talk]:
    """Conversations in each of which a member has said one thing; few who read them."""
    consultants = [await a_consultant(works, capacity=20) for _ in range(readers)]
    talks = []
    for number in range(count):
        member, consultant = a_person(), consultants[number % readers]
        case, talk = await running(works, member, consultant)
        await say(works, member, talk, "0")
        talks.append(Talk(talk, case, member, consultant))
    return talks


async def dense(streams: Sequence[str]) -> dict[str, list[LoggedEvent]]:
    """The streams' events; their offsets are 1, 2, 3 … up to where the stream stands."""
    states, found = await stream_states(streams), {}
    for stream, state in states.items():
        found[stream] = await read_events(state, 0)
        assert [e.offset for e in found[stream]] == list(range(1, state.top + 1))
    return found


async def until_it_waits(database: str) -> int:
    """The server process in which a call of many waits for a lock."""
    waiting = (
        "SELECT pid FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock' AND query = $1"
    )
    async with owner_of(database) as owner:
        for _ in range(LOOKS_MAX):
            pid: int | None = await owner.fetchval(waiting, MANY)
            if pid is not None:
                return pid
    raise AssertionError("nothing waits")


@asynccontextmanager
async def owner_of(database: str) -> AsyncIterator[Owner]:
    """A connection past every policy."""
    owner = await asyncpg.connect(database)
    try:
        yield owner
    finally:
        await owner.close()
