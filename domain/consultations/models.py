"""Tables of consultations. Policies, checks and partial indexes: ``consultations.sql``."""

from __future__ import annotations

from enum import StrEnum

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model

from domain.kernel.ids import new_id


class Service(StrEnum):
    """What is sought. One engine serves both."""

    COUNSELLING = "counselling"
    """心理咨询"""
    LEGAL_AID = "legal_aid"
    """法律援助"""


class WindowState(StrEnum):
    """What a consultant says of the own window (窗口状态)."""

    PRESENT = "present"
    """在岗"""
    BUSY = "busy"
    """忙碌"""
    AWAY = "away"
    """离开"""


class CaseState(StrEnum):
    """Where a case stands. ``rules.TRANSITIONS`` says how it gets there."""

    REQUESTED = "requested"
    """求助中"""
    RUNNING = "running"
    """进行中"""
    CLOSED = "closed"
    """已结束"""


class Role(StrEnum):
    """As whom somebody takes part."""

    MEMBER = "member"
    CONSULTANT = "consultant"


class Urgency(StrEnum):
    """How soon the member needs an answer, by their own word; it changes no place in the queue."""

    ORDINARY = "ordinary"
    URGENT = "urgent"


class Topic(StrEnum):
    """What it is about, too coarse to tell anything of a person. ``rules.TOPICS``: by service."""

    WORK_STRESS = "work_stress"
    RELATIONSHIPS = "relationships"
    FAMILY = "family"
    PARENTING = "parenting"
    LABOUR_CONTRACT = "labour_contract"
    WAGES = "wages"
    WORK_INJURY = "work_injury"
    SOCIAL_INSURANCE = "social_insurance"
    DISMISSAL = "dismissal"
    OTHER = "other"


class HandoverState(StrEnum):
    """Where a hand-over (转介) stands: nothing changes hands before the member consents."""

    ASKED = "asked"
    CONSENTED = "consented"
    REFUSED = "refused"
    """By the member, taken back by the consultant, or ended with the case."""


class Consultant(Model):
    """A counsellor or lawyer with an own window (窗口). Shown to every signed-in account."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    account_id = fields.UUIDField(unique=True)
    service = fields.CharEnumField(Service, max_length=20)
    display_name = fields.CharField(max_length=40)
    specialities: fields.Field[list[str]] = ArrayField("text", default=list)
    introduction = fields.TextField(default="")
    state = fields.CharEnumField(WindowState, max_length=10, default=WindowState.AWAY)
    capacity = fields.SmallIntField()
    """Running cases that the window takes at a time, 1…20."""
    running_count = fields.IntField(default=0)
    """Running cases now. Kept here, because who hands over or re-opens can't see the others."""

    class Meta:
        table = "consultation_consultant"
        indexes = (("service", "display_name", "id"),)


class ConsultationCase(Model):
    """A member's request and what became of it. Its two people may see that it exists."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    service = fields.CharEnumField(Service, max_length=20)
    state = fields.CharEnumField(CaseState, max_length=10)
    member_account_id = fields.UUIDField()
    consultant: fields.ForeignKeyNullableRelation[Consultant] = fields.ForeignKeyField(
        "unionhall.Consultant", related_name="cases", on_delete=fields.RESTRICT, null=True
    )
    consultant_account_id = fields.UUIDField(null=True)
    """The consultant's account again: policies compare it without a join."""
    addressed_to: fields.ForeignKeyNullableRelation[Consultant] = fields.ForeignKeyField(
        "unionhall.Consultant", related_name="addressed", on_delete=fields.RESTRICT, null=True
    )
    topic = fields.CharEnumField(Topic, max_length=20)
    urgency = fields.CharEnumField(Urgency, max_length=10)
    consent_version = fields.SmallIntField()
    consented_at = fields.DatetimeField()
    client_key = fields.UUIDField()
    taken_key = fields.UUIDField(null=True)
    """Client key of the ``take_next`` that took it: repeating that answers with this case."""
    requested_at = fields.DatetimeField()
    accepted_at = fields.DatetimeField(null=True)
    closed_at = fields.DatetimeField(null=True)
    closed_by = fields.CharEnumField(Role, max_length=10, null=True)

    class Meta:
        table = "consultation_case"
        unique_together = (("member_account_id", "client_key"), ("consultant_id", "taken_key"))
        indexes = (
            ("member_account_id", "requested_at", "id"),
            ("consultant_account_id", "requested_at", "id"),
        )


