"""The account's row as the lock under which its sessions change, and the end of sessions.

Everything that writes an account's sessions or tokens locks the account first: one order, no
deadlock, and "all its sessions" means all.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from domain.access.facts import SessionEnded
from domain.access.models import EndReason
from domain.kernel.database import Record
from domain.kernel.errors import NotFound
from domain.kernel.work import Work


async def lock_account(w: Work, account_id: UUID) -> Record:
    """The account, nobody else's to change until this work ends. Raises NotFound."""
    rows = await w.fetch(
        "SELECT id, kind, state, password_hash FROM access_account WHERE id = $1 FOR NO KEY UPDATE",
        account_id,
    )
    if not rows:
        raise NotFound
    return rows[0]


async def bump(w: Work, account_id: UUID) -> None:
    """The account's authority has changed: its version says so."""
    await w.execute(
        "UPDATE access_account SET authority_version = authority_version + 1 WHERE id = $1",
        account_id,
    )


async def end_sessions(
    w: Work,
    account_id: UUID,
    reason: EndReason,
    *,
    only: Sequence[UUID] | None = None,
    but: UUID | None = None,
) -> int:
    """These live sessions (all, if not told) have ended; their tokens are gone. How many ended.

    The caller has locked the account.
    """
    rows = await w.fetch(
        "UPDATE access_session SET ended_at = $2, end_reason = $3"
        " WHERE account_id = $1 AND ended_at IS NULL"
        " AND ($4::uuid[] IS NULL OR id = ANY($4)) AND ($5::uuid IS NULL OR id <> $5)"
        " RETURNING id",
        account_id,
        w.now,
        reason,
        list(only) if only is not None else None,
        but,
    )
    if not rows:
        return 0
    ended = [row["id"] for row in rows]
    await w.execute("DELETE FROM access_refresh_token WHERE session_id = ANY($1::uuid[])", ended)
    await bump(w, account_id)
    for session_id in ended:
        w.record(SessionEnded(account_id, session_id, reason))
    return len(ended)
