"""Reads of members: masked, inside the scope, and under row-level security a second time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.kernel.actor import Actor
from domain.kernel.capabilities import Capability
from domain.kernel.database import Record, fetch_as
from domain.kernel.errors import NotFound, Unauthenticated
from domain.kernel.pages import Key, Listing, Page, PageRequest, Selection, Where
from domain.members.models import IdType, MembershipState
from domain.members.rules import Identity, mask_phone
from domain.vault import service as vault

MEMBER_COLUMNS = (
    "id",
    "union_id",
    "name_mask",
    "state",
    "id_type",
    "is_migrant",
    "collected_at",
    "territory_path",
    "line_path",
)
IDENTITY_COLUMNS = ("id", "id_number", "phone")
"""Masked, of ``identities_by_id``."""
MEMBERSHIP_COLUMNS = ("id", "member_id", "union_id", "state", "from_on", "to_on")

_COLUMNS = {name: f"m.{name}" for name in MEMBER_COLUMNS}
_ID = Key("m.id", "id", UUID)
# Each order is an index, so that a page is a short walk along it; a scope of lines only would
# else walk the whole territory.
MEMBERS = Listing("member m", _COLUMNS, (Key("m.territory_path", "territory_path", str), _ID))
MEMBERS_BY_LINE = Listing("member m", _COLUMNS, (Key("m.line_path", "line_path", str), _ID))
MEMBERSHIPS = Listing(
    "member_membership s",
    {name: f"s.{name}" for name in MEMBERSHIP_COLUMNS},
    (Key("s.id", "id", UUID),),
)


@dataclass(frozen=True, slots=True)
class MemberFilter:
    """Which members; every condition given must hold."""

    union_id: UUID | None = None
    """Members of this union itself."""
    within_territory: UUID | None = None
    """Members at or below this union in the territory."""
    within_line: UUID | None = None
    """Members at or below this union in the lines."""
    state: MembershipState | None = None


ANY_MEMBER = MemberFilter()


def select_members(actor: Actor, filter: MemberFilter = ANY_MEMBER) -> Selection:
    """Members in the scope of ``member.read``, by union. Raises Unauthenticated, Forbidden."""
    actor.ensure_has(Capability.MEMBER_READ)
    scope = actor.scope(Capability.MEMBER_READ)
    where = Where().in_scope(scope, territory="m.territory_path", line="m.line_path")
    if filter.union_id is not None:
        # By path, not by id, so that the list's own index answers it; and as a range, because with
        # an equality the planner may walk the whole table in the order of ids.
        own = "(SELECT u.territory_path FROM org_union u WHERE u.id = {0})"
        where = where.and_(
            f"m.territory_path >= {own} AND m.territory_path <= {own}", filter.union_id
        )
    for column, union_id in (
        ("territory_path", filter.within_territory),
        ("line_path", filter.within_line),
    ):
        if union_id is not None:
            top = f"(SELECT u.{column} FROM org_union u WHERE u.id = {{0}})"
            where = where.and_(
                f"m.{column} >= {top} AND m.{column} < (left({top}, -1) || '0') COLLATE \"C\"",
                union_id,
            )
    if filter.state is not None:
        where = where.and_("m.state = {0}", filter.state)
    is_by_line = not scope.territory and filter.union_id is None
    return Selection(MEMBERS_BY_LINE if is_by_line else MEMBERS, where)


async def list_members(
    actor: Actor, request: PageRequest, filter: MemberFilter = ANY_MEMBER
) -> Page:
    """One page of ``select_members`` (MEMBER_COLUMNS)."""
    return await select_members(actor, filter).page(actor, request)


async def count_members(actor: Actor, filter: MemberFilter = ANY_MEMBER) -> int:
    """How many members ``select_members`` has."""
    return await select_members(actor, filter).count(actor)


async def members_by_id(actor: Actor, ids: Sequence[UUID]) -> Mapping[UUID, Record]:
    """Rows (MEMBER_COLUMNS) of those that are in the scope, or the actor's own."""
    rows = await _rows(actor, ids, ", ".join(_COLUMNS.values()))
    return {row["id"]: row for row in rows}


async def get_member(actor: Actor, member_id: UUID) -> Record:
    """The record, masked (MEMBER_COLUMNS). Raises Unauthenticated, NotFound."""
    if actor.is_nobody:
        raise Unauthenticated
    found = (await members_by_id(actor, [member_id])).get(member_id)
    if found is None:
        raise NotFound
    return found


async def identities_by_id(actor: Actor, ids: Sequence[UUID]) -> Mapping[UUID, Any]:
    """Masked identity numbers and phones (IDENTITY_COLUMNS) of those that the actor may see."""
    rows = await _rows(actor, ids, "m.id, m.id_type, m.id_number, m.phone")
    keys = await vault.data_keys(vault.Purpose.MEMBER_PII, owners=[row["id"] for row in rows])
    return {row["id"]: _masked(row, keys[row["id"]]) for row in rows if row["id"] in keys}


def select_memberships(actor: Actor, member_id: UUID) -> Selection:
    """The dated memberships of a member; row-level security shows them with the record."""
    if actor.is_nobody:
        raise Unauthenticated
    return Selection(MEMBERSHIPS, Where().and_("s.member_id = {0}", member_id))


async def _rows(actor: Actor, ids: Sequence[UUID], columns: str) -> Sequence[Record]:
    scope = actor.scope(Capability.MEMBER_READ)
    reach = Where(args=(list(ids), actor.member_id)).in_scope(
        scope, territory="m.territory_path", line="m.line_path"
    )
    return await fetch_as(
        actor,
        f"SELECT {columns} FROM member m"
        f" WHERE m.id = ANY($1::uuid[]) AND (m.id = $2::uuid OR {reach.sql})",
        *reach.args,
    )


def _masked(row: Record, key: vault.DataKey) -> Mapping[str, Any]:
    id_ = row["id"]
    number = key.open(row["id_number"], table="member", column="id_number", row_id=id_)
    phone = row["phone"]
    if phone is not None:
        phone = mask_phone(key.open(phone, table="member", column="phone", row_id=id_))
    return {
        "id": id_,
        "id_number": Identity(IdType(row["id_type"]), number).masked,
        "phone": phone,
    }
