"""Who hears of a stream without being written to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from domain.kernel.streams import LoggedEvent

if TYPE_CHECKING:
    from realtime.tail import Tail


class Follower(Protocol):
    """Whoever watches a stream's authority, such as a session. Must not raise."""

    def authority_changed(self, event: LoggedEvent) -> None:
        """Who may read this stream has changed; called before anything later is delivered."""
        ...

    def history_changed(self, tail: Tail) -> None:
        """The stream is another one now: what was missed is not known."""
        ...
