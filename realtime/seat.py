"""One subscription's place in one stream: what it has, and up to which change it may read on.

Delivery looks at nothing but the seat: it is written to exactly when it sits with the group, the
event is the next one, and the version of authority it was checked at is the tail's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from realtime.resume import Position

if TYPE_CHECKING:
    from domain.kernel.streams import LoggedEvent
    from realtime.sharing import Group
    from realtime.slowness import Slowness
    from realtime.subscription import Subscriber, Subscription
    from realtime.tail import Tail
    from realtime.transport import Transport

UNPLACED = -1


class Seat:
    """Where a subscription stands in a stream. Changed without awaits only."""

    __slots__ = (
        *(
            "epoch",
            "group",
            "held",
            "offset",
            "owes_receipt",
            "prefix",
            "slow",
            "subscriber",
            "subscription",
        ),
        *("tail", "told", "transport", "version"),
    )

    def __init__(self, subscription: Subscription, tail: Tail) -> None:
        self.subscription = subscription
        self.tail = tail
        self.prefix = subscription.operation.next_prefix
        self.subscriber: Subscriber = subscription.subscriber
        self.transport: Transport = subscription.subscriber.transport
        self.owes_receipt = subscription.live.receipts_of is not None
        self.group: Group | None = None
        """Whose answers are written to it as they come; None: it is not live."""
        self.slow: Slowness | None = None
        """The subscriber's, while it is live: at hand, for a fan-out would find each subscriber
        cold, and one slow socket would make it late for all others."""
        self.held: dict[str, LoggedEvent] | None = None
        """Whispers that tell a state and wait to be told, one of a kind (``realtime.whispers``)."""
        self.epoch = ""
        self.offset = UNPLACED
        """Everything up to here was written, or was not for it."""
        self.told = UNPLACED
        """Offset of the latest answer or announcement, from which the client counts."""
        self.version = UNPLACED
        """The tail's version of authority when the right to read was last asked for."""

    @property
    def is_placed(self) -> bool:
        """Whether it is known where it begins."""
        return self.offset != UNPLACED

    @property
    def is_outdated(self) -> bool:
        """Whether who may read has changed since the right to read was last asked for."""
        return self.version != self.tail.authority_version

    @property
    def position(self) -> Position:
        """As a client resumes from it."""
        return Position(self.epoch, self.offset)

    def place(self, position: Position) -> None:
        """Begin here."""
        self.epoch = position.epoch
        self.offset = self.told = position.offset
