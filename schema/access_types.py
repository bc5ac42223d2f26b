"""What access shows and takes (登录与授权): objects, inputs, payloads."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from domain.access.models import AccountKind, SessionKind
from domain.access.roles import Role
from domain.kernel.actor import Hierarchy
from domain.kernel.capabilities import Capability
from schema import access_words  # noqa: F401  # makes the enums GraphQL's
from schema.declare import column, computed, given, payload, row_type, to_one
from schema.nodes import global_id
from schema.org import Union


def id_of_session(raw: UUID) -> strawberry.ID:
    """The global id of a session."""
    return global_id("Session", raw)


def id_of_grant(raw: UUID) -> strawberry.ID:
    """The global id of a grant."""
    return global_id("Grant", raw)


@row_type(needs=Capability.SELF, description="A role held now (在任角色).")
class HeldRole:
    """One reach of the actor."""

    role: Role = column("role", "The role (角色).")
    hierarchy: Hierarchy = column("hierarchy", "Along which hierarchy it reaches down (层级).")
    union: Union | None = to_one(
        "union_id", lambda: Union, "The union (工会) at and below which it is held."
    )
    capabilities: list[Capability] = column("capabilities", "What it allows now (权限).")


@payload(needs=Capability.SELF, description="Who is signed in, and what that allows (我).")
class Viewer:
    """The actor, as its owner may see it."""

    account_id: strawberry.ID = given("The own account (账号).")
    kind: AccountKind = given("Whose account it is (账号类别).")
    session_id: strawberry.ID | None = given("The session that asks.")
    member_id: strawberry.ID | None = given("The own member record (会员); null for none.")
    consultant_id: strawberry.ID | None = given("The own window (窗口); null for none.")
    offices: list[Union] = given("Unions (工会) in which a seat (职务) is held today.")
    roles: list[HeldRole] = given("The roles held now (角色).")
    capabilities: list[Capability] = given("What is allowed anywhere at all (权限).")
    has_signed_pledge: bool = given("Whether the current pledge (保密承诺书) is signed.")


@row_type(needs=Capability.SELF, description="A session of one's own (登录设备).")
class Session:
    """A row of the own device list."""

    id: strawberry.ID = computed(("id",), id_of_session, "Opaque id, for `endSession`.")
    kind: SessionKind = column("kind", "How it is held (方式).", as_=SessionKind)
    user_agent: str = column("user_agent", "What the device said of itself (设备).")
    opened_at: datetime = column("opened_at", "When it was signed in (登录时间).")
    seen_at: datetime = column("seen_at", "When it was last used, to the minute (最近使用).")
    expires_at: datetime = column("expires_at", "When it ends at the latest (到期).")
    is_current: bool = column("is_current", "Whether it is the one that asks (本机).")


@row_type(needs=Capability.SELF, description="A role granted (授权): now, or from a day to come.")
class Grant:
    """A row of an account's grants."""

    id: strawberry.ID = computed(("id",), id_of_grant, "Opaque id, for `revokeGrant`.")
    role: Role = column("role", "The role (角色).", as_=Role)
    hierarchy: Hierarchy = column("hierarchy", "Along which hierarchy.", as_=Hierarchy)
    union: Union | None = to_one("union_id", lambda: Union, "At which union (工会) and below.")
    valid_from: datetime = column("valid_from", "From when it is held (起).")
    valid_to: datetime | None = column("valid_to", "The first instant without it (止).")


@payload(needs=Capability.SELF, description="The confidentiality pledge (保密承诺书).")
class Pledge:
    """The current version."""

    version: int = given("Which version this is (版本).")
    text: str = given("What is signed (全文).")
    text_sha256: str = given("SHA-256 of the text in UTF-8: what the signature stands under.")
    is_signed: bool = given("Whether the asker has signed this version (已签).")


@strawberry.input(description="Who wants in, and how (登录).")
class SignInInput:
    """A sign-in."""

    identifier: str = strawberry.field(description="Phone or identity number (手机号或身份证号).")
    password: str = strawberry.field(description="The password (密码).")
    held_as: SessionKind = strawberry.field(
        description="BROWSER: the session comes as a cookie. APP: as two tokens.",
        default=SessionKind.BROWSER,
    )
    device: str | None = strawberry.field(
        description="A secret that the device made for itself and keeps, at most 100 characters: a"
        " refresh repeated after a lost answer is then no theft.",
        default=None,
    )


@strawberry.input(description="A refresh token to exchange (续期).")
class RefreshSessionInput:
    """A refresh."""

    refresh_token: str = strawberry.field(description="The newest refresh token; good once.")
    device: str | None = strawberry.field(
        description="The secret that was given at sign-in.", default=None
    )


@strawberry.input(description="Which session to end (结束会话).")
class EndSessionInput:
    """The end of a session."""

    session_id: strawberry.ID = strawberry.field(description="One of `sessions`.")


@strawberry.input(description="The old and the new password (修改密码).")
class ChangePasswordInput:
    """A change of password."""

    current: str = strawberry.field(description="The present password.")
    new: str = strawberry.field(description="Eight characters or more; any kind.")


@strawberry.input(description="Which text is signed (签署承诺书).")
class SignPledgeInput:
    """A signature."""

    version: int = strawberry.field(description="The version that was shown.")


@strawberry.input(description="A role to grant (授权).")
class GrantRoleInput:
    """A grant to give."""

    account_id: strawberry.ID = strawberry.field(description="Who gets it.")
    role: Role = strawberry.field(description="The role (角色).")
    union_id: strawberry.ID = strawberry.field(description="At which union (工会) and below.")
    hierarchy: Hierarchy = strawberry.field(
        description="Along which hierarchy.", default=Hierarchy.TERRITORY
    )
    valid_from: datetime | None = strawberry.field(
        description="From when; null: from now.", default=None
    )
    valid_to: datetime | None = strawberry.field(
        description="The first instant without it; null: until revoked.", default=None
    )


@strawberry.input(description="Which grant to take back (撤销授权).")
class RevokeGrantInput:
    """A grant to take back."""

    grant_id: strawberry.ID = strawberry.field(description="One of `grants`.")


@payload(needs=Capability.PUBLIC, description="A session (会话). Tokens are shown this once.")
class SessionPayload:
    """What a sign-in or a refresh answers."""

    session_id: strawberry.ID = given("The session.")
    access_token: str | None = given("For `Authorization: Bearer`; null where a cookie was set.")
    access_token_expires_at: datetime = given("When the access token or the cookie ends.")
    refresh_token: str | None = given("For `refreshSession`, once; null where a cookie was set.")
    expires_at: datetime = given("When the session ends at the latest.")


@payload(needs=Capability.PUBLIC, description="What came of ending sessions (退出).")
class SignOutPayload:
    """How many ended."""

    ended_count: int = given("How many sessions ended.")


@payload(needs=Capability.SELF, description="The sessions that are left (登录设备).")
class SessionsPayload:
    """The device list afterwards."""

    sessions: list[Session] = given("The own live sessions, newest first.")


@payload(needs=Capability.SELF, description="The pledge, signed (已签承诺书).")
class SignPledgePayload:
    """The pledge afterwards."""

    pledge: Pledge = given("The pledge as it stands now.")


@payload(needs=Capability.SELF, description="The grant (授权) that was given or taken back.")
class GrantPayload:
    """The grant's id."""

    grant_id: strawberry.ID = given("The grant.")
