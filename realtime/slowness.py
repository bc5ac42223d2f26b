"""A socket whose peer does not keep up: what it is spared, what is forgotten, when it is closed.

Above ``SOFT_BUFFER_BYTES`` unsent: whispers are dropped, but those that tell a state (who is here)
are kept, merged into one. Above ``LAG_BUFFER_BYTES``, or after ``soft_s``: durable events are not
written either; the position is all that is kept, and once the peer reads again they are replayed
from ring or log. Still so after ``lag_s``: closed with 1013, to come back and resume. Nobody else
notices: nothing here waits, and one timer looks at the buffer.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from domain.kernel.streams import LoggedEvent
from realtime.bounds import LAG_BUFFER_BYTES, SOFT_BUFFER_BYTES
from realtime.node import Node
from realtime.seat import Seat
from realtime.whispers import hold

if TYPE_CHECKING:
    from realtime.subscription import Subscriber


class Slowness:
    """One slow socket, until it has caught up or is closed."""

    __slots__ = (
        *("_lagging_since", "_node", "_owed", "_since", "_subscriber", "_timer", "_woken"),
    )

    def __init__(self, node: Node, subscriber: Subscriber) -> None:
        self._node = node
        self._subscriber = subscriber
        self._since = node.timers.time()
        self._lagging_since: float | None = None
        self._owed: dict[Seat, None] = {}
        self._woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._timer = node.timers.call_later(node.settings.lag_poll_s, self._look)
        node.metrics.soft += 1
        self._tell_seats(self)

    def takes(self, seat: Seat, event: LoggedEvent) -> bool:
        """Whether to write this event now; if not, it is held, dropped or left to the log."""
        if event.offset == 0:
            hold(seat, event)
            self.owe(seat)
            return False
        if self._lagging_since is None and self._unsent() <= LAG_BUFFER_BYTES:
            return True
        self._lag()
        seat.subscription.fall_behind()
        return False

    def owe(self, seat: Seat) -> None:
        """Tell it what is held for it once the peer has caught up."""
        self._owed[seat] = None

    async def passed(self) -> None:
        """Return when the peer has caught up, or the socket is gone."""
        await asyncio.shield(self._woken)

    def end(self) -> None:
        """It has caught up, or is closed."""
        self._timer.cancel()
        if not self._woken.done():
            self._woken.set_result(None)
            self._tell_seats(None)

    def _tell_seats(self, slow: Slowness | None) -> None:
        for seat in self._subscriber.operations.seats():
            seat.slow = slow

    def _lag(self) -> None:
        if self._lagging_since is None:
            self._lagging_since = self._node.timers.time()

    def _look(self) -> None:
        node, now = self._node, self._node.timers.time()
        if self._unsent() <= SOFT_BUFFER_BYTES:
            self._subscriber.slow = None
            self.end()
            for seat in self._owed:
                node.fan_out.tell(seat)
            return
        if self._lagging_since is not None and now - self._lagging_since >= node.settings.lag_s:
            self._subscriber.close_lagging()
            return
        if now - self._since >= node.settings.soft_s:
            self._lag()
        self._timer = node.timers.call_later(node.settings.lag_poll_s, self._look)

    def _unsent(self) -> int:
        return self._subscriber.transport.buffered_bytes()
