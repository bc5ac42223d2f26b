from uuid import uuid4

from orjson import loads
from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from domain.access.models import AccountKind, AccountState, EndReason, SessionKind
from domain.consultations.models import (
    CaseState,
    HandoverState,
    Role,
    Service,
    Topic,
    Urgency,
    WindowState,
)
from domain.kernel.actor import Hierarchy
from domain.kernel.fields import AssignedIntField, DigestField, PathField
from domain.kernel.ids import new_id
from domain.members.models import IdType, MembershipState
from domain.notices.models import NoticeState
from domain.org.models import LegalPersonStatus, Level, Ownership, Post, UnionKind
from domain.vault.models import KeyStatus, Purpose


class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name="Account",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True),
                ),
                (
                    "kind",
                    fields.CharEnumField(
                        description="MEMBER: member\nSTAFF: staff",
                        enum_type=AccountKind,
                        max_length=10,
                    ),
                ),
                (
                    "state",
                    fields.CharEnumField(
                        default=AccountState.ACTIVE,
                        description="ACTIVE: active\nDISABLED: disabled",
                        enum_type=AccountState,
                        max_length=10,
                    ),
                ),
                ("member_id", fields.UUIDField(null=True, unique=True)),
                ("consultant_id", fields.UUIDField(null=True, unique=True)),
                ("phone_index", DigestField(null=True, unique=True, generated=False)),
                ("id_number_index", DigestField(null=True, unique=True, generated=False)),
                ("password_hash", fields.CharField(null=True, max_length=200)),
                ("authority_version", fields.IntField(default=0)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "access_account",
                "app": "unionhall",
                "pk_attr": "id",
                "table_description": "A way to sign in. Identifiers are blind indexes; the plain ones are nowhere.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Attempt",
            fields=[
                (
                    "key",
                    DigestField(
                        primary_key=True, unique=True, db_index=True, generated=False, null=False
                    ),
                ),
                ("failure_count", fields.IntField()),
                (
                    "last_at",
                    fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False),
                ),
            ],
            options={
                "table": "access_attempt",
                "app": "unionhall",
                "pk_attr": "key",
                "table_description": "Failed sign-ins of one identifier, device or network. The key is a keyed digest.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="AuditEntry",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("stream", fields.CharField(max_length=40)),
                ("seq", fields.BigIntField()),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("account_id", fields.UUIDField(null=True)),
                ("session_id", fields.UUIDField(null=True)),
                ("action", fields.CharField(max_length=60)),
                ("subject_kind", fields.CharField(max_length=40)),
                ("subject_id", fields.UUIDField(null=True)),
                (
                    "fields_",
                    fields.JSONField(source_field="fields", encoder=JSON_DUMPS, decoder=loads),
                ),
                ("reason", fields.BinaryField(null=True)),
                ("hash", DigestField(generated=False, null=False, unique=False)),
                ("mac", DigestField(generated=False, null=False, unique=False)),
            ],
            options={
                "table": "audit_entry",
                "app": "unionhall",
                "unique_together": (("stream", "seq"),),
                "indexes": [Index(fields=["subject_kind", "subject_id", "id"])],
                "pk_attr": "id",
                "table_description": "One deed. Names of fields, never their values.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="AuditStream",
            fields=[
                (
                    "id",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=40),
                ),
                ("top", fields.BigIntField()),
                ("head", DigestField(generated=False, null=False, unique=False)),
            ],
            options={
                "table": "audit_stream",
                "app": "unionhall",
                "pk_attr": "id",
                "table_description": "Where a chain stands. Its row lock orders the chain's writers up to their commit.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Consultant",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True),
                ),
                ("account_id", fields.UUIDField(unique=True)),
                (
                    "service",
                    fields.CharEnumField(
                        description="COUNSELLING: counselling\nLEGAL_AID: legal_aid",
                        enum_type=Service,
                        max_length=20,
                    ),
                ),
                ("display_name", fields.CharField(max_length=40)),
                ("specialities", ArrayField(default=list, element_type="TEXT")),
                ("introduction", fields.TextField(default="", unique=False)),
                (
                    "state",
                    fields.CharEnumField(
                        default=WindowState.AWAY,
                        description="PRESENT: present\nBUSY: busy\nAWAY: away",
                        enum_type=WindowState,
                        max_length=10,
                    ),
                ),
                ("capacity", fields.SmallIntField()),
                ("running_count", fields.IntField(default=0)),
            ],
            options={
                "table": "consultation_consultant",
                "app": "unionhall",
                "indexes": [Index(fields=["service", "display_name", "id"])],
                "pk_attr": "id",
                "table_description": "A counsellor or lawyer with an own window (窗口). Shown to every signed-in account.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ConsultationCase",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True),
                ),
                (
                    "service",
                    fields.CharEnumField(
                        description="COUNSELLING: counselling\nLEGAL_AID: legal_aid",
                        enum_type=Service,
                        max_length=20,
                    ),
                ),
                (
                    "state",
                    fields.CharEnumField(
                        description="REQUESTED: requested\nRUNNING: running\nCLOSED: closed",
                        enum_type=CaseState,
                        max_length=10,
                    ),
                ),
                ("member_account_id", fields.UUIDField()),
                (
                    "consultant",
                    fields.ForeignKeyField(
                        "unionhall.Consultant",
                        source_field="consultant_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="cases",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("consultant_account_id", fields.UUIDField(null=True)),
                (
                    "addressed_to",
                    fields.ForeignKeyField(
                        "unionhall.Consultant",
                        source_field="addressed_to_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="addressed",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "topic",
                    fields.CharEnumField(
                        description="WORK_STRESS: work_stress\nRELATIONSHIPS: relationships\nFAMILY: family\nPARENTING: parenting\nLABOUR_CONTRACT: labour_contract\nWAGES: wages\nWORK_INJURY: work_injury\nSOCIAL_INSURANCE: social_insurance\nDISMISSAL: dismissal\nOTHER: other",
                        enum_type=Topic,
                        max_length=20,
                    ),
                ),
                (
                    "urgency",
                    fields.CharEnumField(
                        description="ORDINARY: ordinary\nURGENT: urgent",
                        enum_type=Urgency,
                        max_length=10,
                    ),
                ),
                ("consent_version", fields.SmallIntField()),
                ("consented_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("client_key", fields.UUIDField()),
                ("taken_key", fields.UUIDField(null=True)),
                ("requested_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "accepted_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                ("closed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "closed_by",
                    fields.CharEnumField(
                        null=True,
                        description="MEMBER: member\nCONSULTANT: consultant",
                        enum_type=Role,
                        max_length=10,
                    ),
                ),
            ],
            options={
                "table": "consultation_case",
                "app": "unionhall",
                "unique_together": (
                    ("member_account_id", "client_key"),
                    ("consultant_id", "taken_key"),
                ),
                "indexes": [
                    Index(fields=["member_account_id", "requested_at", "id"]),
                    Index(fields=["consultant_account_id", "requested_at", "id"]),
                ],
                "pk_attr": "id",
                "table_description": "A member's request and what became of it. Its two people may see that it exists.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Conversation",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True),
                ),
                (
                    "case",
                    fields.ForeignKeyField(
                        "unionhall.ConsultationCase",
                        source_field="case_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="conversations",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "service",
                    fields.CharEnumField(
                        description="COUNSELLING: counselling\nLEGAL_AID: legal_aid",
                        enum_type=Service,
                        max_length=20,
                    ),
                ),
                ("member_account_id", fields.UUIDField()),
                ("consultant_account_id", fields.UUIDField()),
                ("top_seq", fields.BigIntField(default=0)),
                ("opened_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("closed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "consultation_conversation",
                "app": "unionhall",
                "indexes": [Index(fields=["case_id", "opened_at"])],
                "pk_attr": "id",
                "table_description": "Where a case's messages are. Its row is locked to give them their numbers.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="CryptoKey",
            fields=[
                (
                    "id",
                    AssignedIntField(primary_key=True, unique=True, db_index=True, generated=False),
                ),
                ("level", fields.SmallIntField()),
                ("purpose", fields.CharField(max_length=40)),
                ("district", fields.CharField(max_length=64)),
                ("version", fields.SmallIntField()),
                (
                    "status",
                    fields.CharEnumField(
                        description="PRE_ACTIVE: pre_active\nPRIMARY: primary\nDECRYPT_ONLY: decrypt_only\nDISABLED: disabled\nDESTROYED: destroyed",
                        enum_type=KeyStatus,
                        max_length=20,
                    ),
                ),
                ("wrapped", fields.BinaryField(null=True)),
                ("kcv", fields.BinaryField()),
                ("wrap_parent_id", fields.IntField(null=True)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ("rotated_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "vault_crypto_key",
                "app": "unionhall",
                "unique_together": (("level", "purpose", "district", "version"),),
                "pk_attr": "id",
                "table_description": "One key of the upper levels: 0 root (never stored), 1 purpose, 2 district.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Dek",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                (
                    "purpose",
                    fields.CharEnumField(
                        description="MEMBER_PII: member-pii\nCOUNSELLING: counselling\nLEGAL_AID: legal-aid\nFILES: files\nAUDIT: audit",
                        enum_type=Purpose,
                        max_length=40,
                    ),
                ),
                ("owner_id", fields.UUIDField()),
                (
                    "key",
                    fields.ForeignKeyField(
                        "unionhall.CryptoKey",
                        source_field="key_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="deks",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("wrapped", fields.BinaryField(null=True)),
                ("commitment", fields.BinaryField()),
                (
                    "destroyed_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
            ],
            options={
                "table": "vault_dek",
                "app": "unionhall",
                "unique_together": (("purpose", "owner_id"),),
                "pk_attr": "id",
                "table_description": "A data key, wrapped. Its destruction (crypto-shredding) leaves the row without the key.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Department",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True),
                ),
                ("name", fields.CharField(unique=True, max_length=120)),
                ("functions", fields.CharField(max_length=400)),
                ("rank", fields.IntField()),
            ],
            options={
                "table": "org_department",
                "app": "unionhall",
                "pk_attr": "id",
                "table_description": "A department of the city federation (市总业务部门): owns functions, is no node.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Employer",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True),
                ),
                ("name", fields.CharField(max_length=120)),
                ("uscc", fields.CharField(unique=True, max_length=18)),
                (
                    "ownership",
                    fields.CharEnumField(
                        description="STATE: state\nCOLLECTIVE: collective\nPRIVATE: private\nFOREIGN: foreign\nHONG_KONG_MACAU_TAIWAN: hk_macau_tw\nPUBLIC_INSTITUTION: public_institution\nOTHER: other",
                        enum_type=Ownership,
                        max_length=24,
                    ),
                ),
                ("investor_country", fields.CharField(null=True, max_length=2)),
                ("zone_id", fields.UUIDField()),
                ("head_count", fields.IntField()),
                ("contracts_signed", fields.IntField()),
                ("counted_on", fields.DateField()),
            ],
            options={
                "table": "org_employer",
                "app": "unionhall",
                "indexes": [
                    Index(fields=["zone_id", "id"]),
                    Index(fields=["investor_country", "id"]),
                ],
                "pk_attr": "id",
                "table_description": "An employer (用人单位) with the numbers that statistics ask for.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Grant",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True),
                ),
                (
                    "account",
                    fields.ForeignKeyField(
                        "unionhall.Account",
                        source_field="account_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="grants",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("role", fields.CharField(max_length=40)),
                ("union_id", fields.UUIDField(db_index=True)),
                (
                    "hierarchy",
                    fields.CharEnumField(
                        description="TERRITORY: territory\nLINE: line",
                        enum_type=Hierarchy,
                        max_length=10,
                    ),
                ),
                ("valid_from", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("valid_to", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("granted_by", fields.UUIDField(null=True)),
                ("revoked_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("revoked_by", fields.UUIDField(null=True)),
            ],
            options={
                "table": "access_grant",
                "app": "unionhall",
                "indexes": [Index(fields=["account_id"])],
                "pk_attr": "id",
                "table_description": "A role at a union, in one hierarchy, for a time.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Handover",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True),
                ),
                (
                    "case",
                    fields.ForeignKeyField(
                        "unionhall.ConsultationCase",
                        source_field="case_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="handovers",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "conversation",
                    fields.ForeignKeyField(
                        "unionhall.Conversation",
                        source_field="conversation_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="handovers",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "from_consultant",
                    fields.ForeignKeyField(
                        "unionhall.Consultant",
                        source_field="from_consultant_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="handed_over",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "to_consultant",
                    fields.ForeignKeyField(
                        "unionhall.Consultant",
                        source_field="to_consultant_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="taken_over",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "state",
                    fields.CharEnumField(
                        description="ASKED: asked\nCONSENTED: consented\nREFUSED: refused",
                        enum_type=HandoverState,
                        max_length=10,
                    ),
                ),
                ("shares_past", fields.BooleanField(null=True)),
                ("requested_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("decided_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "consultation_handover",
                "app": "unionhall",
                "indexes": [Index(fields=["case_id", "requested_at", "id"])],
                "pk_attr": "id",
                "table_description": "A consultant's wish to pass a case on, and the member's word on it (转介).",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Mark",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True),
                ),
                (
                    "conversation",
                    fields.ForeignKeyField(
                        "unionhall.Conversation",
                        source_field="conversation_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="marks",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("account_id", fields.UUIDField()),
                ("delivered_seq", fields.BigIntField(default=0)),
                ("read_seq", fields.BigIntField(default=0)),
            ],
            options={
                "table": "consultation_mark",
                "app": "unionhall",
                "unique_together": (("conversation_id", "account_id"),),
                "pk_attr": "id",
                "table_description": "How far a participant has received and read (已送达, 已读). Only ever advances.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Message",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True),
                ),
                (
                    "conversation",
                    fields.ForeignKeyField(
                        "unionhall.Conversation",
                        source_field="conversation_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="messages",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("seq", fields.BigIntField()),
                ("sender_account_id", fields.UUIDField()),
                (
                    "role",
                    fields.CharEnumField(
                        description="MEMBER: member\nCONSULTANT: consultant",
                        enum_type=Role,
                        max_length=10,
                    ),
                ),
                ("client_key", fields.UUIDField()),
                ("body", fields.BinaryField()),
                ("sent_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "consultation_message",
                "app": "unionhall",
                "unique_together": (
                    ("conversation_id", "seq"),
                    ("conversation_id", "sender_account_id", "client_key"),
                ),
                "pk_attr": "id",
                "table_description": "One message (消息). Insert-only; its text is sealed for this row, number and sender.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="NoticeReceipt",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("notice_id", fields.UUIDField()),
                ("version_no", fields.IntField()),
                ("union_id", fields.UUIDField()),
                ("account_id", fields.UUIDField()),
                ("kind", fields.CharField(max_length=9)),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("is_late", fields.BooleanField(default=False)),
            ],
            options={
                "table": "notice_receipt",
                "app": "unionhall",
                "unique_together": (("notice_id", "union_id", "account_id", "kind"),),
                "indexes": [Index(fields=["notice_id", "at"])],
                "pk_attr": "id",
                "table_description": "Evidence: this officer of this union received, read or confirmed this version at ``at``.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Participant",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True),
                ),
                (
                    "conversation",
                    fields.ForeignKeyField(
                        "unionhall.Conversation",
                        source_field="conversation_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="participants",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("account_id", fields.UUIDField()),
                (
                    "role",
                    fields.CharEnumField(
                        description="MEMBER: member\nCONSULTANT: consultant",
                        enum_type=Role,
                        max_length=10,
                    ),
                ),
                (
                    "consultant",
                    fields.ForeignKeyField(
                        "unionhall.Consultant",
                        source_field="consultant_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="spans",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("from_seq", fields.BigIntField()),
                ("from_offset", fields.BigIntField()),
                ("until_seq", fields.BigIntField(null=True)),
                ("joined_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "consultation_participant",
                "app": "unionhall",
                "indexes": [Index(fields=["conversation_id", "joined_at", "id"])],
                "pk_attr": "id",
                "table_description": "A span in which one account may read one conversation, by message and by stream offset.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Pledge",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True),
                ),
                (
                    "account",
                    fields.ForeignKeyField(
                        "unionhall.Account",
                        source_field="account_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="pledges",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("version", fields.IntField()),
                ("text_sha256", fields.CharField(max_length=64)),
                ("signed_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "access_pledge",
                "app": "unionhall",
                "unique_together": (("account_id", "version"),),
                "pk_attr": "id",
                "table_description": "A signature under one version of the confidentiality pledge (保密承诺书). Evidence.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="QueueEntry",
            fields=[
                (
                    "case",
                    fields.OneToOneField(
                        "unionhall.ConsultationCase",
                        source_field="case_id",
                        primary_key=True,
                        db_index=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="queue_entry",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "service",
                    fields.CharEnumField(
                        description="COUNSELLING: counselling\nLEGAL_AID: legal_aid",
                        enum_type=Service,
                        max_length=20,
                    ),
                ),
                (
                    "state",
                    fields.CharEnumField(
                        description="REQUESTED: requested\nRUNNING: running\nCLOSED: closed",
                        enum_type=CaseState,
                        max_length=10,
                    ),
                ),
                (
                    "addressed_to",
                    fields.ForeignKeyField(
                        "unionhall.Consultant",
                        source_field="addressed_to_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="waiting",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "topic",
                    fields.CharEnumField(
                        description="WORK_STRESS: work_stress\nRELATIONSHIPS: relationships\nFAMILY: family\nPARENTING: parenting\nLABOUR_CONTRACT: labour_contract\nWAGES: wages\nWORK_INJURY: work_injury\nSOCIAL_INSURANCE: social_insurance\nDISMISSAL: dismissal\nOTHER: other",
                        enum_type=Topic,
                        max_length=20,
                    ),
                ),
                (
                    "urgency",
                    fields.CharEnumField(
                        description="ORDINARY: ordinary\nURGENT: urgent",
                        enum_type=Urgency,
                        max_length=10,
                    ),
                ),
                ("requested_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "taken_by",
                    fields.ForeignKeyField(
                        "unionhall.Consultant",
                        source_field="taken_by_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="taken",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
            ],
            options={
                "table": "consultation_queue_entry",
                "app": "unionhall",
                "pk_attr": "case_id",
                "table_description": "A request as the queue (队列) knows it: nothing in this row tells whose it is.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SampleMarker",
            fields=[
                (
                    "id",
                    AssignedIntField(primary_key=True, unique=True, db_index=True, generated=False),
                ),
                ("members_wanted", fields.IntField()),
                ("members_done", fields.IntField(default=0)),
                ("is_finished", fields.BooleanField(default=False)),
            ],
            options={
                "table": "org_sample_marker",
                "app": "unionhall",
                "pk_attr": "id",
                "table_description": "This federation is a sample (示例数据): one row, made before any of its rows.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Session",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True),
                ),
                (
                    "account",
                    fields.ForeignKeyField(
                        "unionhall.Account",
                        source_field="account_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="sessions",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "kind",
                    fields.CharEnumField(
                        description="BROWSER: browser\nAPP: app",
                        enum_type=SessionKind,
                        max_length=10,
                    ),
                ),
                ("token_hash", DigestField(unique=True, generated=False, null=False)),
                ("token_expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("device_hash", DigestField(null=True, generated=False, unique=False)),
                ("user_agent", fields.CharField(max_length=200)),
                ("opened_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("seen_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "end_reason",
                    fields.CharEnumField(
                        null=True,
                        description="SIGNED_OUT: signed_out\nREPLACED: replaced\nREUSED: reused\nPASSWORD_CHANGED: password_changed\nDISABLED: disabled",
                        enum_type=EndReason,
                        max_length=20,
                    ),
                ),
            ],
            options={
                "table": "access_session",
                "app": "unionhall",
                "indexes": [Index(fields=["account_id", "opened_at"])],
                "pk_attr": "id",
                "table_description": "One sign-in on one device, with the hash of the token in use.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RefreshToken",
            fields=[
                (
                    "token_hash",
                    DigestField(
                        primary_key=True, unique=True, db_index=True, generated=False, null=False
                    ),
                ),
                (
                    "session",
                    fields.ForeignKeyField(
                        "unionhall.Session",
                        source_field="session_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="refresh_tokens",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("generation", fields.IntField()),
                ("used_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "access_refresh_token",
                "app": "unionhall",
                "unique_together": (("session_id", "generation"),),
                "pk_attr": "token_hash",
                "table_description": "One link of a session's chain of refresh tokens; a used one stays, so that reuse shows.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Union",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True),
                ),
                ("seq", fields.BigIntField(unique=True)),
                ("name", fields.CharField(max_length=120)),
                (
                    "level",
                    fields.CharEnumField(
                        description="FEDERATION: federation\nZONE: zone\nLINE: line\nGRASSROOTS: grassroots",
                        enum_type=Level,
                        max_length=16,
                    ),
                ),
                (
                    "kind",
                    fields.CharEnumField(
                        description="SINGLE: single\nJOINT: joint\nASSOCIATION: association\nWORK_COMMITTEE: work_committee\nORGANISER: organiser",
                        enum_type=UnionKind,
                        max_length=16,
                    ),
                ),
                (
                    "territory_parent",
                    fields.ForeignKeyField(
                        "unionhall.Union",
                        source_field="territory_parent_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="territory_children",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "line_parent",
                    fields.ForeignKeyField(
                        "unionhall.Union",
                        source_field="line_parent_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="line_children",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("territory_path", PathField(unique=True)),
                ("line_path", PathField(null=True, unique=True)),
                (
                    "employer",
                    fields.ForeignKeyField(
                        "unionhall.Employer",
                        source_field="employer_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="unions",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "legal_person",
                    fields.CharEnumField(
                        default=LegalPersonStatus.NONE,
                        description="NONE: none\nAPPLIED: applied\nREGISTERED: registered\nCANCELLED: cancelled",
                        enum_type=LegalPersonStatus,
                        max_length=16,
                    ),
                ),
                ("uscc", fields.CharField(null=True, unique=True, max_length=18)),
                ("founded_on", fields.DateField(null=True)),
                ("dissolved_on", fields.DateField(null=True)),
                ("term_from_on", fields.DateField(null=True)),
                ("term_to_on", fields.DateField(null=True)),
                ("reported_members", fields.IntField(null=True)),
            ],
            options={
                "table": "org_union",
                "app": "unionhall",
                "indexes": [
                    Index(fields=["territory_parent_id", "id"]),
                    Index(fields=["line_parent_id", "id"]),
                    Index(fields=["employer_id"]),
                ],
                "pk_attr": "id",
                "table_description": "A node of the matrix (工会). Its paths are kept by ``domain.org.service`` only.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Member",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True),
                ),
                (
                    "union",
                    fields.ForeignKeyField(
                        "unionhall.Union",
                        source_field="union_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="members",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("territory_path", PathField()),
                ("line_path", PathField(null=True)),
                (
                    "state",
                    fields.CharEnumField(
                        description="ACTIVE: active\nRETAINED: retained\nWITHDRAWN: withdrawn\nREMOVED: removed\nDECEASED: deceased",
                        enum_type=MembershipState,
                        max_length=16,
                    ),
                ),
                ("name_mask", fields.CharField(max_length=4)),
                ("name", fields.BinaryField()),
                (
                    "id_type",
                    fields.CharEnumField(
                        description="RESIDENT: resident\nHMT_PERMIT: hmt_permit\nFOREIGN_PERMANENT: foreign_permanent\nPASSPORT: passport",
                        enum_type=IdType,
                        max_length=20,
                    ),
                ),
                ("id_number", fields.BinaryField()),
                ("id_number_index", DigestField(null=True, generated=False, unique=False)),
                ("phone", fields.BinaryField(null=True)),
                ("phone_index", DigestField(null=True, generated=False, unique=False)),
                ("is_migrant", fields.BooleanField(default=False)),
                ("collected_by", fields.UUIDField()),
                ("collected_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "member",
                "app": "unionhall",
                "indexes": [
                    Index(fields=["territory_path", "id"]),
                    Index(fields=["line_path", "id"]),
                    Index(fields=["union_id"]),
                    Index(fields=["phone_index"]),
                ],
                "pk_attr": "id",
                "table_description": "The record of one natural person.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Membership",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True),
                ),
                (
                    "member",
                    fields.ForeignKeyField(
                        "unionhall.Member",
                        source_field="member_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="memberships",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "union",
                    fields.ForeignKeyField(
                        "unionhall.Union",
                        source_field="union_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="memberships",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "state",
                    fields.CharEnumField(
                        description="ACTIVE: active\nRETAINED: retained\nWITHDRAWN: withdrawn\nREMOVED: removed\nDECEASED: deceased",
                        enum_type=MembershipState,
                        max_length=16,
                    ),
                ),
                ("from_on", fields.DateField()),
                ("to_on", fields.DateField(null=True)),
            ],
            options={
                "table": "member_membership",
                "app": "unionhall",
                "indexes": [
                    Index(fields=["member_id", "from_on"]),
                    Index(fields=["union_id", "from_on"]),
                ],
                "pk_attr": "id",
                "table_description": "A membership in one union, from ``from_on`` up to but without ``to_on``.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Notice",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True),
                ),
                (
                    "publisher",
                    fields.ForeignKeyField(
                        "unionhall.Union",
                        source_field="publisher_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="notices",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("publisher_account_id", fields.UUIDField()),
                ("client_key", fields.UUIDField()),
                (
                    "state",
                    fields.CharEnumField(
                        default=NoticeState.PUBLISHED,
                        description="PUBLISHED: published\nWITHDRAWN: withdrawn",
                        enum_type=NoticeState,
                        max_length=9,
                    ),
                ),
                ("current_no", fields.IntField(default=1)),
                ("reply_by", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("wants_confirmation", fields.BooleanField()),
                ("published_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "withdrawn_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                ("withdrawn_by_account_id", fields.UUIDField(null=True)),
                ("withdrawal_reason", fields.CharField(null=True, max_length=500)),
            ],
            options={
                "table": "notice",
                "app": "unionhall",
                "unique_together": (("publisher_account_id", "client_key"),),
                "indexes": [Index(fields=["publisher_id", "id"])],
                "pk_attr": "id",
                "table_description": "One notice. Its words are in its versions.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="NoticeBoard",
            fields=[
                (
                    "notice",
                    fields.OneToOneField(
                        "unionhall.Notice",
                        source_field="notice_id",
                        primary_key=True,
                        db_index=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="board",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("recipients", fields.IntField()),
                ("delivered", fields.IntField(default=0)),
                ("read", fields.IntField(default=0)),
                ("confirmed", fields.IntField(default=0)),
                ("confirmed_late", fields.IntField(default=0)),
                ("flushed_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "notice_board",
                "app": "unionhall",
                "pk_attr": "notice_id",
                "table_description": "The counts as last told to the publisher: unions with at least one receipt of a kind.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="NoticeRecipient",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                (
                    "notice",
                    fields.ForeignKeyField(
                        "unionhall.Notice",
                        source_field="notice_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="recipients",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("union_id", fields.UUIDField()),
                ("zone_id", fields.UUIDField(null=True)),
                ("line_id", fields.UUIDField(null=True)),
            ],
            options={
                "table": "notice_recipient",
                "app": "unionhall",
                "unique_together": (("notice_id", "union_id"), ("union_id", "notice_id")),
                "pk_attr": "id",
                "table_description": "A union that was addressed, with its zone and line of that day: the N of the board.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="NoticeVersion",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True),
                ),
                (
                    "notice",
                    fields.ForeignKeyField(
                        "unionhall.Notice",
                        source_field="notice_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="versions",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("no", fields.IntField()),
                ("title", fields.CharField(max_length=120)),
                (
                    "body",
                    fields.TextField(
                        description="Markdown, at most 20000 characters", unique=False
                    ),
                ),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("by_account_id", fields.UUIDField()),
                ("reason", fields.CharField(null=True, max_length=500)),
            ],
            options={
                "table": "notice_version",
                "app": "unionhall",
                "unique_together": (("notice_id", "no"),),
                "pk_attr": "id",
                "table_description": "The words of a notice from ``at`` until the next version's ``at``.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Seat",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True),
                ),
                (
                    "union",
                    fields.ForeignKeyField(
                        "unionhall.Union",
                        source_field="union_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="seats",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("account_id", fields.UUIDField()),
                (
                    "post",
                    fields.CharEnumField(
                        description="CHAIR: chair\nVICE_CHAIR: vice_chair\nCADRE: cadre\nASSISTANT: assistant\nCOMMITTEE_MEMBER: committee_member",
                        enum_type=Post,
                        max_length=24,
                    ),
                ),
                ("from_on", fields.DateField()),
                ("to_on", fields.DateField(null=True)),
            ],
            options={
                "table": "org_seat",
                "app": "unionhall",
                "indexes": [
                    Index(fields=["union_id", "from_on"]),
                    Index(fields=["account_id", "from_on"]),
                ],
                "pk_attr": "id",
                "table_description": "Somebody holds a post in a union: from ``from_on``, up to but without ``to_on``.",
            },
            bases=["Model"],
        ),
    ]
