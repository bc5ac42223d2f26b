"""Tables of the vault: the key hierarchy, and one data key for each record or conversation."""

from __future__ import annotations

from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from domain.kernel.fields import AssignedIntField


class Purpose(StrEnum):
    """What a data key protects. Each has a key of its own: a process may hold only some."""

    MEMBER_PII = "member-pii"
    """One data key for each member's record."""
    COUNSELLING = "counselling"
    """One for each counselling conversation (心理咨询)."""
    LEGAL_AID = "legal-aid"
    """One for each legal-aid conversation (法律援助)."""
    FILES = "files"
    AUDIT = "audit"
    """One for each audit stream, for the reasons that people give."""


class KeyStatus(StrEnum):
    """Where a key stands in its life; only ``primary`` wraps anything new."""

    PRE_ACTIVE = "pre_active"
    PRIMARY = "primary"
    DECRYPT_ONLY = "decrypt_only"
    DISABLED = "disabled"
    DESTROYED = "destroyed"


class CryptoKey(Model):
    """One key of the upper levels: 0 root (never stored), 1 purpose, 2 district."""

    id = AssignedIntField(primary_key=True)
    level = fields.SmallIntField()
    purpose = fields.CharField(max_length=40)
    district = fields.CharField(max_length=64)
    version = fields.SmallIntField()
    status = fields.CharEnumField(KeyStatus, max_length=20)
    wrapped = fields.BinaryField(null=True)
    """AES-256-KW under the parent; NULL for the root, which only the provider holds."""
    kcv = fields.BinaryField()
    """Key check value: tells a wrong key from the right one without using it."""
    wrap_parent_id = fields.IntField(null=True)
    created_at = fields.DatetimeField(auto_now_add=True)
    rotated_at = fields.DatetimeField(null=True)

    class Meta:
        table = "vault_crypto_key"
        unique_together = (("level", "purpose", "district", "version"),)


class Dek(Model):
    """A data key, wrapped. Its destruction (crypto-shredding) leaves the row without the key."""

    id = fields.UUIDField(primary_key=True)
    purpose = fields.CharEnumField(Purpose, max_length=40)
    owner_id = fields.UUIDField()
    key: fields.ForeignKeyRelation[CryptoKey] = fields.ForeignKeyField(
        "unionhall.CryptoKey", related_name="deks", on_delete=fields.RESTRICT
    )
    wrapped = fields.BinaryField(null=True)
    commitment = fields.BinaryField()
    """Binds the key to purpose, owner and id: a wrapped key moved to another row is refused."""
    destroyed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "vault_dek"
        unique_together = (("purpose", "owner_id"),)
