"""Refresh tokens: exchanged once each; a second use ends the session (reuse detection).

The exchange is an atomic compare-and-set under the account's lock: two at once never make two
chains. Opens its own Work, because the end of a session must be committed though the verb raises.
"""

from __future__ import annotations

import logging
from uuid import UUID

from domain.access import rules
from domain.access.clients import Client, SignedIn
from domain.access.facts import TokenReplaced
from domain.access.models import AccountState, EndReason
from domain.access.standing import end_sessions, lock_account
from domain.access.tokens import Token, device_hash, parse_token, successors
from domain.kernel.actor import NOBODY
from domain.kernel.database import Record
from domain.kernel.work import Work, Works

_log = logging.getLogger("unionhall.access")


async def refresh_session(works: Works, refresh_token: str, *, client: Client) -> SignedIn:
    """The refresh token is exchanged for new tokens, once. A second use ends the session, unless
    the same device asks again within ten seconds: it gets the same tokens. Raises SessionOver.
    """
    token = parse_token(refresh_token)
    if token is None:
        raise rules.SessionOver
    async with works.open(NOBODY) as w:
        signed_in = await _refresh(w, token, client)
    if signed_in is None:
        raise rules.SessionOver
    return signed_in


async def add_refresh_token(w: Work, token: Token, session_id: UUID, *, generation: int) -> None:
    """The session's chain has one link more; links far behind are forgotten."""
    await w.execute(
        "INSERT INTO access_refresh_token (token_hash, session_id, generation) VALUES ($1, $2, $3)",
        token.hash,
        session_id,
        generation,
    )
    await w.execute(
        "DELETE FROM access_refresh_token WHERE session_id = $1 AND generation < $2",
        session_id,
        generation - rules.REFRESH_TOKENS_KEPT_MAX,
    )


async def _refresh(w: Work, token: Token, client: Client) -> SignedIn | None:
    session = await _locked_session(w, token)
    if session is None:
        return None
    claimed = await w.fetch(
        "UPDATE access_refresh_token SET used_at = $2"
        " WHERE token_hash = $1 AND used_at IS NULL RETURNING generation",
        token.hash,
        w.now,
    )
    access, refresh = successors(token, session["id"])
    if claimed:
        ends = min(w.now + rules.ACCESS_LIFE, session["expires_at"])
        generation = claimed[0]["generation"] + 1
        await add_refresh_token(w, refresh, session["id"], generation=generation)
        await w.execute(
            "UPDATE access_session SET token_hash = $2, token_expires_at = $3, seen_at = $4"
            " WHERE id = $1",
            session["id"],
            access.hash,
            ends,
            w.now,
        )
        w.record(TokenReplaced(session["account_id"], session["id"]))
    elif await _is_retry(w, token, refresh, session, client):
        ends = session["token_expires_at"]
    else:
        _log.warning("refresh token reused: session %s", session["id"])
        await end_sessions(w, session["account_id"], EndReason.REUSED, only=[session["id"]])
        return None
    return SignedIn(
        session["account_id"], session["id"], access, ends, refresh, session["expires_at"]
    )


async def _locked_session(w: Work, token: Token) -> Record | None:
    """The session of a known refresh token, if it is in force; its account is locked."""
    rows = await w.fetch(
        "SELECT s.account_id FROM access_refresh_token r JOIN access_session s"
        " ON s.id = r.session_id WHERE r.token_hash = $1",
        token.hash,
    )
    if not rows or (await lock_account(w, rows[0]["account_id"]))["state"] != AccountState.ACTIVE:
        return None
    found = await w.fetch(
        "SELECT s.id, s.account_id, s.device_hash, s.token_expires_at, s.expires_at"
        " FROM access_refresh_token r JOIN access_session s ON s.id = r.session_id"
        " WHERE r.token_hash = $1 AND s.ended_at IS NULL AND s.expires_at > $2",
        token.hash,
        w.now,
    )
    return found[0] if found else None


async def _is_retry(
    w: Work, token: Token, successor: Token, session: Record, client: Client
) -> bool:
    """Whether the lost answer is asked for again, and its refresh token was not used since."""
    rows = await w.fetch(
        "SELECT used_at FROM access_refresh_token WHERE token_hash = ANY($1::bytea[])"
        " ORDER BY generation",
        [token.hash, successor.hash],
    )
    if len(rows) != 2 or rows[1]["used_at"] is not None:
        return False
    device = device_hash(client.device)
    is_same = device is not None and device == session["device_hash"]
    return rules.is_retry(rows[0]["used_at"], w.now, is_same_device=is_same)
