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
from domain.kernel.streams import LoggedEvent
from realtime.bounds import (
    LOG_PAGE_MAX,
    REPLAY_EVENTS_MAX,
    SOFT_BUFFER_BYTES,
    STREAMS_PER_OP_MAX,
)
from realtime.close_codes import (
    FORBIDDEN_OP,
    LAGGED_OP,
    LIMIT_OP,
    UNAVAILABLE_OP,
    op_errors,
    refusal_errors,
)
from realtime.resume import Position, is_recoverable
from realtime.tail import Tail, is_dense
from realtime.timing import pause

if TYPE_CHECKING:
    from realtime.subscription import Subscription

logger = logging.getLogger(__name__)

TRIES_MAX = 3
"""Attempts at an ailing database before a subscription ends with RT_UNAVAILABLE."""
RETRY_S = 1.0
REPLAY_YIELD_EVERY = 16
"""Events replayed in one go before others get their turn: some 2 ms."""


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
    if not sub.tails:
        streams = sub.live.streams
        if not 0 < len(streams) <= STREAMS_PER_OP_MAX:
            sub.fail(op_errors(LIMIT_OP, max=STREAMS_PER_OP_MAX))
            return
        followed = await sub.node.tails.follow(streams, sub)
        sub.tails = {tail.stream: tail for tail in followed}
    if sub.must_check:
        firsts = await _ask_permission(sub)
        if firsts is not None and sub.state is State.CATCHING:
            await _find_places(sub, firsts)
    elif sub.subscriber.buffered_bytes() > SOFT_BUFFER_BYTES:
        await _await_reader(sub)
    else:
        # No await between this look at the tails and going live.
        gaps = {s: tail.last - sub.positions[s].offset for s, tail in sub.tails.items()}
        behind = [stream for stream, gap in gaps.items() if gap > 0]
        if not behind:
            sub.go_live()
        elif sum(gaps[stream] for stream in behind) > REPLAY_EVENTS_MAX:
            sub.fail(op_errors(LAGGED_OP, max=REPLAY_EVENTS_MAX))
        else:
            await _replay(sub, sub.tails[behind[0]])


async def _ask_permission(sub: Subscription) -> Mapping[str, int] | None:
    """The first offset that the actor may see in each stream; None: to be asked again, or ended.

    What is committed while the question is under way shows itself as a new doubt.
    """
    renew, sub.must_check, sub.must_renew = sub.must_renew, False, False
    checked = {s: max(tail.last, sub.checked.get(s, 0)) for s, tail in sub.tails.items()}
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
    if sub.must_check:
        return None
    sub.checked = checked
    sub.account_id = actor.account_id
    return firsts


async def _find_places(sub: Subscription, firsts: Mapping[str, int]) -> None:
    if not firsts.keys() >= sub.tails.keys():
        sub.fail(op_errors(FORBIDDEN_OP))
        return
    if sub.wanted and not sub.wanted.keys() & sub.tails.keys():
        # The positions are of other streams: to begin here and now would be a silent gap.
        sub.fail_unrecoverable(min(sub.tails))
        return
    for stream, tail in sub.tails.items():
        first = firsts[stream]
        if stream in sub.positions:
            if sub.positions[stream].offset < first - 1:
                sub.fail_unrecoverable(stream, first)
                return
        elif stream not in sub.wanted:
            sub.place(stream, Position(tail.epoch, max(tail.last, first - 1)))
    unplaced = {s: sub.wanted[s] for s in sub.tails if s not in sub.positions}
    doubtful = {
        stream
        for stream, wanted in unplaced.items()
        if not is_recoverable(wanted, sub.tails[stream].state, firsts[stream])
    }
    # The tail may not have heard of what the client has got elsewhere: the log decides.
    states = await sub.node.tails.look(sorted(doubtful)) if doubtful else {}
    for stream, wanted in unplaced.items():
        if stream in states and not is_recoverable(wanted, states[stream], firsts[stream]):
            sub.fail_unrecoverable(stream, firsts[stream])
            return
        state = states.get(stream) or sub.tails[stream].state
        sub.place(stream, Position(state.epoch, wanted.offset))


async def _await_reader(sub: Subscription) -> None:
    settings, timers = sub.node.settings, sub.node.timers
    deadline = timers.time() + settings.lag_s
    while sub.subscriber.buffered_bytes() > SOFT_BUFFER_BYTES:
        if timers.time() >= deadline:
            sub.subscriber.close_lagging()
            return
        await pause(timers, settings.lag_poll_s)


async def _replay(sub: Subscription, tail: Tail) -> None:
    after = sub.positions[tail.stream].offset
    events = tail.since(after)
    if events is None:
        async with sub.node.log_gate:
            events = await sub.node.tails.log.read_events(tail.state, after, LOG_PAGE_MAX)
        if not events or not is_dense(events, after):
            sub.fail_unrecoverable(tail.stream)
            return
    for count, event in enumerate(events, 1):
        if _is_news_of_authority(sub, event):
            return
        await sub.emit(event, State.CATCHING)
        is_stuck = sub.positions[tail.stream].offset != event.offset
        if is_stuck or sub.subscriber.buffered_bytes() > SOFT_BUFFER_BYTES:
            return
        if count % REPLAY_YIELD_EVERY == 0:
            await asyncio.sleep(0)


def _is_news_of_authority(sub: Subscription, event: LoggedEvent) -> bool:
    """Whether the event changes who may read, and no check has been made since."""
    if not event.is_authority or event.offset <= sub.checked[event.stream]:
        return False
    sub.checked[event.stream] = event.offset
    sub.distrust(renew=True)
    return True
