"""An Announcer that remembers what was told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from domain.kernel.streams import Json, LoggedEvent


class RememberedAnnouncements:
    """Holds every hint and whisper, in order."""

    def __init__(self) -> None:
        self.events: list[LoggedEvent] = []
        self.whispers: list[tuple[str, str, Mapping[str, Json]]] = []

    def announce(self, events: Sequence[LoggedEvent]) -> None:
        self.events.extend(events)

    def whisper(self, stream: str, kind: str, body: Mapping[str, Json]) -> None:
        self.whispers.append((stream, kind, body))

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]
