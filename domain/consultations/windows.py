"""Windows (窗口): who counsels or advises, whether they are there, how much they take on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from domain.access import service as access
from domain.consultations import facts, rules
from domain.consultations.models import Service, WindowState
from domain.consultations.queries import ensure_consultant, get_window
from domain.kernel.database import Record
from domain.kernel.errors import Forbidden, NotFound
from domain.kernel.ids import new_id
from domain.kernel.texts import clean_text
from domain.kernel.work import Work

CONSULTANTS_MAX = 500
"""Windows made in one call: ten times a county's, and still one statement."""
NAME_CHARS_MAX = 40
SPECIALITY_CHARS_MAX = 20
INTRODUCTION_CHARS_MAX = 500
"""Characters of what a consultant says of themselves: one screen of a phone."""
_BETWEEN = "\x1f"
"""Joins specialities on their way into an array; ``clean_text`` lets none through."""


@dataclass(frozen=True, slots=True)
class NewConsultant:
    """A window to open for an account."""

    account_id: UUID
    service: Service
    display_name: str
    specialities: tuple[str, ...] = ()
    introduction: str = ""
    capacity: int = 5
    state: WindowState = WindowState.AWAY
    id: UUID = field(default_factory=new_id)


async def register_consultants(w: Work, rows: Sequence[NewConsultant]) -> list[UUID]:
    """Each account has its window. For the program itself; all of them or none.

    Raises Forbidden, NotFound (no such account), AccountExists, BadCapacity, TooManyTexts.
    """
    if not w.actor.is_system:
        raise Forbidden
    assert len(rows) <= CONSULTANTS_MAX, "split it"
    columns = zip(*[_row(new) for new in rows], strict=True) if rows else [[]] * 8
    await w.execute(
        "INSERT INTO consultation_consultant (id, account_id, service, display_name, specialities,"
        " introduction, capacity, state, running_count)"
        f" SELECT id, account, service, name, string_to_array(specialities, '{_BETWEEN}'),"
        " introduction, capacity, state, 0 FROM unnest($1::uuid[], $2::uuid[], $3::text[],"
        " $4::text[], $5::text[], $6::text[], $7::smallint[], $8::text[]) AS k(id, account,"
        " service, name, specialities, introduction, capacity, state)",
        *[list(column) for column in columns],
    )
    for new in rows:
        await access.assign_window(w, new.account_id, new.id)
        w.record(facts.WindowOpened(new.id, new.service, new.state))
    return [new.id for new in rows]


async def set_window_state(w: Work, state: WindowState, capacity: int | None = None) -> Record:
    """The own window shows this state and takes this many cases; the row. ``None``: as before.

    A new state is told to whoever follows the service's windows; the capacity is nobody else's to
    know, and one below the running cases ends none of them. Raises Forbidden, BadCapacity.
    """
    consultant_id = ensure_consultant(w.actor)
    if capacity is not None:
        rules.ensure_capacity(capacity)
    changed = await w.fetch(
        "UPDATE consultation_consultant k SET state = $2, capacity = COALESCE($3, k.capacity)"
        " FROM (SELECT id, state FROM consultation_consultant WHERE id = $1 FOR NO KEY UPDATE)"
        " before WHERE k.id = before.id RETURNING k.service, before.state AS before",
        consultant_id,
        state.value,
        capacity,
    )
    if not changed:
        raise NotFound
    if changed[0]["before"] != state:
        w.record(facts.WindowChanged(consultant_id, Service(changed[0]["service"]), state))
    return await get_window(w.actor)


async def hold_window(w: Work) -> Record:
    """The own window, locked until this work ends. Raises Unauthenticated, Forbidden."""
    rows = await w.fetch(
        "SELECT id, account_id, capacity, running_count FROM consultation_consultant"
        " WHERE id = $1 FOR NO KEY UPDATE",
        ensure_consultant(w.actor),
    )
    if not rows:
        raise NotFound
    return rows[0]


async def count_running(w: Work, consultant_id: UUID, by: int) -> None:
    """The window has so many running cases more (or fewer)."""
    await w.execute(
        "UPDATE consultation_consultant SET running_count = running_count + $2 WHERE id = $1",
        consultant_id,
        by,
    )


def _row(new: NewConsultant) -> tuple[object, ...]:
    rules.ensure_capacity(new.capacity)
    if len(new.specialities) > rules.SPECIALITIES_MAX:
        raise rules.TooManyTexts("specialities", max=rules.SPECIALITIES_MAX)
    specialities = [
        clean_text(text, field="specialities", max_chars=SPECIALITY_CHARS_MAX)
        for text in new.specialities
    ]
    return (
        new.id,
        new.account_id,
        new.service.value,
        clean_text(new.display_name, field="displayName", max_chars=NAME_CHARS_MAX),
        _BETWEEN.join(specialities),
        clean_text(
            new.introduction,
            field="introduction",
            max_chars=INTRODUCTION_CHARS_MAX,
            required=False,
        ),
        new.capacity,
        new.state.value,
    )
