"""What happens in the organisation, and where it is told: ``ou:`` a union, ``me:`` an account."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import ClassVar
from uuid import UUID

from domain.kernel.streams import Fact, Json, account_stream, to_json


def union_stream(union_id: UUID) -> str:
    """The stream of a union's current officers."""
    return f"ou:{union_id}"


@dataclasses.dataclass(frozen=True, slots=True)
class UnionFounded(Fact):
    """A union stands at its place in the matrix."""

    kind: ClassVar[str] = "org.union_founded"
    union_id: UUID
    territory_parent_id: UUID | None
    line_parent_id: UUID | None

    def streams(self) -> tuple[str, ...]:
        return tuple(map(union_stream, filter(None, (self.union_id, self.territory_parent_id))))


@dataclasses.dataclass(frozen=True, slots=True)
class UnionMoved(Fact):
    """A union and all below it stand elsewhere: other people may see them from now on.

    ``moved`` and ``holders`` (accounts with a seat in a moved union) name streams only, and
    ``left`` (the unions that it stood below) is for reactions; they stay out of the body, which
    would repeat them in each stream.
    """

    kind: ClassVar[str] = "org.union_moved"
    is_authority: ClassVar[bool] = True
    union_id: UUID
    territory_parent_id: UUID
    line_parent_id: UUID | None
    moved: tuple[UUID, ...]
    holders: tuple[UUID, ...]
    left: tuple[UUID, ...] = ()

    def streams(self) -> tuple[str, ...]:
        return (*map(union_stream, self.moved), *map(account_stream, self.holders))

    def body(self) -> dict[str, Json]:
        names = ("union_id", "territory_parent_id", "line_parent_id")
        return {name: to_json(getattr(self, name)) for name in names}


@dataclasses.dataclass(frozen=True, slots=True)
class _SeatChanged(Fact):
    is_authority: ClassVar[bool] = True
    seat_id: UUID
    union_id: UUID
    account_id: UUID
    post: str
    on: date

    def streams(self) -> tuple[str, ...]:
        return (account_stream(self.account_id), union_stream(self.union_id))


@dataclasses.dataclass(frozen=True, slots=True)
class SeatTaken(_SeatChanged):
    """The account holds the post from ``on``."""

    kind: ClassVar[str] = "org.seat_taken"


@dataclasses.dataclass(frozen=True, slots=True)
class SeatEnded(_SeatChanged):
    """The account no longer holds the post on ``on``."""

    kind: ClassVar[str] = "org.seat_ended"
