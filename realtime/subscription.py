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
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from domain.kernel.actor import Actor
from domain.kernel.ports import Live, SharePoisoned
from domain.kernel.streams import Json, LoggedEvent
from realtime.catching import State, catch_up
from realtime.close_codes import INTERNAL_OP, UNRECOVERABLE_OP, op_errors
from realtime.metrics import ResumeOutcome
from realtime.node import Node
from realtime.protocol import OpenOperation
from realtime.resume import Position
from realtime.seat import Seat
from realtime.sharing import Group
from realtime.slowness import Slowness
from realtime.transport import Transport

if TYPE_CHECKING:
    from realtime.operations import Operations

logger = logging.getLogger(__name__)


class Subscriber(Protocol):
    """The connection, as its subscriptions see it."""

    slow: Slowness | None
    """How it fares while its peer does not keep up; None: it does."""

    @property
    def operations(self) -> Operations:
        """All that runs on it."""
        ...

    @property
    def transport(self) -> Transport:
        """Where frames are written."""
        ...

    async def standing(self, *, renew: bool) -> Actor | None:
        """Who it is: as last seen, or as the database has it now. None: the session has ended."""
        ...

    def write_live(self, operation: OpenOperation, positions: Mapping[str, Position]) -> None:
        """Tell that the operation is live from these positions on."""
        ...

    def fail(self, operation: OpenOperation, errors: list[Json]) -> None:
        """End the operation with errors; nothing when it has ended already."""
        ...

    def slowed(self) -> None:
        """More is unsent than a peer that keeps up would leave."""
        ...

    def close_lagging(self) -> None:
        """The peer does not read: close the socket, to come back and resume."""
        ...


class Subscription:
    """A Live bound to one operation of one connection."""

    __slots__ = (
        *("_is_present", "_task", "account_id", "group", "is_announced", "live", "must_check"),
        *("must_renew", "node", "operation", "outcome", "seats", "state", "subscriber", "wanted"),
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
        self.seats: tuple[Seat, ...] = ()
        self.group: Group | None = None
        """With whom it shares answers; None before it may read."""
        self.must_check = True
        self.must_renew = False
        self.account_id: UUID | None = None
        self.outcome: ResumeOutcome = "live"
        self.is_announced = False
        """Whether it has been live: from then on its client's picture of who is here must hold."""
        self._is_present = False
        self._task: asyncio.Task[None] | None = None

    async def run(self, wanted: Mapping[str, Position]) -> None:
        """Follow the streams, resume from where the client wants, return once live or ended."""
        self.wanted = wanted
        if wanted:
            self.outcome = "ring"
        self._task = asyncio.current_task()
        await catch_up(self)
        if self._task is asyncio.current_task():
            self._task = None

    @property
    def must_ask(self) -> bool:
        """Whether nothing may be written before permission has been asked for anew."""
        # Without a place there is nothing to go on from: the look at the log may have failed.
        return self.must_check or any(seat.is_outdated or not seat.is_placed for seat in self.seats)

    def distrust(self, *, renew: bool = False) -> None:
        """Deliver nothing more before permission has been asked for anew."""
        self.must_check = True
        self.must_renew = self.must_renew or renew
        self._fall_back()

    def fall_behind(self) -> None:
        """Take what comes next from ring or log."""
        self.node.metrics.lagging += 1
        self._fall_back()

    def leave_group(self) -> None:
        """Share nothing more; the group that is asked for next is its own."""
        self._fall_back()
        if self.group is not None:
            self.node.groups.leave(self.group, self)
            self.group = None

    def join_group(self) -> Group:
        """The group of those alike, as of the last permission."""
        before, self.group = self.group, self.node.groups.join(self, self.live)
        if before is not None and before is not self.group:
            self.node.groups.leave(before, self)
        return self.group

    def end(self) -> None:
        """Stop; nothing is written any more."""
        if self.state is State.ENDED:
            return
        self.state = State.ENDED
        self.node.tails.vacate(self.seats)
        if self.group is not None:
            self.node.groups.leave(self.group, self)
        if self._is_present:
            for scope in self.live.presence_scopes:
                self.node.presence.leave(scope, str(self.account_id))
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()

    def fail(self, errors: list[Json]) -> None:
        """End it with errors."""
        self.end()
        self.subscriber.fail(self.operation, errors)

    def fail_unrecoverable(self, seat: Seat, first: int = 0) -> None:
        """The position can't be resumed from: the client takes a snapshot and begins anew."""
        tail = seat.tail
        place: dict[str, Json] = {
            "s": tail.stream,
            "e": tail.epoch,
            "top": tail.last,
            "floor": max(tail.floor, first),
        }
        self.node.metrics.resumes["unrecoverable"] += 1
        self.fail(op_errors(UNRECOVERABLE_OP, rt=place))

    def history_changed(self, seat: Seat) -> None:
        """Positions in the stream mean nothing any more."""
        if seat.is_placed:
            self.fail_unrecoverable(seat)

    # Writing

    async def emit(self, seat: Seat, event: LoggedEvent) -> None:
        """Replay one event: write it if it is the next one when it has been rendered."""
        group = self.group
        assert group is not None, "nothing is replayed before it may be read"
        try:
            answer = await group.answer(event)
        except SharePoisoned:
            return  # it has left the group; the next step renders privately
        except Exception as error:
            logger.error("rendering %s failed: %s", event.kind, type(error).__name__)
            self.fail(op_errors(INTERNAL_OP))
            return
        # No await from here on.
        if self.state is not State.CATCHING or self.group is not group or self.must_ask:
            return
        if seat.offset != event.offset - 1:
            return
        seat.offset = event.offset
        if answer is None:
            return
        frame = answer.after(seat.told).behind(seat.prefix)
        seat.told = event.offset
        metrics = self.node.metrics
        metrics.deliveries += 1
        metrics.bytes_out += len(frame)
        metrics.replay_events += 1
        metrics.replay_bytes += len(frame)
        seat.transport.write_soon(frame)
        if seat.owes_receipt:
            self.node.receipts.note(self.live, event)

    def go_live(self) -> None:
        """Everything up to the tails' ends is written. Free of awaits."""
        assert self.group is not None, "nobody is live before they may read"
        self.state = State.LIVE
        for seat in self.seats:
            seat.tail.rise(seat, self.group)
            self.node.fan_out.tell(seat)
        if self.is_announced:
            return
        self.is_announced = True
        self.node.metrics.resumes[self.outcome] += 1
        self.subscriber.write_live(
            self.operation, {seat.tail.stream: seat.position for seat in self.seats}
        )
        for seat in self.seats:
            seat.told = seat.offset
        if self.account_id is not None and self.state is State.LIVE:
            self._is_present = True
            for scope in self.live.presence_scopes:
                self.node.presence.enter(scope, str(self.account_id))

    def _fall_back(self) -> None:
        if self.state is not State.LIVE:
            return
        self.state = State.CATCHING
        for seat in self.seats:
            seat.tail.fall(seat)
        self._task = asyncio.create_task(catch_up(self))
        self._task.add_done_callback(self._caught_up)

    def _caught_up(self, task: asyncio.Task[None]) -> None:
        if self._task is task:
            self._task = None
        if not task.cancelled() and task.exception() is not None:
            logger.error("catching up broke: %s", type(task.exception()).__name__)
            self.fail(op_errors(INTERNAL_OP))
