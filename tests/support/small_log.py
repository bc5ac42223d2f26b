"""The log in memory, and gates that hold up accesses to a database until a test lets them go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from domain.kernel.streams import Known, LoggedEvent, StreamState
from tests.support.clock import THEN

T = TypeVar("T")


class Gates:
    """Holds up accesses to the database until a test lets them go, one by one."""

    def __init__(self) -> None:
        self.held: list[asyncio.Event] | None = None
        """A list: each access waits there until a test sets its event."""
        self.is_stale = False
        """Whether a held access answers with what it saw before it was held."""

    def release(self) -> None:
        """Let all go, and hold up no more."""
        held, self.held = self.held or [], None
        for gate in held:
            gate.set()

    async def passing(self, read: Callable[[], T]) -> T:
        """What ``read`` finds, some time between the call and the return."""
        early = read()
        if self.held is None:
            await asyncio.sleep(0)
            return read()
        gate, is_stale = asyncio.Event(), self.is_stale
        self.held.append(gate)
        await gate.wait()
        return early if is_stale else read()


class SmallLog(Gates):
    """The log in memory: dense offsets, epochs, a floor; can be down or held up."""

    def __init__(self) -> None:
        super().__init__()
        self.streams: dict[str, tuple[str, list[LoggedEvent]]] = {}
        self.floors: dict[str, int] = {}
        self.is_down = False
        self.reads = 0

    def append(
        self, stream: str, kind: str = "test.happened", *, authority: bool = False, **body: Any
    ) -> LoggedEvent:
        """Commit one event."""
        epoch, events = self.streams.setdefault(stream, (f"e{len(self.streams)}", []))
        event = LoggedEvent(stream, epoch, len(events) + 1, kind, authority, THEN, body)
        events.append(event)
        return event

    def restore(self, stream: str, epoch: str, top: int) -> None:
        """Put an older copy of the stream in its place, under another epoch."""
        _, events = self.streams[stream]
        kept = [
            LoggedEvent(e.stream, epoch, e.offset, e.kind, e.is_authority, e.at, e.body)
            for e in events[:top]
        ]
        self.streams[stream] = (epoch, kept)

    async def stream_states(self, ids: Sequence[str]) -> dict[str, StreamState]:
        self._ensure_up()
        return await self.passing(lambda: {id_: self._state(id_) for id_ in ids})

    async def streams_moved(self, known: Sequence[Known]) -> list[StreamState]:
        self._ensure_up()
        states = await self.passing(lambda: [self._state(place[0]) for place in known])
        return [
            state
            for state, place in zip(states, known, strict=True)
            if (state.id, state.epoch, state.top, state.floor) != place
        ]

    async def read_events(
        self, state: StreamState, after: int, limit: int = 500
    ) -> list[LoggedEvent]:
        self._ensure_up()
        self.reads += 1
        return await self.passing(lambda: self._rows(state, after)[:limit])

    def _rows(self, state: StreamState, after: int) -> list[LoggedEvent]:
        epoch, events = self.streams.get(state.id, ("", []))
        if epoch != state.epoch:
            return []
        floor = self.floors.get(state.id, 0)
        return [e for e in events if e.offset > after and e.offset >= floor]

    def _state(self, id_: str) -> StreamState:
        epoch, events = self.streams.get(id_, ("", []))
        return StreamState(id_, epoch, len(events), self.floors.get(id_, 0))

    def _ensure_up(self) -> None:
        if self.is_down:
            raise OSError("the log is down")
