"""One running subscription: catching up from the log, then live, always in its streams' order.

Catching up and live delivery meet without a lock: the step from one to the other holds no await,
and an event is written only if it is exactly the one after the position. Anything that casts doubt
(authority changed, the socket lags, events were passed over) puts it back to catching up, which
asks for permission anew where needed. There is no queue: the position and the log are the queue.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Protocol
from uuid import UUID

from domain.kernel.actor import Actor
from domain.kernel.ports import Live
from domain.kernel.streams import Json, LoggedEvent
from realtime.answers import placed, render
from realtime.bounds import SOFT_BUFFER_BYTES
from realtime.catching import State, catch_up
from realtime.close_codes import INTERNAL_OP, UNRECOVERABLE_OP, op_errors
from realtime.node import Node
from realtime.protocol import OpenOperation
from realtime.resume import Position
from realtime.tail import Tail

logger = logging.getLogger(__name__)


class Subscriber(Protocol):
    """The connection, as its subscriptions see it."""

    async def standing(self, *, renew: bool) -> Actor | None:
        """Who it is: as last seen, or as the database has it now. None: the session has ended."""
        ...

    def write_next(self, operation: OpenOperation, payload: bytes) -> bool:
        """Write a ``next``; False when the operation or the socket is gone."""
        ...

    def write_live(self, operation: OpenOperation, positions: Mapping[str, Position]) -> None:
        """Tell that the operation is live from these positions on."""
        ...

    def fail(self, operation: OpenOperation, errors: list[Json]) -> None:
        """End the operation with errors; nothing when it has ended already."""
        ...

    def close_lagging(self) -> None:
        """The peer does not read: close the socket, to come back and resume."""
        ...

    def buffered_bytes(self) -> int:
        """Bytes that the peer has not taken yet."""
        ...


class Subscription:
    """A Live bound to one operation of one connection. A Follower of its tails."""

    __slots__ = (
        *("_is_announced", "_present_as", "_task", "_told", "account_id", "checked", "live"),
        *("must_check", "must_renew", "node", "operation", "positions", "state", "subscriber"),
        *("tails", "wanted"),
    )

    def __init__(
        self, operation: OpenOperation, live: Live, subscriber: Subscriber, node: Node
    ) -> None:
        self.operation = operation
        self.live = live
        self.subscriber = subscriber
        self.node = node
        self.state = State.CATCHING
        self.wanted: Mapping[str, Position] = {}
        self.tails: dict[str, Tail] = {}
        self.positions: dict[str, Position] = {}
        self.checked: dict[str, int] = {}
        """Changes of authority up to these offsets are known to the last check."""
        self.must_check = True
        self.must_renew = False
        self.account_id: UUID | None = None
        self._told: dict[str, int] = {}
        self._present_as: str | None = None
        self._is_announced = False
        self._task: asyncio.Task[None] | None = None

    def start(self, wanted: Mapping[str, Position]) -> None:
        """Follow the streams, resume from where the client wants, go live."""
        self.wanted = wanted
        self._catch_up()

    def distrust(self, *, renew: bool = False) -> None:
        """Deliver nothing more before permission has been asked for anew."""
        self.must_check = True
        self.must_renew = self.must_renew or renew
        self._fall_back()

    def end(self) -> None:
        """Stop; nothing is written any more."""
        if self.state is State.ENDED:
            return
        self.state = State.ENDED
        self.node.tails.unfollow(list(self.tails.values()), self)
        if self._present_as is not None:
            for scope in self.live.presence_scopes:
                self.node.presence.leave(scope, self._present_as)
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()

    def fail(self, errors: list[Json]) -> None:
        """End it with errors."""
        self.end()
        self.subscriber.fail(self.operation, errors)

    def fail_unrecoverable(self, stream: str, first: int = 0) -> None:
        """The position can't be resumed from: the client takes a snapshot and begins anew."""
        tail = self.tails[stream]
        place: dict[str, Json] = {
            "s": stream,
            "e": tail.epoch,
            "top": tail.last,
            "floor": max(tail.floor, first),
        }
        self.fail(op_errors(UNRECOVERABLE_OP, rt=place))

    # As a follower of tails

    def authority_changed(self, event: LoggedEvent) -> None:
        """Part of the change may lie in the account's own stream, unseen here: renew as well."""
        self.distrust(renew=True)

    def history_changed(self, tail: Tail) -> None:
        """Positions mean nothing any more."""
        if tail.stream in self.positions:
            self.fail_unrecoverable(tail.stream)

    def fell_behind(self, tail: Tail) -> None:
        """Read what was passed over from the log."""
        self._fall_back()

    def wants(self, event: LoggedEvent) -> bool:
        """Live, and exactly the next event; a socket that lags falls back on the log."""
        if self.state is not State.LIVE:
            return False
        has_room = self.subscriber.buffered_bytes() <= SOFT_BUFFER_BYTES
        if event.offset == 0:
            return has_room
        if self.positions[event.stream].offset != event.offset - 1:
            return False
        if not has_room:
            self._fall_back()
        return has_room

    async def deliver(self, event: LoggedEvent) -> None:
        """Write it, if this is still live when it has been rendered."""
        await self.emit(event, State.LIVE)

    # Writing

    async def emit(self, event: LoggedEvent, during: State) -> None:
        """Render the event and write it, unless something came between."""
        try:
            body = await render(self.live, event)
        except Exception as error:
            logger.error("rendering %s failed: %s", event.kind, type(error).__name__)
            if self.state is not State.ENDED:
                self.fail(op_errors(INTERNAL_OP))
            return
        # No await from here on.
        if self.state is not during or self.must_check:
            return
        if event.offset == 0:
            if body is not None:
                self.subscriber.write_next(self.operation, placed(body, event, 0))
            return
        if self.positions[event.stream].offset != event.offset - 1:
            return
        self.positions[event.stream] = Position(event.epoch, event.offset)
        if body is not None:
            payload = placed(body, event, self._told[event.stream])
            self._told[event.stream] = event.offset
            if self.subscriber.write_next(self.operation, payload):
                self.node.receipts.note(self.live, event)

    def place(self, stream: str, position: Position) -> None:
        """Begin here."""
        self.positions[stream] = position
        self._told[stream] = position.offset

    def go_live(self) -> None:
        """Everything up to the tails' ends is written. Free of awaits."""
        self.state = State.LIVE
        if self._is_announced:
            return
        self._is_announced = True
        self.subscriber.write_live(self.operation, self.positions)
        self._told = {stream: place.offset for stream, place in self.positions.items()}
        if self.account_id is not None and self.state is State.LIVE:
            self._present_as = str(self.account_id)
            for scope in self.live.presence_scopes:
                self.node.presence.enter(scope, self._present_as)

    def _fall_back(self) -> None:
        if self.state is State.LIVE:
            self.state = State.CATCHING
            self._catch_up()

    def _catch_up(self) -> None:
        self._task = asyncio.create_task(catch_up(self))
        self._task.add_done_callback(self._caught_up)

    def _caught_up(self, task: asyncio.Task[None]) -> None:
        if self._task is task:
            self._task = None
        if not task.cancelled() and task.exception() is not None:
            logger.error("catching up broke: %s", type(task.exception()).__name__)
            self.fail(op_errors(INTERNAL_OP))