class QueueEntry(Model):
    """A request as the queue (队列) knows it: nothing in this row tells whose it is."""

    case: fields.OneToOneRelation[ConsultationCase] = fields.OneToOneField(
        "unionhall.ConsultationCase",
        related_name="queue_entry",
        on_delete=fields.RESTRICT,
        primary_key=True,
    )
    service = fields.CharEnumField(Service, max_length=20)
    state = fields.CharEnumField(CaseState, max_length=10)
    """The case's own state: a foreign key ON UPDATE CASCADE keeps the two equal."""
    addressed_to: fields.ForeignKeyNullableRelation[Consultant] = fields.ForeignKeyField(
        "unionhall.Consultant", related_name="waiting", on_delete=fields.RESTRICT, null=True
    )
    topic = fields.CharEnumField(Topic, max_length=20)
    urgency = fields.CharEnumField(Urgency, max_length=10)
    requested_at = fields.DatetimeField()
    taken_by: fields.ForeignKeyNullableRelation[Consultant] = fields.ForeignKeyField(
        "unionhall.Consultant", related_name="taken", on_delete=fields.RESTRICT, null=True
    )
    """Who holds it. Until the case runs, holding the entry is what shows the case."""

    class Meta:
        table = "consultation_queue_entry"


class Conversation(Model):
    """Where a case's messages are. Its row is locked to give them their numbers."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    case: fields.ForeignKeyRelation[ConsultationCase] = fields.ForeignKeyField(
        "unionhall.ConsultationCase", related_name="conversations", on_delete=fields.RESTRICT
    )
    service = fields.CharEnumField(Service, max_length=20)
    member_account_id = fields.UUIDField()
    consultant_account_id = fields.UUIDField()
    """The two people of this moment. A waiting writer sees a change of them, being in this row."""
    top_seq = fields.BigIntField(default=0)
    opened_at = fields.DatetimeField()
    closed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "consultation_conversation"
        indexes = (("case_id", "opened_at"),)


class Participant(Model):
    """A span in which one account may read one conversation, by message and by stream offset."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    conversation: fields.ForeignKeyRelation[Conversation] = fields.ForeignKeyField(
        "unionhall.Conversation", related_name="participants", on_delete=fields.RESTRICT
    )
    account_id = fields.UUIDField()
    role = fields.CharEnumField(Role, max_length=10)
    consultant: fields.ForeignKeyNullableRelation[Consultant] = fields.ForeignKeyField(
        "unionhall.Consultant", related_name="spans", on_delete=fields.RESTRICT, null=True
    )
    from_seq = fields.BigIntField()
    from_offset = fields.BigIntField()
    until_seq = fields.BigIntField(null=True)
    joined_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "consultation_participant"
        indexes = (("conversation_id", "joined_at", "id"),)


class Message(Model):
    """One message (消息). Insert-only; its text is sealed for this row, number and sender."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    conversation: fields.ForeignKeyRelation[Conversation] = fields.ForeignKeyField(
        "unionhall.Conversation", related_name="messages", on_delete=fields.RESTRICT
    )
    seq = fields.BigIntField()
    """1, 2, 3 … without a gap."""
    sender_account_id = fields.UUIDField()
    role = fields.CharEnumField(Role, max_length=10)
    client_key = fields.UUIDField()
    body = fields.BinaryField()
    sent_at = fields.DatetimeField()

    class Meta:
        table = "consultation_message"
        unique_together = (
            ("conversation_id", "seq"),
            ("conversation_id", "sender_account_id", "client_key"),
        )


class Mark(Model):
    """How far a participant has received and read (已送达, 已读). Only ever advances."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    conversation: fields.ForeignKeyRelation[Conversation] = fields.ForeignKeyField(
        "unionhall.Conversation", related_name="marks", on_delete=fields.RESTRICT
    )
    account_id = fields.UUIDField()
    delivered_seq = fields.BigIntField(default=0)
    read_seq = fields.BigIntField(default=0)

    class Meta:
        table = "consultation_mark"
        unique_together = (("conversation_id", "account_id"),)


class Handover(Model):
    """A consultant's wish to pass a case on, and the member's word on it (转介)."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    case: fields.ForeignKeyRelation[ConsultationCase] = fields.ForeignKeyField(
        "unionhall.ConsultationCase", related_name="handovers", on_delete=fields.RESTRICT
    )
    conversation: fields.ForeignKeyRelation[Conversation] = fields.ForeignKeyField(
        "unionhall.Conversation", related_name="handovers", on_delete=fields.RESTRICT
    )
    from_consultant: fields.ForeignKeyRelation[Consultant] = fields.ForeignKeyField(
        "unionhall.Consultant", related_name="handed_over", on_delete=fields.RESTRICT
    )
    to_consultant: fields.ForeignKeyRelation[Consultant] = fields.ForeignKeyField(
        "unionhall.Consultant", related_name="taken_over", on_delete=fields.RESTRICT
    )
    state = fields.CharEnumField(HandoverState, max_length=10)
    shares_past = fields.BooleanField(null=True)
    requested_at = fields.DatetimeField()
    decided_at = fields.DatetimeField(null=True)

    class Meta:
        table = "consultation_handover"
        indexes = (("case_id", "requested_at", "id"),)
