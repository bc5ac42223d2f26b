"""One event to all seats of a group: a loop without awaits, coroutines or JSON, in slices.

Between two slices the loop runs other things, and whatever it did (a right lost, a socket closed, a
group taken apart) shows at the seats, which are looked at one by one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from domain.kernel.ports import Clock, SharePoisoned
from domain.kernel.streams import LoggedEvent
from realtime.answers import Answer
from realtime.bounds import SOFT_BUFFER_BYTES, YIELD_EVERY
from realtime.close_codes import INTERNAL_OP, op_errors
from realtime.metrics import LiveMetrics
from realtime.receipts import Receipts
from realtime.seat import Seat
from realtime.sharing import Group
from realtime.transport import Outlet
from realtime.whispers import hold, tells_state

if TYPE_CHECKING:
    from realtime.tail import Tail

logger = logging.getLogger(__name__)

RENDER_COST = 16
"""Deliveries that one rendering takes as long as."""


class FanOut:
    """Writes events to seats and counts what it does. One a node."""

    def __init__(
        self, clock: Clock, receipts: Receipts, metrics: LiveMetrics, outlet: Outlet
    ) -> None:
        self._clock = clock
        self._receipts = receipts
        self.outlet = outlet
        self.metrics = metrics
        self._telling: set[asyncio.Task[None]] = set()

    async def deliver(self, tail: Tail, group: Group, event: LoggedEvent) -> int:
        """Deliver to the group's live seats at this tail.

        Answers how much work it was since others had their turn, in deliveries.
        """
        if not any(_wants(seat, event) for seat in tail.live[group]):
            return 1
        rendered = self.metrics.renders
        try:
            answer = await group.answer(event)
        except SharePoisoned:
            return RENDER_COST  # they have fallen back on the log, and render for themselves there
        except Exception as error:
            logger.error("rendering %s failed: %s", event.kind, type(error).__name__)
            _fail(tail, group, event)
            return RENDER_COST
        work = RENDER_COST * (self.metrics.renders - rendered)
        seats = iter(tuple(tail.live.get(group, ())))
        while batch := list(islice(seats, YIELD_EVERY)):
            if event.offset and event.epoch != tail.epoch:
                break  # of a history that was lost meanwhile
            if tells_state(event):
                batch = [seat for seat in batch if not _is_waiting(seat, event)]
            self._write(batch, tail.authority_version, group, event, answer)
            work += len(batch)
            if len(batch) == YIELD_EVERY:
                work = 0
                await asyncio.sleep(0)
        return work

    def tell(self, seat: Seat) -> None:
        """Tell what is held for a seat, as soon as it is live and its peer reads."""
        if seat.held and seat.group is not None:
            task = asyncio.create_task(self._tell(seat))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def _tell(self, seat: Seat) -> None:
        while seat.held and seat.group is not None:
            group, (kind, event) = seat.group, next(iter(seat.held.items()))
            try:
                answer = await group.answer(event)
            except SharePoisoned:
                return  # it is told when it is live again, by itself
            except Exception as error:
                logger.error("rendering %s failed: %s", event.kind, type(error).__name__)
                seat.subscription.fail(op_errors(INTERNAL_OP))
                return
            # No await from here on.
            if seat.group is not group or seat.held.get(kind) is not event:
                continue  # no longer live, or more has come meanwhile
            if seat.subscriber.slow is not None:
                seat.subscriber.slow.owe(seat)
                return
            del seat.held[kind]
            self._write([seat], seat.tail.authority_version, group, event, answer)

    def _write(
        self,
        seats: Iterable[Seat],
        version: int,
        group: Group,
        event: LoggedEvent,
        answer: Answer | None,
    ) -> None:
        offset, before = event.offset, event.offset - 1
        taking: list[Seat] = []
        frames: list[bytes] = []
        prefix, frame = b"", b""
        for seat in seats:
            if seat.group is not group or (offset and seat.offset != before):
                continue
            if seat.version != version:
                seat.subscription.distrust(renew=True)
                continue
            slow = seat.slow
            if slow is not None and answer is not None and not slow.takes(seat, event):
                continue
            if answer is None:
                seat.offset = offset or seat.offset
                continue
            if seat.told != before:
                frames.append(answer.after(seat.told).behind(seat.prefix))
            else:
                if seat.prefix is not prefix:
                    prefix, frame = seat.prefix, answer.next.behind(seat.prefix)
                frames.append(frame)
            taking.append(seat)
            if offset:
                seat.offset = seat.told = offset
                if seat.owes_receipt:
                    self._receipts.note(seat.subscription.live, event)
        if taking:
            self._send(taking, frames)
            self._count(event, len(frames), sum(map(len, frames)))

    def _send(self, seats: Sequence[Seat], frames: Sequence[bytes]) -> None:
        unsent = self.outlet.write([seat.transport for seat in seats], frames)
        for place, waiting in unsent.items():
            subscriber = seats[place].subscriber
            if waiting > SOFT_BUFFER_BYTES and subscriber.slow is None:
                subscriber.slowed()

    def _count(self, event: LoggedEvent, count: int, size: int) -> None:
        self.metrics.deliveries += count
        self.metrics.bytes_out += size
        if event.offset == 0:
            return  # a whisper is told, never committed
        late_s = max(0.0, (self._clock.now() - event.at).total_seconds())
        self.metrics.commit_to_socket_s.observe(late_s, count)


def _wants(seat: Seat, event: LoggedEvent) -> bool:
    is_next = event.offset == seat.offset + 1 and event.epoch == seat.tail.epoch
    return is_next or event.offset == 0


def _is_waiting(seat: Seat, event: LoggedEvent) -> bool:
    """Whether something older is still to be told; then this becomes a part of it."""
    if seat.held:
        hold(seat, event)
    return bool(seat.held)


def _fail(tail: Tail, group: Group, event: LoggedEvent) -> None:
    for seat in tuple(tail.live.get(group, ())):
        if seat.group is group and _wants(seat, event):
            seat.subscription.fail(op_errors(INTERNAL_OP))
