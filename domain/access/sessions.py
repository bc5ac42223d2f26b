"""Sign-in, sign-out, passwords: how sessions begin, go on and end.

``sign_in`` and ``change_password`` take ``Works`` and open their own: hashing must not hold a
connection, and the failure that a refusal counts must be committed although the verb raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from domain.access import rules
from domain.access.attempts import (
    Counted,
    attempt_key,
    clear_attempts,
    count_attempt,
    forgive_attempt,
)
from domain.access.clients import Client, SignedIn
from domain.access.facts import SessionOpened
from domain.access.identifiers import ID_NUMBER, Identifier, parse_identifier
from domain.access.models import (
    USER_AGENT_CHARS_MAX,
    AccountKind,
    AccountState,
    EndReason,
    SessionKind,
)
from domain.access.refreshes import add_refresh_token
from domain.access.standing import end_sessions, lock_account
from domain.access.tokens import device_hash, new_token
from domain.audit import service as audit
from domain.kernel.actor import NOBODY, Actor
from domain.kernel.database import Record
from domain.kernel.errors import NotFound
from domain.kernel.ids import new_id
from domain.kernel.work import Work, Works
from domain.vault import service as vault
from domain.vault.passwords import PasswordsBusy, Profile


@dataclass(frozen=True, slots=True)
class _Candidate:
    account: Record | None
    attempt: Counted

    @property
    def is_usable(self) -> bool:
        is_active = self.account is not None and self.account["state"] == AccountState.ACTIVE
        return is_active and not self.attempt.waiting

    @property
    def profile(self) -> Profile:
        is_staff = self.account is not None and self.account["kind"] == AccountKind.STAFF
        return Profile.STAFF if is_staff else Profile.MEMBER


async def sign_in(works: Works, identifier: str, password: str, *, client: Client) -> SignedIn:
    """A new session for whoever knows the password of the phone's or identity number's account.

    Unknown, disabled, waiting and password-less accounts get the same answer after the same work.
    Raises SignInRefused, TooManyAttempts, PasswordsBusy.
    """
    async with works.open(NOBODY) as w:
        candidate = await _find_candidate(w, parse_identifier(identifier), client)
    stored = candidate.account["password_hash"] if candidate.account else None
    is_right = await _verified(works, candidate, stored, password)
    if not is_right or candidate.account is None or stored is None:
        raise rules.SignInRefused(retry_after_s=_seconds(candidate.attempt.waiting))
    rehashed = None
    if vault.needs_rehash(stored, profile=candidate.profile):
        rehashed = await vault.hash_password(password, profile=candidate.profile)
    async with works.open(Actor(candidate.account["id"])) as w:
        account = await lock_account(w, candidate.account["id"])
        is_same = account["password_hash"] == stored
        if is_same and account["state"] == AccountState.ACTIVE:
            await clear_attempts(w, candidate.attempt)
            if rehashed is not None:
                await _store_password(w, account["id"], rehashed)
            opened = await _open_session(w, account, client)
            await audit.record(
                w, "access.signed_in", subject_kind="session", subject_id=opened.session_id
            )
            return opened
    # It changed while the password was being looked at.
    raise rules.SignInRefused(retry_after_s=0)


async def sign_out(w: Work) -> None:
    """The session that asks has ended. Without one nothing happens."""
    if w.actor.session_id is not None:
        await lock_account(w, w.actor.account())
        await end_sessions(w, w.actor.account(), EndReason.SIGNED_OUT, only=[w.actor.session_id])


async def sign_out_everywhere(w: Work) -> int:
    """All sessions of the own account have ended, this one too; how many."""
    account_id = w.actor.account()
    await lock_account(w, account_id)
    return await end_sessions(w, account_id, EndReason.SIGNED_OUT)


async def end_session(w: Work, session_id: UUID) -> None:
    """One of the own sessions has ended. Raises NotFound for others' and ended ones."""
    account_id = w.actor.account()
    await lock_account(w, account_id)
    if not await end_sessions(w, account_id, EndReason.SIGNED_OUT, only=[session_id]):
        raise NotFound


