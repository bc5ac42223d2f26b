"""Many members at once, by the program itself: sample data now, imports later.

A file of its own because no person may call it: whoever enters a member by hand is asked for the
right to, and is written down, one by one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

from domain.kernel.actor import Place
from domain.kernel.errors import NotFound
from domain.kernel.ids import new_id
from domain.kernel.work import Work
from domain.members.service import (
    SEALED_ROW_COLUMNS,
    AlreadyMember,
    NewMember,
    cleaned,
    district_of,
    sealed_row,
)
from domain.org.rules import federation_day
from domain.org.service import hold_matrix, places_of
from domain.vault import service as vault

MEMBERS_MAX = 5_000
"""Of one call: some megabytes of ciphertext, a second of work."""
_TYPES = {
    "id": "uuid",
    "union_id": "uuid",
    "name": "bytea",
    "id_number": "bytea",
    "id_number_index": "bytea",
    "phone": "bytea",
    "phone_index": "bytea",
    "is_migrant": "boolean",
    "collected_by": "uuid",
    "collected_at": "timestamptz",
}
_INSERT = (
    f"INSERT INTO member ({', '.join(SEALED_ROW_COLUMNS)}) SELECT * FROM unnest("
    + ", ".join(
        f"${n}::{_TYPES.get(name, 'text')}[]" for n, name in enumerate(SEALED_ROW_COLUMNS, 1)
    )
    + ") ON CONFLICT DO NOTHING"
)


async def enter_members(w: Work, new: Sequence[NewMember], *, collected_by: UUID) -> None:
    """All these people are members: all of them, or none. Raises NotFound, AlreadyMember.

    Nothing is recorded in streams or in the audit: the caller's own record names the register.
    """
    if not w.actor.is_system:
        raise NotFound
    assert len(new) <= MEMBERS_MAX, len(new)
    await hold_matrix(w)
    places = await places_of(list({member.union_id for member in new}))
    if any(member.union_id not in places for member in new):
        raise NotFound
    keys = await _new_keys(w, new, places)
    today = federation_day(w.now)
    rows = [
        sealed_row(
            cleaned(member, today),
            keys[member.id],
            places[member.union_id],
            collected_by=collected_by,
            collected_at=w.now,
        )
        for member in new
    ]
    if await w.execute(_INSERT, *[list(column) for column in zip(*rows, strict=True)]) != len(new):
        raise AlreadyMember
    await w.execute(
        "INSERT INTO member_membership (id, member_id, union_id, state, from_on)"
        " SELECT id, member_id, union_id, 'active', from_on"
        " FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::date[])"
        " AS m(id, member_id, union_id, from_on)",
        [new_id() for _ in new],
        [member.id for member in new],
        [member.union_id for member in new],
        [member.from_on or today for member in new],
    )


async def _new_keys(
    w: Work, new: Sequence[NewMember], places: Mapping[UUID, Place]
) -> Mapping[UUID, vault.DataKey]:
    by_district: dict[str, list[UUID]] = defaultdict(list)
    for member in new:
        by_district[district_of(places[member.union_id])].append(member.id)
    keys: dict[UUID, vault.DataKey] = {}
    # In one order, so that two who enter at the same time don't wait for each other's keys.
    for district, owners in sorted(by_district.items()):
        purpose = vault.Purpose.MEMBER_PII
        keys |= await vault.create_data_keys(w, purpose, owners=owners, district=district)
    return keys
