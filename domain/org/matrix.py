"""The matrix (矩阵): founding and moving unions; the only writer of the two paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import ClassVar
from uuid import UUID

import orjson
from asyncpg.exceptions import UniqueViolationError

from domain.kernel.actor import Place, path_end
from domain.kernel.capabilities import Capability
from domain.kernel.database import Record
from domain.kernel.errors import Conflict, NotFound
from domain.kernel.ids import new_id
from domain.kernel.texts import clean_text
from domain.kernel.work import Work
from domain.org.facts import UnionFounded, UnionMoved
from domain.org.models import NAME_CHARS_MAX, LegalPersonStatus, Level, UnionKind
from domain.org.rules import (
    BadCount,
    BadParent,
    clean_union_credit_code,
    ensure_fits,
    ensure_no_cycle,
    ensure_period,
    federation_day,
    own_segment,
    path_below,
    path_segment,
)

MATRIX_LOCK = 7_318_101
"""Advisory lock of the matrix: whoever relies on a path shares it, whoever moves a union has it
alone. So two moves cannot make a cycle together, and no row is born with a path of yesterday."""
SUBTREE_UNIONS_MAX = 5_000
"""Unions of one move: the federation's two thousand and room to grow; each gets a fact."""


class SubtreeTooLarge(Conflict):
    """More unions than one move may carry."""

    code: ClassVar[str] = "org.subtree_too_large"


class CreditCodeTaken(Conflict):
    """Another union or employer is registered under this code."""

    code: ClassVar[str] = "org.credit_code_taken"


class LineBelow(Conflict):
    """Unions stand below this one in its line; they are moved first."""

    code: ClassVar[str] = "org.line_below"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUnion:
    """What is known of a union on the day of its founding (建会)."""

    name: str
    level: Level = Level.GRASSROOTS
    kind: UnionKind = UnionKind.SINGLE
    territory_parent_id: UUID
    line_parent_id: UUID | None = None
    employer_id: UUID | None = None
    legal_person: LegalPersonStatus = LegalPersonStatus.NONE
    uscc: str | None = None
    founded_on: date | None = None
    term_from_on: date | None = None
    term_to_on: date | None = None
    reported_members: int | None = None
    id: UUID = field(default_factory=new_id)


async def hold_matrix(w: Work) -> None:
    """Until this work ends no union moves: a path read from now on may be written down."""
    await w.execute("SELECT pg_advisory_xact_lock_shared($1)", MATRIX_LOCK)


async def place_for_writing(w: Work, union_id: UUID) -> Place:
    """Where the union stands until this work ends. Raises NotFound, also when it is dissolved."""
    await hold_matrix(w)
    return _place(await node_of(w, union_id))


async def found_union(w: Work, new: NewUnion) -> UUID:
    """The union stands under its parents. Raises NotFound, BadParent, BadPeriod.

    Needs ``org.write`` at both parents (Trade Union Law §12: the upper union approves).
    """
    await hold_matrix(w)
    territory = await node_of(w, new.territory_parent_id)
    w.actor.ensure_may(Capability.ORG_WRITE, _place(territory))
    line = await _line_parent(w, new.line_parent_id)
    if line is not None:
        w.actor.ensure_may(Capability.ORG_WRITE, _place(line))
    ensure_fits(new.level, territory=Level(territory["level"]), line=_level(line))
    clean = cleaned(new)
    if new.employer_id is not None:
        await _ensure_employer(w, new.employer_id)
    (row,) = await w.fetch("SELECT nextval('org_union_seq') AS seq")
    path = path_below(territory["territory_path"], path_segment(row["seq"]))
    line_path = path_below(line["line_path"], path_segment(row["seq"])) if line else None
    await insert_unions(w, [PlacedUnion(row["seq"], clean, path, line_path)])
    w.record(UnionFounded(new.id, new.territory_parent_id, new.line_parent_id))
    return new.id


async def move_union(
    w: Work, union_id: UUID, *, territory_parent_id: UUID, line_parent_id: UUID | None
) -> None:
    """The union and all below it stand there; the paths of their members follow in this commit.

    Needs ``org.write`` at the union and at each parent that changes. Raises NotFound, BadParent,
    MatrixCycle, LineBelow, SubtreeTooLarge.
    """
    await w.execute("SELECT pg_advisory_xact_lock($1)", MATRIX_LOCK)
    node = await node_of(w, union_id)
    w.actor.ensure_may(Capability.ORG_WRITE, _place(node))
    territory = await node_of(w, territory_parent_id)
    line = await _line_parent(w, line_parent_id)
    if territory_parent_id != node["territory_parent_id"]:
        w.actor.ensure_may(Capability.ORG_WRITE, _place(territory))
    if line is not None and line_parent_id != node["line_parent_id"]:
        w.actor.ensure_may(Capability.ORG_WRITE, _place(line))
    ensure_no_cycle(node["territory_path"], territory["territory_path"])
    ensure_no_cycle(node["line_path"], line["line_path"] if line is not None else None)
    ensure_fits(Level(node["level"]), territory=Level(territory["level"]), line=_level(line))
    below = await _subtree(w, node)
    if line is None and any(row["line_parent_id"] == union_id for row in below):
        raise LineBelow
    left = await _above(w, node)
    await _put(w, node, territory, line)
    moved = tuple(row["id"] for row in below)
    holders = await _seat_holders(w, moved)
    w.record(UnionMoved(union_id, territory_parent_id, line_parent_id, moved, holders, left))