async def change_password(works: Works, actor: Actor, *, current: str, new: str) -> None:
    """The own password is the new one; all other sessions have ended.

    Raises PasswordWrong, PasswordTooShort, PasswordCommon, PasswordTooLong, PasswordsBusy,
    SignInRefused (too many failures; ``retry_after_s``).
    """
    account_id = actor.account()
    rules.ensure_password(new)
    async with works.open(actor) as w:
        account = await lock_account(w, account_id)
        attempt = await count_attempt(w, attempt_key("password", account_id.bytes), "")
    candidate = _Candidate(account, attempt)
    if not await _verified(works, candidate, account["password_hash"], current):
        if attempt.waiting:
            raise rules.SignInRefused(retry_after_s=_seconds(attempt.waiting))
        raise rules.PasswordWrong
    hashed = await vault.hash_password(new, profile=candidate.profile)
    async with works.open(actor) as w:
        now_stored = (await lock_account(w, account_id))["password_hash"]
        if now_stored != account["password_hash"]:
            raise rules.PasswordWrong
        await clear_attempts(w, attempt)
        await _store_password(w, account_id, hashed)
        await end_sessions(w, account_id, EndReason.PASSWORD_CHANGED, but=actor.session_id)
        await audit.record(
            w, "access.password_changed", subject_kind="account", subject_id=account_id
        )


async def _find_candidate(w: Work, identifier: Identifier, client: Client) -> _Candidate:
    column = "id_number_index" if identifier.column == ID_NUMBER else "phone_index"
    device = device_hash(client.device)
    rows = await w.fetch(
        "SELECT a.id, a.kind, a.state, a.password_hash, EXISTS (SELECT 1 FROM access_session s"
        " WHERE s.account_id = a.id AND s.device_hash = $2) AS is_known_device"
        f" FROM access_account a WHERE a.{column} = $1",
        vault.blind_index(identifier.column, identifier.canonical),
        device,
    )
    account = rows[0] if rows else None
    key = attempt_key("identifier", identifier.canonical.encode())
    if account is not None and device is not None and account["is_known_device"]:
        # Strangers who guess make the owner's own devices wait for nothing.
        key = attempt_key("device", account["id"].bytes, device)
    return _Candidate(account, await count_attempt(w, key, client.network))


async def _verified(works: Works, candidate: _Candidate, stored: str | None, password: str) -> bool:
    usable = stored if candidate.is_usable else None
    try:
        return await vault.verify_password(usable, password, profile=candidate.profile)
    except PasswordsBusy:
        if not candidate.attempt.waiting:
            async with works.open(NOBODY) as w:
                await forgive_attempt(w, candidate.attempt)
        raise


async def _open_session(w: Work, account: Record, client: Client) -> SignedIn:
    live = await w.fetch(
        "SELECT id FROM access_session WHERE account_id = $1 AND ended_at IS NULL"
        " ORDER BY opened_at DESC, id DESC OFFSET $2",
        account["id"],
        rules.SESSIONS_MAX - 1,
    )
    if live:
        oldest = [row["id"] for row in live]
        await end_sessions(w, account["id"], EndReason.REPLACED, only=oldest)
    token_ends, ends = rules.session_ends(AccountKind(account["kind"]), client.kind, w.now)
    refresh = new_token() if client.kind is SessionKind.APP else None
    opened = SignedIn(account["id"], new_id(), new_token(), token_ends, refresh, ends)
    await w.execute(
        "INSERT INTO access_session (id, account_id, kind, token_hash, token_expires_at,"
        " device_hash, user_agent, opened_at, seen_at, expires_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)",
        opened.session_id,
        account["id"],
        client.kind,
        opened.token.hash,
        token_ends,
        device_hash(client.device),
        _printable(client.user_agent),
        w.now,
        ends,
    )
    if refresh is not None:
        await add_refresh_token(w, refresh, opened.session_id, generation=1)
    w.record(SessionOpened(account["id"], opened.session_id))
    return opened


async def _store_password(w: Work, account_id: UUID, hashed: str) -> None:
    await w.execute(
        "UPDATE access_account SET password_hash = $2 WHERE id = $1", account_id, hashed
    )


def _printable(user_agent: str) -> str:
    return "".join(c for c in user_agent if c.isprintable())[:USER_AGENT_CHARS_MAX]


def _seconds(waiting: timedelta) -> float:
    return waiting.total_seconds()
