"""A socket whose peer does not keep up: what it is spared, what is forgotten, when it is closed.

Above ``SOFT_BUFFER_BYTES`` unsent: whispers are dropped, but those that tell a state (who is here)
are kept, merged into one. Above ``LAG_BUFFER_BYTES``, or after ``soft_s``: durable events are not
written either; the position is all that is kept, and once the peer reads again they are replayed
from ring or log. Still so after ``lag_s``: closed with 1013, to come back and resume. Nobody else
notices: nothing here waits, and one timer looks at the buffer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from domain.kernel.streams import LoggedEvent
from realtime.bounds import LAG_BUFFER_BYTES, SOFT_BUFFER_BYTES
from realtime.node import Node
from realtime.presence import PRESENCE_CHANGED
from realtime.seat import Seat

if TYPE_CHECKING:
    from realtime.subscription import Subscriber


def _presence(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    joined, left = set(after["joined"]), set(after["left"])
    return {
        "joined": sorted((set(before["joined"]) - left) | joined),
        "left": sorted((set(before["left"]) - joined) | left),
    }


MERGERS: Final[Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]]] = {
    PRESENCE_CHANGED: _presence,
}
"""Whispers that tell a state, and how two bodies become one; every other kind may be dropped."""


class Slowness:
    """One slow socket, until it has caught up or is closed."""

    __slots__ = (
        *("_delivering", "_held", "_lagging_since", "_node", "_since", "_subscriber", "_timer"),
        "_woken",
    )

    def __init__(self, node: Node, subscriber: Subscriber) -> None:
        self._node = node
        self._subscriber = subscriber
        self._since = node.timers.time()
        self._lagging_since: float | None = None
        self._held: dict[tuple[Seat, str], LoggedEvent] = {}
        self._delivering: asyncio.Task[None] | None = None
        self._woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._timer = node.timers.call_later(node.settings.lag_poll_s, self._look)
        node.metrics.soft += 1

    def takes(self, seat: Seat, event: LoggedEvent) -> bool:
        """Whether to write this event now; if not, it is held, dropped or left to the log."""
        if event.offset == 0:
            self._hold(seat, event)
            return False
        if self._lagging_since is None and self._unsent() <= LAG_BUFFER_BYTES:
            return True
        self._lag()
        seat.subscription.fall_behind()
        return False

    async def passed(self) -> None:
        """Return when the peer has caught up, or the socket is gone."""
        await asyncio.shield(self._woken)

    def end(self) -> None:
        """It has caught up, or is closed."""
        self._timer.cancel()
        if not self._woken.done():
            self._woken.set_result(None)

    def _hold(self, seat: Seat, event: LoggedEvent) -> None:
        merged = MERGERS.get(event.kind)
        if merged is None:
            return
        key = (seat, event.kind)
        before = self._held.get(key)
        if before is not None:
            event = replace(event, body=merged(before.body, event.body))
        self._held[key] = event

    def _lag(self) -> None:
        if self._lagging_since is None:
            self._lagging_since = self._node.timers.time()

    def _look(self) -> None:
        node, now = self._node, self._node.timers.time()
        if self._unsent() <= SOFT_BUFFER_BYTES:
            self._subscriber.slow = None
            self.end()
            if self._held:
                self._delivering = asyncio.create_task(self._deliver_held())
            return
        if self._lagging_since is not None and now - self._lagging_since >= node.settings.lag_s:
            self._subscriber.close_lagging()
            return
        if now - self._since >= node.settings.soft_s:
            self._lag()
        self._timer = node.timers.call_later(node.settings.lag_poll_s, self._look)

    async def _deliver_held(self) -> None:
        for (seat, _), event in self._held.items():
            if seat.group is not None:
                await self._node.fan_out.deliver_to(seat, event)

    def _unsent(self) -> int:
        return self._subscriber.transport.buffered_bytes()
