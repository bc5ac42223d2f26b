"""The public verbs of the organisation. Seats are here; ``matrix`` moves, ``queries`` reads."""

from __future__ import annotations

from datetime import date
from typing import ClassVar
from uuid import UUID

from domain.kernel.actor import Place
from domain.kernel.capabilities import Capability
from domain.kernel.errors import Conflict, NotFound
from domain.kernel.ids import new_id
from domain.kernel.work import Work
from domain.org.facts import SeatEnded, SeatTaken
from domain.org.matrix import NewUnion, found_union, hold_matrix, move_union, place_for_writing
from domain.org.models import Post
from domain.org.queries import (
    ANY_UNION,
    DEPARTMENT_COLUMNS,
    EMPLOYER_COLUMNS,
    SEAT_COLUMNS,
    UNION_COLUMNS,
    UNION_RECORD_COLUMNS,
    UnionFilter,
    departments_by_id,
    employers_by_id,
    ensure_signed_in,
    get_place,
    get_union,
    get_union_record,
    list_departments,
    list_unions,
    places_of,
    select_children,
    select_employers,
    select_seats,
    select_unions,
    union_records_by_id,
    unions_by_id,
)
from domain.org.rules import ensure_period, federation_day

__all__ = [
    "ANY_UNION",
    "DEPARTMENT_COLUMNS",
    "EMPLOYER_COLUMNS",
    "SEAT_COLUMNS",
    "UNION_COLUMNS",
    "UNION_RECORD_COLUMNS",
    "NewUnion",
    "SeatHeld",
    "SeatOver",
    "UnionFilter",
    "appoint",
    "departments_by_id",
    "employers_by_id",
    "end_seat",
    "ensure_signed_in",
    "found_union",
    "get_place",
    "get_union",
    "get_union_record",
    "hold_matrix",
    "list_departments",
    "list_unions",
    "move_union",
    "place_for_writing",
    "places_of",
    "select_children",
    "select_employers",
    "select_seats",
    "select_unions",
    "union_records_by_id",
    "unions_by_id",
]


class SeatHeld(Conflict):
    """The union has a chair, or this account holds this post there already."""

    code: ClassVar[str] = "org.seat_held"


class SeatOver(Conflict):
    """The seat has ended before."""

    code: ClassVar[str] = "org.seat_over"


async def appoint(w: Work, union_id: UUID, account_id: UUID, *, post: Post, from_on: date) -> UUID:
    """The account holds the post from that day. Raises NotFound, SeatHeld.

    Needs ``org.write`` at the union. The predecessor's seat is ended first, in the same work.
    """
    w.actor.ensure_may(Capability.ORG_WRITE, await place_for_writing(w, union_id))
    seat_id = new_id()
    count = await w.execute(
        "INSERT INTO org_seat (id, union_id, account_id, post, from_on)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        seat_id,
        union_id,
        account_id,
        post,
        from_on,
    )
    if count == 0:
        raise SeatHeld
    w.record(SeatTaken(seat_id, union_id, account_id, post, from_on))
    return seat_id


async def end_seat(w: Work, seat_id: UUID, *, to_on: date | None = None) -> None:
    """The seat is no longer held on ``to_on`` (today, if not given: access is lost at once).

    Needs ``org.write`` at the union. Raises NotFound, SeatOver, BadPeriod.
    """
    rows = await w.fetch(
        "SELECT s.union_id, s.account_id, s.post, s.from_on, s.to_on, u.territory_path,"
        " u.line_path FROM org_seat s JOIN org_union u ON u.id = s.union_id"
        " WHERE s.id = $1 FOR UPDATE OF s",
        seat_id,
    )
    if not rows:
        raise NotFound
    seat = rows[0]
    w.actor.ensure_may(Capability.ORG_WRITE, Place(seat["territory_path"], seat["line_path"]))
    today = federation_day(w.now)
    if seat["to_on"] is not None and seat["to_on"] <= today:
        raise SeatOver
    # A seat that was to begin later has then never begun.
    day = max(today, seat["from_on"]) if to_on is None else to_on
    ensure_period(seat["from_on"], day, "to")
    await w.execute("UPDATE org_seat SET to_on = $2 WHERE id = $1", seat_id, day)
    w.record(SeatEnded(seat_id, seat["union_id"], seat["account_id"], seat["post"], day))
