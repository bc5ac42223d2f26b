"""How conversations stood when this process last wrote to them: guesses, checked by the database.

A wrong one costs a round trip and nothing else. Nothing here is shown to anybody.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from uuid import UUID

from domain.consultations.models import Service
from domain.kernel.actor import Actor
from domain.kernel.capabilities import Capability
from domain.kernel.database import Record

PLACES_MAX = 10_000
"""Conversations remembered: as many as data keys; about 1 KiB each."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a message needs to know of its conversation; ``top_seq`` is the last number."""

    service: Service
    case_id: UUID
    member: UUID
    consultant: UUID
    top_seq: int

    @classmethod
    def of(cls, row: Record) -> Place:
        """From a row of the conversation."""
        return cls(
            Service(row["service"]),
            row["case_id"],
            row["member_account_id"],
            row["consultant_account_id"],
            row["top_seq"],
        )

    def after_one_more(self) -> Place:
        """As it stands with one more message."""
        return Place(self.service, self.case_id, self.member, self.consultant, self.top_seq + 1)

    def has(self, actor: Actor) -> bool:
        """Whether the actor is one of the two, and may still be."""
        account = actor.account_id
        return account == self.member or (
            account == self.consultant and actor.has(Capability.CONSULT)
        )


@dataclass(slots=True)
class Known:
    """A conversation's place, and whose turn it is to send at once."""

    place: Place
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


def find(conversation_id: UUID) -> Known | None:
    """What is remembered of the conversation."""
    known = _kept.get(conversation_id)
    if known is not None:
        _kept.move_to_end(conversation_id)
    return known


def remember(conversation_id: UUID, place: Place) -> None:
    """It stands so, or will when the work that says so commits."""
    known = _kept.get(conversation_id)
    if known is None:
        _kept[conversation_id] = Known(place)
        if len(_kept) > PLACES_MAX:
            _kept.popitem(last=False)
    else:
        known.place = place


_kept: OrderedDict[UUID, Known] = OrderedDict()
