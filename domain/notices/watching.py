"""Who may see the receipts of a notice (谁能看回执): whoever governs its publishing union."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from domain.kernel.actor import Actor, Place
from domain.kernel.database import Record, fetch
from domain.kernel.errors import NotFound
from domain.kernel.together import Together
from domain.notices import rules

FOLLOWED_TOGETHER_MAX = 256
"""Notices of one look: far more than are followed at the same time."""
FOLLOWED_GATHER_S = 0.003
"""How long a look waits for company, where another is under way; it takes 2 ms itself."""


async def ensure_may_watch(actor: Actor, notice_id: UUID) -> None:
    """Pass for whoever may see the receipts of a notice. Raises NotFound, Unauthenticated."""
    _ensure_watching(actor, (await _publishers([notice_id]))[0])


async def ensure_may_follow(actor: Actor, notice_id: UUID) -> None:
    """``ensure_may_watch``, for those who come by thousands: where a notice was published is asked
    once for all who ask at the same time, whoever they are. Outside of any Work."""
    _ensure_watching(actor, await _followed.ask(notice_id))


def place_of(row: Record) -> Place:
    """Where the union stands whose paths are in the row."""
    return Place(territory_path=row["territory_path"], line_path=row["line_path"])


def _ensure_watching(actor: Actor, publisher: Place | None) -> None:
    actor.account()
    if publisher is None or not rules.may_watch(actor, publisher):
        raise NotFound


async def _publishers(notice_ids: Sequence[UUID]) -> list[Place | None]:
    """Where the publishing unions stand now."""
    rows = await fetch(
        "SELECT n.id, p.territory_path, p.line_path FROM notice n"
        " JOIN org_union p ON p.id = n.publisher_id WHERE n.id = ANY($1::uuid[])",
        list(set(notice_ids)),
    )
    found = {row["id"]: place_of(row) for row in rows}
    return [found.get(id_) for id_ in notice_ids]


_followed = Together(_publishers, many_max=FOLLOWED_TOGETHER_MAX, gather_s=FOLLOWED_GATHER_S)
