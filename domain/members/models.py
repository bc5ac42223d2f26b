"""Tables of members (会员). Sealed columns hold ciphertext; ``members.sql`` protects the rows."""

from __future__ import annotations

from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from domain.kernel.fields import DigestField, PathField
from domain.kernel.ids import new_id
from domain.org.models import Union


class IdType(StrEnum):
    """Which paper a number stands on (证件类型)."""

    RESIDENT = "resident"
    """居民身份证, GB 11643."""
    HMT_PERMIT = "hmt_permit"
    """港澳台居民居住证: the same number with region 810000, 820000 or 830000."""
    FOREIGN_PERMANENT = "foreign_permanent"
    """外国人永久居留身份证."""
    PASSPORT = "passport"


class MembershipState(StrEnum):
    """Where a membership stands (会籍状态)."""

    ACTIVE = "active"
    RETAINED = "retained"
    """保留会籍: retired, unemployed, or the employer has ended."""
    WITHDRAWN = "withdrawn"
    """退会."""
    REMOVED = "removed"
    """除名."""
    DECEASED = "deceased"


class Member(Model):
    """The record of one natural person."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    union: fields.ForeignKeyRelation[Union] = fields.ForeignKeyField(
        "unionhall.Union", related_name="members", on_delete=fields.OnDelete.RESTRICT
    )
    territory_path = PathField()
    """The union's, repeated here for scope and row-level security; kept by a trigger."""
    line_path = PathField(null=True)
    state = fields.CharEnumField(MembershipState, max_length=16)
    name_mask = fields.CharField(max_length=4)
    name = fields.BinaryField()
    """Sealed, as ``id_number`` and ``phone`` are."""
    id_type = fields.CharEnumField(IdType, max_length=20)
    id_number = fields.BinaryField()
    id_number_index = DigestField(null=True)
    """NULL once the record is erased."""
    phone = fields.BinaryField(null=True)
    phone_index = DigestField(null=True)
    """Not unique: a household may share a phone."""
    is_migrant = fields.BooleanField(default=False)
    """农民工: entitles to legal aid without proof of hardship (Legal Aid Law §42)."""
    collected_by = fields.UUIDField()
    """The account of the collector (信息采集员)."""
    collected_at = fields.DatetimeField()

    class Meta:
        table = "member"
        indexes = (("territory_path", "id"), ("line_path", "id"), ("union_id",), ("phone_index",))


class Membership(Model):
    """A membership in one union, from ``from_on`` up to but without ``to_on``."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "unionhall.Member", related_name="memberships", on_delete=fields.OnDelete.RESTRICT
    )
    union: fields.ForeignKeyRelation[Union] = fields.ForeignKeyField(
        "unionhall.Union", related_name="memberships", on_delete=fields.OnDelete.RESTRICT
    )
    state = fields.CharEnumField(MembershipState, max_length=16)
    from_on = fields.DateField()
    to_on = fields.DateField(null=True)

    class Meta:
        table = "member_membership"
        indexes = (("member_id", "from_on"), ("union_id", "from_on"))
