"""The doors of access: everything that other rooms may call, by name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from domain.access.accounts import (
    AccountExists,
    BadIdentifier,
    NewAccount,
    assign_window,
    create_accounts,
    disable_account,
    enable_account,
)
from domain.access.actors import (
    Admitted,
    actor_of_session,
    actor_of_token,
    admit_session,
    admit_token,
)
from domain.access.attempts import purge_attempts
from domain.access.clients import Client, SignedIn
from domain.access.grants import (
    NewGrant,
    end_grants,
    grant_role,
    has_signed_pledge,
    import_grants,
    list_grants,
    revoke_grant,
    sign_pledge,
    tell_grants_moved,
)
from domain.access.identifiers import canonical_id_number, canonical_phone
from domain.access.models import AccountKind, EndReason, SessionKind
from domain.access.refreshes import refresh_session
from domain.access.roles import ROLES, Role
from domain.access.rules import SESSIONS_MAX
from domain.access.sessions import (
    change_password,
    end_session,
    sign_in,
    sign_out,
    sign_out_everywhere,
)
from domain.access.tokens import Token
from domain.kernel.actor import Actor
from domain.kernel.database import Record, fetch
from domain.kernel.errors import Unauthenticated
from domain.kernel.work import Work

__all__ = [
    "ROLES",
    "AccountExists",
    "AccountKind",
    "Admitted",
    "BadIdentifier",
    "Client",
    "EndReason",
    "NewAccount",
    "NewGrant",
    "Role",
    "SessionKind",
    "SignedIn",
    "Token",
    "actor_of_session",
    "actor_of_token",
    "admit_session",
    "admit_token",
    "assign_window",
    "canonical_id_number",
    "canonical_phone",
    "change_password",
    "create_accounts",
    "disable_account",
    "enable_account",
    "end_grants",
    "end_session",
    "get_account",
    "grant_role",
    "has_signed_pledge",
    "import_grants",
    "list_grants",
    "list_sessions",
    "purge_expired",
    "refresh_session",
    "revoke_grant",
    "sign_in",
    "sign_out",
    "sign_out_everywhere",
    "sign_pledge",
    "tell_grants_moved",
]


async def get_account(actor: Actor) -> Record:
    """The own account: id, kind, created_at. Raises Unauthenticated."""
    rows = await fetch(
        "SELECT id, kind, created_at FROM access_account WHERE id = $1", actor.account()
    )
    if not rows:
        raise Unauthenticated
    return rows[0]


async def list_sessions(actor: Actor, now: datetime) -> Sequence[Record]:
    """The own live sessions (设备列表), newest first."""
    return await fetch(
        "SELECT id, kind, user_agent, opened_at, seen_at, expires_at, id = $2 AS is_current"
        " FROM access_session WHERE account_id = $1 AND ended_at IS NULL AND expires_at > $4"
        " ORDER BY opened_at DESC, id DESC LIMIT $3",
        actor.account(),
        actor.session_id,
        SESSIONS_MAX,
        now,
    )


async def purge_expired(w: Work) -> int:
    """Sessions ended ninety days ago, their tokens and stale counts are gone. How many rows.

    Ninety days: long enough that a device's owner is still known to it.
    """
    assert w.actor.is_system
    sessions = await w.execute(
        "DELETE FROM access_session WHERE expires_at < $1::timestamptz - interval '90 days'", w.now
    )
    return sessions + await purge_attempts(w)
