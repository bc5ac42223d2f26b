"""Whispers that tell a state (who is here), kept for a seat that cannot be told now.

Several become one, in the order in which they came, so that what is kept is bounded. It is told
when the seat is live and its peer reads; until then what comes after it is merged in as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from domain.kernel.streams import LoggedEvent
from realtime.close_codes import LAGGED_OP, op_errors
from realtime.presence import ACCOUNTS_PER_SCOPE_MAX, PRESENCE_CHANGED

if TYPE_CHECKING:
    from realtime.seat import Seat

HELD_ACCOUNTS_MAX: Final = 2 * ACCOUNTS_PER_SCOPE_MAX
"""Accounts of one difference that is kept: all who are shown have gone, and as many have come."""


def _presence(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    joined, left = set(after["joined"]), set(after["left"])
    return {
        "joined": sorted((set(before["joined"]) - left) | joined),
        "left": sorted((set(before["left"]) - joined) | left),
    }


_MERGERS: Final[Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]]] = {
    PRESENCE_CHANGED: _presence,
}
"""How two bodies become one, by kind; every other kind may be dropped."""


def tells_state(event: LoggedEvent) -> bool:
    """Whether its loss would leave a client with a wrong picture for good."""
    return event.offset == 0 and event.kind in _MERGERS


def make_room(whispers: list[LoggedEvent]) -> None:
    """One fewer of those that wait: the oldest, which the next of its kind takes in if it tells a
    state; where there is none, the oldest of those that tell none."""
    oldest = whispers.pop(0)
    if not tells_state(oldest):
        return
    for place, later in enumerate(whispers):
        if later.kind == oldest.kind:
            body = _MERGERS[oldest.kind](oldest.body, later.body)
            whispers[place] = replace(later, body=body)
            return
    whispers[0] = oldest


def hold(seat: Seat, event: LoggedEvent) -> None:
    """Keep it, if it tells a state; more than is kept ends the subscription: it looks anew."""
    if not tells_state(event):
        return
    held = seat.held = seat.held or {}
    before = held.get(event.kind)
    if before is not None:
        event = replace(event, body=_MERGERS[event.kind](before.body, event.body))
    held[event.kind] = event
    if sum(map(len, event.body.values())) > HELD_ACCOUNTS_MAX:
        seat.subscription.fail(op_errors(LAGGED_OP, max=HELD_ACCOUNTS_MAX))


def hold_for_absent(seats: Iterable[Seat], event: LoggedEvent) -> None:
    """Hold it for those who were live and are not now: they lag, or are being allowed anew."""
    if tells_state(event):
        for seat in tuple(seats):
            if seat.group is None and seat.subscription.is_announced:
                hold(seat, event)
