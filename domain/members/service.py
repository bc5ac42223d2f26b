"""The public verbs of members. Reads are in ``queries``; ``bulk`` enters whole registers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import ClassVar
from uuid import UUID

from domain.audit import service as audit
from domain.kernel.actor import Place
from domain.kernel.capabilities import Capability
from domain.kernel.errors import Conflict
from domain.kernel.ids import new_id
from domain.kernel.work import Work
from domain.members.facts import MemberRegistered
from domain.members.models import IdType
from domain.members.queries import (
    ANY_MEMBER,
    IDENTITY_COLUMNS,
    MEMBER_COLUMNS,
    MEMBERSHIP_COLUMNS,
    MemberFilter,
    count_members,
    get_member,
    identities_by_id,
    list_members,
    members_by_id,
    select_members,
    select_memberships,
)
from domain.members.rules import Identity, clean_identity, clean_name, clean_phone, mask_name
from domain.org.rules import federation_day
from domain.org.service import place_for_writing
from domain.vault import service as vault
from domain.vault.keyring import FEDERATION

__all__ = [
    "ANY_MEMBER",
    "IDENTITY_COLUMNS",
    "MEMBERSHIP_COLUMNS",
    "MEMBER_COLUMNS",
    "AlreadyMember",
    "MemberFilter",
    "NewMember",
    "count_members",
    "get_member",
    "identities_by_id",
    "list_members",
    "members_by_id",
    "register_member",
    "select_members",
    "select_memberships",
]

SEALED_ROW_COLUMNS = (
    "id",
    "union_id",
    "territory_path",
    "line_path",
    "state",
    "name_mask",
    "name",
    "id_type",
    "id_number",
    "id_number_index",
    "phone",
    "phone_index",
    "is_migrant",
    "collected_by",
    "collected_at",
)


class AlreadyMember(Conflict):
    """This person has a membership in the city: it is transferred (会籍转移), not entered anew.

    Told only to a collector who may enter members at the place and has signed the pledge.
    """

    code: ClassVar[str] = "members.already_member"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMember:
    """A person as a collector enters it. Its ``repr`` shows nothing personal."""

    union_id: UUID
    name: str = field(repr=False)
    id_type: IdType = IdType.RESIDENT
    id_number: str = field(repr=False)
    phone: str | None = field(default=None, repr=False)
    is_migrant: bool = False
    from_on: date | None = None
    """First day of the membership; today, if not given."""
    id: UUID = field(default_factory=new_id)


async def register_member(w: Work, new: NewMember) -> UUID:
    """The person is a member of the union. Raises NotFound, AlreadyMember and bad identifiers.

    Needs ``member.collect`` at the union, which is asked before anything is compared.
    """
    place = await place_for_writing(w, new.union_id)
    w.actor.ensure_may(Capability.MEMBER_COLLECT, place)
    today = federation_day(w.now)
    person = cleaned(new, today)
    # For row-level security: the one place at which this work may enter members.
    await w.execute("SELECT set_config('app.collect', $1, true)", place.territory_path)
    key = await vault.create_data_key(
        w, vault.Purpose.MEMBER_PII, owner=new.id, district=district_of(place)
    )
    row = sealed_row(person, key, place, collected_by=w.actor.account(), collected_at=w.now)
    await _insert(w, row, new.from_on or today)
    await audit.record(
        w,
        "members.register",
        subject_kind="member",
        subject_id=new.id,
        fields=("name", "id_number", "phone"),
    )
    w.record(MemberRegistered(new.id, new.union_id))
    return new.id


@dataclass(frozen=True, slots=True)
class Person:
    """A new member with clean values."""

    id: UUID
    union_id: UUID
    name: str = field(repr=False)
    identity: Identity
    phone: str | None = field(repr=False)
    is_migrant: bool


def cleaned(new: NewMember, today: date) -> Person:
    """The same with clean values. Raises BadIdNumber, BadPhone and text refusals."""
    return Person(
        id=new.id,
        union_id=new.union_id,
        name=clean_name(new.name, "name"),
        identity=clean_identity(new.id_type, new.id_number, today=today, field="idNumber"),
        phone=clean_phone(new.phone, "phone") if new.phone is not None else None,
        is_migrant=new.is_migrant,
    )


def district_of(place: Place) -> str:
    """The district of the key hierarchy: the zone below the federation, by its path segment."""
    segments = place.territory_path.strip("/").split("/")
    return segments[1] if len(segments) > 1 else FEDERATION


def sealed_row(
    person: Person, key: vault.DataKey, place: Place, *, collected_by: UUID, collected_at: object
) -> tuple[object, ...]:
    """The row to write (SEALED_ROW_COLUMNS)."""
    id_, identity, phone = person.id, person.identity, person.phone
    sealed_phone = phone_index = None
    if phone is not None:
        sealed_phone = key.seal(phone, table="member", column="phone", row_id=id_)
        phone_index = vault.blind_index("member.phone", phone)
    return (
        id_,
        person.union_id,
        place.territory_path,
        place.line_path,
        "active",
        mask_name(person.name),
        key.seal(person.name, table="member", column="name", row_id=id_),
        identity.id_type,
        key.seal(identity.number, table="member", column="id_number", row_id=id_),
        vault.blind_index("member.id_number", identity.indexed),
        sealed_phone,
        phone_index,
        person.is_migrant,
        collected_by,
        collected_at,
    )


async def _insert(w: Work, row: tuple[object, ...], from_on: date) -> None:
    slots = ", ".join(f"${n + 1}" for n in range(len(row)))
    # Naming the index here would demand the right to read the row, which a collector lacks.
    count = await w.execute(
        f"INSERT INTO member ({', '.join(SEALED_ROW_COLUMNS)}) VALUES ({slots})"
        " ON CONFLICT DO NOTHING",
        *row,
    )
    if count == 0:
        raise AlreadyMember
    await w.execute(
        "INSERT INTO member_membership (id, member_id, union_id, state, from_on)"
        " VALUES ($1, $2, $3, 'active', $4)",
        new_id(),
        row[0],
        row[1],
        from_on,
    )
