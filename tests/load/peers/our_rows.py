"""Our tables as a peer's ORM reads them: the columns that it answers, and no more."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model


class UnionRow(Model):
    """A union."""

    id = fields.UUIDField(primary_key=True)
    name = fields.CharField(max_length=120)
    level = fields.CharField(max_length=16)
    territory_parent_id = fields.UUIDField(null=True)
    territory_path = fields.TextField()

    class Meta:
        table = "org_union"


class ConsultantRow(Model):
    """A consultant."""

    id = fields.UUIDField(primary_key=True)
    display_name = fields.CharField(max_length=40)

    class Meta:
        table = "consultation_consultant"


class CaseRow(Model):
    """A case."""

    id = fields.UUIDField(primary_key=True)
    state = fields.CharField(max_length=10)
    topic = fields.CharField(max_length=20)
    requested_at = fields.DatetimeField()
    consultant_id = fields.UUIDField()

    class Meta:
        table = "consultation_case"


class ConversationRow(Model):
    """A conversation."""

    id = fields.UUIDField(primary_key=True)
    case_id = fields.UUIDField()

    class Meta:
        table = "consultation_conversation"


class MessageRow(Model):
    """A message; its text stays sealed."""

    id = fields.UUIDField(primary_key=True)
    conversation_id = fields.UUIDField()
    seq = fields.BigIntField()
    role = fields.CharField(max_length=10)
    sent_at = fields.DatetimeField()

    class Meta:
        table = "consultation_message"


class RecipientRow(Model):
    """A union that was addressed."""

    id = fields.BigIntField(primary_key=True)
    notice_id = fields.UUIDField()
    union_id = fields.UUIDField()
    zone_id = fields.UUIDField(null=True)
    line_id = fields.UUIDField(null=True)

    class Meta:
        table = "notice_recipient"


class ReachedRow(Model):
    """A step that a union has reached."""

    id = fields.BigIntField(primary_key=True)
    notice_id = fields.UUIDField()
    step = fields.CharField(max_length=9)
    union_id = fields.UUIDField()

    class Meta:
        table = "notice_reached"
