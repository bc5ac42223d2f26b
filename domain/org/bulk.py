"""Whole registers at once, by the program itself: the first federation, sample data, imports.

A file of its own because no person may call these verbs, and nobody is told: they come before
anybody listens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import ClassVar
from uuid import UUID

import orjson
from asyncpg.exceptions import UniqueViolationError

from domain.kernel.errors import Conflict, NotFound
from domain.kernel.ids import new_id
from domain.kernel.texts import clean_text
from domain.kernel.work import Work
from domain.org.matrix import (
    CreditCodeTaken,
    NewUnion,
    PlacedUnion,
    cleaned,
    hold_matrix,
    insert_unions,
)
from domain.org.models import NAME_CHARS_MAX, Level, Ownership, Post
from domain.org.rules import (
    BadParent,
    clean_country,
    clean_credit_code,
    ensure_counts,
    ensure_fits,
    path_below,
    path_segment,
)

UNIONS_MAX = 5_000
"""Unions of one call."""


class FederationExists(Conflict):
    """The database holds a real federation: it does not become a sample."""

    code: ClassVar[str] = "org.federation_exists"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEmployer:
    """An employer as it is entered."""

    name: str
    uscc: str
    ownership: Ownership
    investor_country: str | None = None
    zone_id: UUID
    head_count: int
    contracts_signed: int
    counted_on: date
    id: UUID = field(default_factory=new_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDepartment:
    """A department as it is entered."""

    name: str
    functions: str
    rank: int
    id: UUID = field(default_factory=new_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSeat:
    """A seat as it is entered."""

    union_id: UUID
    account_id: UUID
    post: Post
    from_on: date
    id: UUID = field(default_factory=new_id)


async def found_federation(w: Work, name: str, *, id: UUID | None = None) -> UUID:
    """The root of both hierarchies stands. Once a database."""
    ensure_system(w)
    federation_id = id or new_id()
    (row,) = await w.fetch("SELECT nextval('org_union_seq') AS seq")
    path = path_below("/", path_segment(row["seq"]))
    await w.execute(
        "INSERT INTO org_union (id, seq, name, level, kind, territory_path, line_path,"
        " legal_person) VALUES ($1, $2, $3, 'federation', 'single', $4, $4, 'registered')",
        federation_id,
        row["seq"],
        clean_text(name, field="name", max_chars=NAME_CHARS_MAX),
        path,
    )
    return federation_id


async def found_unions(w: Work, unions: Sequence[NewUnion]) -> None:
    """All these unions stand; each parent is in the database or earlier in the list.

    Raises BadParent and what a single founding raises; then none of them stands.
    """
    ensure_system(w)
    assert len(unions) <= UNIONS_MAX, len(unions)
    await hold_matrix(w)
    rows = await w.fetch("SELECT id, level, territory_path, line_path FROM org_union")
    known = {
        row["id"]: (Level(row["level"]), row["territory_path"], row["line_path"]) for row in rows
    }
    numbers = await w.fetch(
        "SELECT nextval('org_union_seq') AS seq FROM generate_series(1, $1)", len(unions)
    )
    placed = []
    for new, number in zip(unions, numbers, strict=True):
        if new.territory_parent_id not in known:
            raise BadParent("territoryParent")
        territory_level, territory_path, _ = known[new.territory_parent_id]
        line_level, _, line_path = known.get(new.line_parent_id, (None, None, None))
        ensure_fits(new.level, territory=territory_level, line=line_level)
        segment = path_segment(number["seq"])
        paths = (
            path_below(territory_path, segment),
            path_below(line_path, segment) if line_path is not None else None,
        )
        known[new.id] = (new.level, *paths)
        placed.append(PlacedUnion(number["seq"], cleaned(new), *paths))
    await insert_unions(w, placed)


async def enter_employers(w: Work, employers: Sequence[NewEmployer]) -> None:
    """All these employers are registered. Raises BadCreditCode, CreditCodeTaken, BadCount."""
    ensure_system(w)
    rows = [_clean_employer(employer) for employer in employers]
    try:
        await w.execute(
            "INSERT INTO org_employer (id, name, uscc, ownership, investor_country, zone_id,"
            " head_count, contracts_signed, counted_on)"
            " SELECT * FROM jsonb_to_recordset($1::jsonb) AS r(id uuid, name text, uscc text,"
            " ownership text, investor_country text, zone_id uuid, head_count int,"
            " contracts_signed int, counted_on date)",
            orjson.dumps(rows, default=str).decode(),
        )
    except UniqueViolationError as taken:
        raise CreditCodeTaken from taken


async def enter_departments(w: Work, departments: Sequence[NewDepartment]) -> None:
    """All these departments exist."""
    ensure_system(w)
    await w.execute(
        "INSERT INTO org_department (id, name, functions, rank)"
        " SELECT * FROM jsonb_to_recordset($1::jsonb)"
        " AS r(id uuid, name text, functions text, rank int)",
        orjson.dumps(departments, default=str).decode(),
    )


async def enter_seats(w: Work, seats: Sequence[NewSeat]) -> None:
    """All these seats are held."""
    ensure_system(w)
    await w.execute(
        "INSERT INTO org_seat (id, union_id, account_id, post, from_on)"
        " SELECT * FROM jsonb_to_recordset($1::jsonb)"
        " AS r(id uuid, union_id uuid, account_id uuid, post text, from_on date)",
        orjson.dumps(seats, default=str).decode(),
    )


@dataclass(frozen=True, slots=True)
class Sample:
    """How far the filling with sample data has come."""

    members_wanted: int
    members_done: int
    is_finished: bool


async def begin_sample(w: Work, members_wanted: int) -> bool:
    """This federation is marked as a sample; False: it was before. Raises FederationExists."""
    ensure_system(w)
    if await w.fetch("SELECT 1 FROM org_sample_marker WHERE id = 1"):
        return False
    if await w.fetch("SELECT 1 FROM org_union LIMIT 1"):
        raise FederationExists
    count = await w.execute(
        "INSERT INTO org_sample_marker (id, members_wanted, members_done, is_finished)"
        " VALUES (1, $1, 0, false) ON CONFLICT DO NOTHING",
        members_wanted,
    )
    return count == 1


async def hold_sample(w: Work) -> Sample:
    """The marker, locked until this work ends: two who fill take turns. Raises NotFound."""
    ensure_system(w)
    rows = await w.fetch(
        "SELECT members_wanted, members_done, is_finished FROM org_sample_marker"
        " WHERE id = 1 FOR UPDATE"
    )
    if not rows:
        raise NotFound
    return Sample(**dict(rows[0]))


async def note_sample(w: Work, *, members_done: int, is_finished: bool = False) -> None:
    """The filling has come so far; the caller holds the marker."""
    ensure_system(w)
    await w.execute(
        "UPDATE org_sample_marker SET members_done = $1, is_finished = $2 WHERE id = 1",
        members_done,
        is_finished,
    )


def ensure_system(w: Work) -> None:
    """Pass for the program itself. Raises NotFound for every person."""
    if not w.actor.is_system:
        raise NotFound


def _clean_employer(employer: NewEmployer) -> NewEmployer:
    ensure_counts(employer.head_count, employer.contracts_signed)
    return replace(
        employer,
        name=clean_text(employer.name, field="name", max_chars=NAME_CHARS_MAX),
        uscc=clean_credit_code(employer.uscc, "uscc"),
        investor_country=clean_country(employer.investor_country, "investorCountry"),
    )
