"""Tables of access. They hold digests and ids, nothing personal in clear: see ``access.sql``."""

from __future__ import annotations

from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from domain.kernel.actor import Hierarchy
from domain.kernel.fields import DigestField
from domain.kernel.ids import new_id

USER_AGENT_CHARS_MAX = 200
"""What a client says of itself, shown to its owner as a device."""


class AccountKind(StrEnum):
    """Whose account it is. It decides the cost of its password and how long it may stay idle."""

    MEMBER = "member"
    STAFF = "staff"
    """Cadres, counsellors, lawyers, collectors; they may be members too."""


class AccountState(StrEnum):
    """Whether anybody may act by it."""

    ACTIVE = "active"
    DISABLED = "disabled"


class SessionKind(StrEnum):
    """How a client holds its session."""

    BROWSER = "browser"
    """A cookie."""
    APP = "app"
    """A short-lived bearer token and a refresh token."""


class EndReason(StrEnum):
    """Why a session ended."""

    SIGNED_OUT = "signed_out"
    REPLACED = "replaced"
    """An account has a bounded number of sessions; the oldest gave way."""
    REUSED = "reused"
    """A refresh token came a second time: it, or its successor, is in strange hands."""
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  # a reason, no password
    DISABLED = "disabled"


class Account(Model):
    """A way to sign in. Identifiers are blind indexes; the plain ones are nowhere."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    kind = fields.CharEnumField(AccountKind, max_length=10)
    state = fields.CharEnumField(AccountState, max_length=10, default=AccountState.ACTIVE)
    member_id = fields.UUIDField(null=True, unique=True)
    consultant_id = fields.UUIDField(null=True, unique=True)
    """The own window (窗口), set by consultations."""
    phone_index = DigestField(null=True, unique=True)
    id_number_index = DigestField(null=True, unique=True)
    password_hash = fields.CharField(max_length=200, null=True)
    """NULL: no password was ever set, and none fits."""
    authority_version = fields.IntField(default=0)
    created_at = fields.DatetimeField()

    class Meta:
        table = "access_account"


class Session(Model):
    """One sign-in on one device, with the hash of the token in use."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "unionhall.Account", related_name="sessions", on_delete=fields.CASCADE
    )
    kind = fields.CharEnumField(SessionKind, max_length=10)
    token_hash = DigestField(unique=True)
    token_expires_at = fields.DatetimeField()
    device_hash = DigestField(null=True)
    user_agent = fields.CharField(max_length=USER_AGENT_CHARS_MAX)
    opened_at = fields.DatetimeField()
    seen_at = fields.DatetimeField()
    """To the minute: not every request writes."""
    expires_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)
    end_reason = fields.CharEnumField(EndReason, max_length=20, null=True)

    class Meta:
        table = "access_session"
        indexes = (("account_id", "opened_at"),)


class RefreshToken(Model):
    """One link of a session's chain of refresh tokens; a used one stays, so that reuse shows."""

    token_hash = DigestField(primary_key=True, generated=False)
    session: fields.ForeignKeyRelation[Session] = fields.ForeignKeyField(
        "unionhall.Session", related_name="refresh_tokens", on_delete=fields.CASCADE
    )
    generation = fields.IntField()
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "access_refresh_token"
        unique_together = (("session_id", "generation"),)


class Attempt(Model):
    """Failed sign-ins of one identifier, device or network. The key is a keyed digest."""

    key = DigestField(primary_key=True, generated=False)
    failure_count = fields.IntField()
    last_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "access_attempt"


class Grant(Model):
    """A role at a union, in one hierarchy, for a time."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "unionhall.Account", related_name="grants", on_delete=fields.CASCADE
    )
    role = fields.CharField(max_length=40)
    union_id = fields.UUIDField(db_index=True)
    hierarchy = fields.CharEnumField(Hierarchy, max_length=10)
    valid_from = fields.DatetimeField()
    valid_to = fields.DatetimeField(null=True)
    granted_by = fields.UUIDField(null=True)
    revoked_at = fields.DatetimeField(null=True)
    revoked_by = fields.UUIDField(null=True)

    class Meta:
        table = "access_grant"
        indexes = (("account_id",),)


class Pledge(Model):
    """A signature under one version of the confidentiality pledge (保密承诺书). Evidence."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "unionhall.Account", related_name="pledges", on_delete=fields.RESTRICT
    )
    version = fields.IntField()
    text_sha256 = fields.CharField(max_length=64)
    signed_at = fields.DatetimeField()

    class Meta:
        table = "access_pledge"
        unique_together = (("account_id", "version"),)
