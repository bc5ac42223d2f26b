"""Tables of the audit trail. The running program may add rows and change none."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from domain.kernel.fields import DigestField


class AuditStream(Model):
    """Where a chain stands. Its row lock orders the chain's writers up to their commit."""

    id = fields.CharField(max_length=40, primary_key=True)
    top = fields.BigIntField()
    head = DigestField()
    """Hash of the entry ``top``."""

    class Meta:
        table = "audit_stream"


class AuditEntry(Model):
    """One deed. Names of fields, never their values."""

    id = fields.UUIDField(primary_key=True)
    stream = fields.CharField(max_length=40)
    seq = fields.BigIntField()
    at = fields.DatetimeField()
    account_id = fields.UUIDField(null=True)
    session_id = fields.UUIDField(null=True)
    action = fields.CharField(max_length=60)
    subject_kind = fields.CharField(max_length=40)
    subject_id = fields.UUIDField(null=True)
    fields_ = fields.JSONField[list[str]](source_field="fields")
    reason = fields.BinaryField(null=True)
    """Sealed under the acting account's audit key."""
    hash = DigestField()
    mac = DigestField()
    """Under a key of the vault: whoever has only the database can't make a chain."""

    class Meta:
        table = "audit_entry"
        unique_together = (("stream", "seq"),)
        indexes = (("subject_kind", "subject_id", "id"),)
