"""What asks for a session, and what it is given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.access.models import SessionKind
from domain.access.tokens import Token


@dataclass(frozen=True, slots=True)
class Client:
    """What asks: how it holds its session, and what tells it apart."""

    kind: SessionKind
    network: str = ""
    """A keyed digest of the network address; "" counts nothing."""
    user_agent: str = ""
    device: str | None = None
    """A secret that the device made for itself: its own count of failures, and the grace of a
    retried refresh. None: neither."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session and its tokens, shown once: the database has their hashes only."""

    account_id: UUID
    session_id: UUID
    token: Token
    token_expires_at: datetime
    refresh_token: Token | None
    expires_at: datetime
