"""The bus between processes: hints at what was committed, and whispers that are never stored.

A message may be lost, doubled, late or wrong and nothing breaks: the log is the truth and a sweep
finds what no hint told. ``LocalBus`` serves one process; ``realtime.redis_bus`` several. Both pass
the same contract suite.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from domain.kernel.streams import LoggedEvent


@dataclass(frozen=True, slots=True)
class Hint:
    """Something was committed at this place. ``event`` comes along when it is small enough."""

    stream: str
    epoch: str
    offset: int
    event: LoggedEvent | None = None


@dataclass(frozen=True, slots=True)
class Whisper:
    """Something ephemeral, such as typing."""

    stream: str
    kind: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Hints:
    """One fact that was committed to many streams, its event carried once (a notice, say)."""

    places: tuple[tuple[str, str, int, int], ...]
    """Stream, epoch, offset and authority version of each."""
    event: LoggedEvent | None = None
    """The event as it is at one of the places."""

    def each(self) -> Iterator[Hint]:
        """The hints, one a stream; the events share one body."""
        event = self.event
        for stream, epoch, offset, authority_version in self.places:
            if event is None:
                yield Hint(stream, epoch, offset)
            else:
                head = (stream, epoch, offset, event.kind, event.is_authority)
                told = LoggedEvent(*head, event.at, event.body, authority_version)
                yield Hint(stream, epoch, offset, told)


BusMessage: TypeAlias = Hint | Whisper
"""What listeners hear."""
Carried: TypeAlias = BusMessage | Hints
"""What the bus carries."""


def heard_as(message: Carried) -> Iterable[BusMessage]:
    """What listeners hear of it."""
    return message.each() if isinstance(message, Hints) else (message,)


class BusListener(Protocol):
    """One process's ear. Called on the loop, never concurrently; must not raise or block."""

    def heard(self, message: BusMessage) -> None:
        """A message of any process, this one included."""
        ...

    def bus_health_changed(self, healthy: bool) -> None:
        """Whether messages of other processes come through now."""
        ...


class Bus(Protocol):
    """Carries messages to every listener of every process, at most once, in no promised order."""

    @property
    def healthy(self) -> bool:
        """Whether a message sent now would be heard by the other processes."""
        ...

    async def start(self) -> None:
        """Begin to carry. A bus that can't reach its server starts all the same, unhealthy."""
        ...

    async def stop(self) -> None:
        """Carry no more; what is under way may be lost."""
        ...

    def listen(self, listener: BusListener) -> None:
        """Let ``listener`` hear everything from now on."""
        ...

    def publish(self, message: Carried) -> None:
        """Send, from the loop's thread. Never blocks, never raises."""
        ...


class LocalBus:
    """The bus of a single process: listeners hear in the loop's next round."""

    def __init__(self) -> None:
        self._listeners: list[BusListener] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def healthy(self) -> bool:
        return self._loop is not None

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()

    async def stop(self) -> None:
        self._loop = None

    def listen(self, listener: BusListener) -> None:
        self._listeners.append(listener)

    def publish(self, message: Carried) -> None:
        # Not at once: a listener must never run inside the publisher's own stack.
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon(self._deliver, message)

    def _deliver(self, message: Carried) -> None:
        if self._loop is not None:
            for each in heard_as(message):
                for listener in self._listeners:
                    listener.heard(each)