def cleaned(new: NewUnion) -> NewUnion:
    """The same with clean texts. Raises BadPeriod, BadCreditCode, BadCount and text refusals."""
    ensure_period(new.term_from_on, new.term_to_on, "termTo")
    if new.reported_members is not None and new.reported_members < 0:
        raise BadCount("reportedMembers")
    uscc = new.uscc and clean_union_credit_code(new.uscc, new.level, "uscc")
    name = clean_text(new.name, field="name", max_chars=NAME_CHARS_MAX)
    return replace(new, name=name, uscc=uscc)


@dataclass(frozen=True, slots=True)
class PlacedUnion:
    """A union with its number and paths, ready to be written."""

    seq: int
    new: NewUnion
    territory_path: str
    line_path: str | None


_INSERT = """
INSERT INTO org_union (id, seq, name, level, kind, territory_parent_id, line_parent_id,
    territory_path, line_path, employer_id, legal_person, uscc, founded_on, term_from_on,
    term_to_on, reported_members)
SELECT (n->>'id')::uuid, r.seq, n->>'name', n->>'level', n->>'kind',
       (n->>'territory_parent_id')::uuid, (n->>'line_parent_id')::uuid, r.territory_path,
       r.line_path, (n->>'employer_id')::uuid, n->>'legal_person', n->>'uscc',
       (n->>'founded_on')::date, (n->>'term_from_on')::date, (n->>'term_to_on')::date,
       (n->>'reported_members')::int
  FROM jsonb_to_recordset($1::jsonb)
    AS r(seq bigint, new jsonb, territory_path text, line_path text)
 CROSS JOIN LATERAL (SELECT r.new AS n) AS new_
"""


async def insert_unions(w: Work, placed: Sequence[PlacedUnion]) -> None:
    """Write the rows in one statement. Raises CreditCodeTaken."""
    try:
        # ``default``: the driver's own UUID class is unknown to orjson.
        await w.execute(_INSERT, orjson.dumps(placed, default=str).decode())
    except UniqueViolationError as taken:
        # Paths and numbers are ours and unique; only a credit code can be somebody else's.
        raise CreditCodeTaken from taken


async def node_of(w: Work, union_id: UUID) -> Record:
    """The union's place and level. Raises NotFound, also when it is dissolved."""
    rows = await w.fetch(
        "SELECT id, level, territory_parent_id, line_parent_id, territory_path, line_path"
        " FROM org_union WHERE id = $1 AND dissolved_on IS NULL",
        union_id,
    )
    if not rows:
        raise NotFound
    return rows[0]


async def _ensure_employer(w: Work, employer_id: UUID) -> None:
    if not await w.fetch("SELECT 1 FROM org_employer WHERE id = $1", employer_id):
        raise NotFound


async def _line_parent(w: Work, union_id: UUID | None) -> Record | None:
    if union_id is None:
        return None
    line = await node_of(w, union_id)
    if line["line_path"] is None:
        raise BadParent("lineParent")
    return line


async def _subtree(w: Work, node: Record) -> Sequence[Record]:
    """The union and all below it in either hierarchy."""
    line = node["line_path"]
    rows = await w.fetch(
        "SELECT id, line_parent_id FROM org_union"
        " WHERE (territory_path >= $1 AND territory_path < $2)"
        " OR (line_path >= $3 AND line_path < $4) ORDER BY id",
        node["territory_path"],
        path_end(node["territory_path"]),
        line,
        path_end(line) if line is not None else None,
    )
    if len(rows) > SUBTREE_UNIONS_MAX:
        raise SubtreeTooLarge(max=SUBTREE_UNIONS_MAX)
    return rows


async def _above(w: Work, node: Record) -> tuple[UUID, ...]:
    """The unions above it in either hierarchy."""
    paths = [
        path[: end + 1]
        for path in (node["territory_path"], node["line_path"])
        if path is not None
        for end, character in enumerate(path[:-1])
        if character == "/" and end
    ]
    rows = await w.fetch(
        "SELECT id FROM org_union WHERE territory_path = ANY($1::text[])"
        " OR line_path = ANY($1::text[])",
        paths,
    )
    return tuple(row["id"] for row in rows)


async def _put(w: Work, node: Record, territory: Record, line: Record | None) -> None:
    """Write the union's parents, and both paths of everything below it."""
    segment = own_segment(node["territory_path"])
    new_line = path_below(line["line_path"], segment) if line is not None else None
    await w.execute(
        "UPDATE org_union SET territory_parent_id = $2, line_parent_id = $3, line_path = $4"
        " WHERE id = $1",
        node["id"],
        territory["id"],
        line["id"] if line is not None else None,
        new_line,
    )
    new_territory = path_below(territory["territory_path"], segment)
    await _repath(w, "territory_path", node["territory_path"], new_territory)
    if node["line_path"] is not None and new_line is not None:
        await _repath(w, "line_path", node["line_path"], new_line)


async def _repath(w: Work, column: str, old: str, new: str) -> None:
    if old != new:
        await w.execute(
            f"UPDATE org_union SET {column} = $1 || substr({column}, $2)"
            f" WHERE {column} >= $3 AND {column} < $4",
            new,
            len(old) + 1,
            old,
            path_end(old),
        )


async def _seat_holders(w: Work, union_ids: Sequence[UUID]) -> tuple[UUID, ...]:
    rows = await w.fetch(
        "SELECT DISTINCT account_id FROM org_seat"
        " WHERE union_id = ANY($1::uuid[]) AND (to_on IS NULL OR to_on > $2)",
        list(union_ids),
        federation_day(w.now),
    )
    return tuple(row["account_id"] for row in rows)


def _place(row: Record) -> Place:
    return Place(row["territory_path"], row["line_path"])


def _level(row: Record | None) -> Level | None:
    return Level(row["level"]) if row is not None else None
