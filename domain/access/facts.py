"""What happens to an account, in its own stream ``me:<account>``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from domain.access.models import EndReason
from domain.kernel.streams import Fact, Json, account_stream


class Change(StrEnum):
    """What has changed about an account's authority."""

    GRANTED = "granted"
    REVOKED = "revoked"
    PLEDGE_SIGNED = "pledge_signed"
    WINDOW_ASSIGNED = "window_assigned"
    DISABLED = "disabled"
    ENABLED = "enabled"


@dataclass(frozen=True, slots=True)
class SessionOpened(Fact):
    """Somebody signed in; the owner's other devices may show it."""

    kind: ClassVar[str] = "access.session_opened"
    account_id: UUID
    session_id: UUID

    def streams(self) -> tuple[str, ...]:
        return (account_stream(self.account_id),)


@dataclass(frozen=True, slots=True)
class SessionEnded(Fact):
    """A session ended: its sockets close."""

    kind: ClassVar[str] = "access.session_ended"
    is_authority: ClassVar[bool] = True
    account_id: UUID
    session_id: UUID
    reason: EndReason

    def streams(self) -> tuple[str, ...]:
        return (account_stream(self.account_id),)


@dataclass(frozen=True, slots=True)
class TokenReplaced(Fact):
    """A session has a new access token: what was kept of the old one holds no longer."""

    kind: ClassVar[str] = "access.token_replaced"
    is_authority: ClassVar[bool] = True
    account_id: UUID
    session_id: UUID

    def streams(self) -> tuple[str, ...]:
        return (account_stream(self.account_id),)


@dataclass(frozen=True, slots=True)
class AuthorityChanged(Fact):
    """What the account may do has changed: everything open is authorised anew."""

    kind: ClassVar[str] = "access.authority_changed"
    is_authority: ClassVar[bool] = True
    account_id: UUID
    change: Change
    grant_id: UUID | None = None
    union_id: UUID | None = None
    role: str | None = None

    def streams(self) -> tuple[str, ...]:
        return (account_stream(self.account_id),)


@dataclass(frozen=True, slots=True)
class GrantsMoved(Fact):
    """A union moved into or out of the reach of these accounts' grants.

    One fact however many accounts; they name streams only and stay out of the body.
    """

    kind: ClassVar[str] = "access.grants_moved"
    is_authority: ClassVar[bool] = True
    union_id: UUID
    account_ids: tuple[UUID, ...]

    def streams(self) -> tuple[str, ...]:
        return tuple(map(account_stream, self.account_ids))

    def body(self) -> dict[str, Json]:
        return {"union_id": str(self.union_id)}
