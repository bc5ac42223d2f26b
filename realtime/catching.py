"""How a subscription gets from where its client stands to where its streams are.

Steps, until one leads to live delivery or to an end: follow the streams; ask for permission (at the
beginning, and whenever a change of authority is met, before anything after it is written); wait for
a peer that does not read; replay from the ring or the log. Never a part: what can't be replayed in
full ends the subscription with a code that tells the client to take a snapshot.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING

from domain.kernel.errors import DomainError
from realtime.bounds import REPLAY_EVENTS_MAX, SOFT_BUFFER_BYTES, STREAMS_PER_OP_MAX
from realtime.close_codes import (
    FORBIDDEN_OP,
    LAGGED_OP,
    LIMIT_OP,
    UNAVAILABLE_OP,
    op_errors,
    refusal_errors,
)
from realtime.log import is_dense
from realtime.resume import Position, is_recoverable
from realtime.seat import Seat
from realtime.timing import pause

if TYPE_CHECKING:
    from realtime.subscription import Subscription

logger = logging.getLogger(__name__)

TRIES_MAX = 3
"""Attempts at an ailing database before a subscription ends with RT_UNAVAILABLE."""
RETRY_S = 1.0
REPLAY_YIELD_EVERY = 32
"""Events replayed in one go before others get their turn: 6 ms if none is rendered yet, else 1."""


class UnsettledHistory(Exception):
    """The log is in another history than this node's tail: to be asked again in a moment."""


class State(Enum):
    """Where a subscription stands."""

    CATCHING = "catching"
    LIVE = "live"
    ENDED = "ended"


async def catch_up(sub: Subscription) -> None:
    """Take steps until the subscription is live or has ended."""
    failures = 0
    while sub.state is State.CATCHING:
        try:
            await _step(sub)
            failures = 0
        except DomainError as refusal:
            sub.fail(refusal_errors(refusal))
        except Exception as error:  # the database is away, or a bug: neither may spin
            failures += 1
            logger.warning("catching up failed (%d): %s", failures, type(error).__name__)
            if failures >= TRIES_MAX:
                sub.fail(op_errors(UNAVAILABLE_OP))
            else:
                await pause(sub.node.timers, RETRY_S)


async def _step(sub: Subscription) -> None:
    if not sub.seats:
        streams = sub.live.streams
        if not 0 < len(streams) <= STREAMS_PER_OP_MAX:
            sub.fail(op_errors(LIMIT_OP, max=STREAMS_PER_OP_MAX))
            return
        sub.seats = await sub.node.tails.seat(streams, sub)
    if sub.must_ask:
        firsts = await _ask_permission(sub)
        if firsts is not None and sub.state is State.CATCHING:
            await _find_places(sub, firsts)
    elif sub.subscriber.slow is not None:
        await sub.subscriber.slow.passed()
    else:
        # No await between this look at the tails and going live.
        group = sub.group or sub.join_group()
        gaps = {seat: seat.tail.last - seat.offset for seat in sub.seats}
        behind = [seat for seat, gap in gaps.items() if gap > 0]
        assert group is sub.group
        if not behind:
            sub.go_live()
        elif sum(gaps[seat] for seat in behind) > REPLAY_EVENTS_MAX:
            sub.node.metrics.resumes["lagged"] += 1
            sub.fail(op_errors(LAGGED_OP, max=REPLAY_EVENTS_MAX))
        else:
            await _replay(sub, behind[0])


async def _ask_permission(sub: Subscription) -> Mapping[str, int] | None:
    """The first offset that the actor may see in each stream; None: to be asked again, or ended.

    What is committed while the question is under way shows itself as a new doubt: the versions
    that the answer is good for were read before it was asked.
    """
    # Part of a change may lie in the account's own stream, unseen here: then look at it as well.
    renew = sub.must_renew or any(s.is_placed and s.is_outdated for s in sub.seats)
    sub.must_check = sub.must_renew = False
    versions = [seat.tail.authority_version for seat in sub.seats]
    try:
        actor = await sub.subscriber.standing(renew=renew)
        if actor is None:
            sub.end()  # the connection closes, or has closed
            return None
        async with sub.node.authority_gate:
            sub.node.metrics.authority_checks += 1
            firsts = await sub.live.authorise(actor)
    except BaseException:
        sub.must_check, sub.must_renew = True, sub.must_renew or renew
        raise
    if sub.must_check or sub.state is not State.CATCHING:
        return None
    for seat, version in zip(sub.seats, versions, strict=True):
        seat.version = version
    sub.account_id = actor.account_id
    sub.join_group()
    return firsts


async def _find_places(sub: Subscription, firsts: Mapping[str, int]) -> None:
    streams = {seat.tail.stream for seat in sub.seats}
    if not firsts.keys() >= streams:
        sub.fail(op_errors(FORBIDDEN_OP))
        return
    unknown = [s for s in sub.seats if not s.is_placed and s.tail.stream not in sub.wanted]
    if sub.wanted and unknown:
        # Positions of other streams, or of some: to begin here and now would be a silent gap.
        sub.fail_unrecoverable(min(unknown, key=lambda seat: seat.tail.stream))
        return
    for seat in sub.seats:
        first = firsts[seat.tail.stream]
        if seat.is_placed:
            if seat.offset < first - 1:
                sub.fail_unrecoverable(seat, first)
                return
        elif seat.tail.stream not in sub.wanted:
            seat.place(Position(seat.tail.epoch, max(seat.tail.last, first - 1)))
    unplaced = {seat: sub.wanted[seat.tail.stream] for seat in sub.seats if not seat.is_placed}
    doubtful = {
        seat.tail.stream
        for seat, wanted in unplaced.items()
        if not is_recoverable(wanted, seat.tail.state, firsts[seat.tail.stream])
    }
    # The tail may not have heard of what the client has got elsewhere: the log decides.
    states = await sub.node.tails.look(sorted(doubtful)) if doubtful else {}
    if sub.state is not State.CATCHING:
        return
    for seat, wanted in unplaced.items():
        first = firsts[seat.tail.stream]
        state = states.get(seat.tail.stream, seat.tail.state)
        if state.epoch != seat.tail.epoch:
            # The tail has been told, and asks for itself: what it holds is of a lost history.
            raise UnsettledHistory
        if not is_recoverable(wanted, state, first):
            sub.fail_unrecoverable(seat, first)
            return
        seat.place(Position(state.epoch, wanted.offset))


async def _replay(sub: Subscription, seat: Seat) -> None:
    after = seat.offset
    events = seat.tail.since(after)
    if events is None:
        sub.outcome = "log"
        events = await sub.node.tails.pages.after(seat.tail, after)
        if not events or not is_dense(events, after):
            sub.fail_unrecoverable(seat)
            return
    for count, event in enumerate(events, 1):
        await sub.emit(seat, event)
        if seat.offset != event.offset or sub.subscriber.slow is not None:
            return
        is_full = seat.transport.buffered_bytes() > SOFT_BUFFER_BYTES
        if is_full or count % REPLAY_YIELD_EVERY == 0:
            await asyncio.sleep(0)  # the loop's turn to send, too
        if is_full and seat.transport.buffered_bytes() > SOFT_BUFFER_BYTES:
            sub.subscriber.slowed()
            return
