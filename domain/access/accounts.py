"""Accounts made, in bulk or singly; disabled and enabled again; given a consultant's window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar
from uuid import UUID

from domain.access.facts import AuthorityChanged, Change
from domain.access.identifiers import ID_NUMBER, PHONE, canonical_id_number, canonical_phone
from domain.access.models import AccountKind, AccountState, EndReason
from domain.access.roles import Role
from domain.access.rules import ensure_may_grant, may_grant_anywhere
from domain.access.standing import bump, end_sessions, lock_account
from domain.audit import service as audit
from domain.kernel.actor import Hierarchy, Place
from domain.kernel.capabilities import Capability
from domain.kernel.errors import Conflict, Invalid, NotFound
from domain.kernel.ids import new_id
from domain.kernel.work import Work
from domain.vault import service as vault

ACCOUNTS_MAX = 10_000
"""Of one call: one statement of some megabytes, a second or two of locks."""


class BadIdentifier(Invalid):
    """A phone or identity number that is none; ``row`` counts from 0."""

    code: ClassVar[str] = "access.bad_identifier"


class AccountExists(Conflict):
    """Somebody has an account with this phone, identity number or member record."""

    code: ClassVar[str] = "access.account_exists"


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to make. Its repr shows no identifier."""

    kind: AccountKind
    id: UUID = field(default_factory=new_id)
    phone: str | None = field(default=None, repr=False)
    id_number: str | None = field(default=None, repr=False)
    password_hash: str | None = field(default=None, repr=False)
    """From ``vault.hash_password``; many sample accounts may share one."""
    member_id: UUID | None = None
    consultant_id: UUID | None = None


async def create_accounts(w: Work, accounts: Sequence[NewAccount]) -> list[UUID]:
    """The accounts exist: all of them, or none. For the program itself, collectors and granters.

    Raises BadIdentifier, AccountExists, Forbidden.
    """
    if not w.actor.is_system and not w.actor.has(Capability.MEMBER_COLLECT):
        w.actor.ensure_has(Capability.GRANT_WRITE)
    assert len(accounts) <= ACCOUNTS_MAX, "split it"
    rows = [_row(number, account) for number, account in enumerate(accounts)]
    columns = zip(*rows, strict=True) if rows else [[]] * 7
    count = await w.execute(
        "INSERT INTO access_account (id, kind, state, member_id, consultant_id, phone_index,"
        " id_number_index, password_hash, authority_version, created_at)"
        " SELECT id, kind, 'active', member_id, consultant_id, phone, id_number, password, 0, $8"
        " FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::bytea[], $6::bytea[],"
        " $7::text[]) AS a(id, kind, member_id, consultant_id, phone, id_number, password)"
        " ON CONFLICT DO NOTHING",
        *[list(column) for column in columns],
        w.now,
    )
    if count != len(rows):
        raise AccountExists
    only = accounts[0].id if len(accounts) == 1 else None
    await audit.record(w, "access.accounts_created", subject_kind="account", subject_id=only)
    return [account.id for account in accounts]


async def disable_account(w: Work, account_id: UUID) -> None:
    """Nobody can act by the account; its sessions end now. Repeating it changes nothing.

    Needs the right to grant all that the account holds; one without grants, the federation's.
    Raises NotFound.
    """
    await _ensure_over(w, account_id)
    if await _set_state(w, account_id, AccountState.DISABLED):
        await audit.record(w, "access.disabled", subject_kind="account", subject_id=account_id)
        w.record(AuthorityChanged(account_id, Change.DISABLED))
        await end_sessions(w, account_id, EndReason.DISABLED)


async def enable_account(w: Work, account_id: UUID) -> None:
    """The account can be signed in to again; its old sessions stay ended. As disable_account."""
    await _ensure_over(w, account_id)
    if await _set_state(w, account_id, AccountState.ACTIVE):
        await audit.record(w, "access.enabled", subject_kind="account", subject_id=account_id)
        w.record(AuthorityChanged(account_id, Change.ENABLED))


async def assign_window(w: Work, account_id: UUID, consultant_id: UUID | None) -> None:
    """The account works this consultant's window (窗口), or none. Called by consultations, which
    has authorised it. Raises NotFound, AccountExists (the window has somebody).
    """
    await lock_account(w, account_id)
    count = await w.execute(
        "UPDATE access_account SET consultant_id = $2 WHERE id = $1 AND NOT EXISTS"
        " (SELECT 1 FROM access_account o WHERE o.consultant_id = $2 AND o.id <> $1)",
        account_id,
        consultant_id,
    )
    if count == 0:
        raise AccountExists
    await bump(w, account_id)
    w.record(AuthorityChanged(account_id, Change.WINDOW_ASSIGNED))


def _row(number: int, new: NewAccount) -> tuple[object, ...]:
    phone = canonical_phone(new.phone) if new.phone is not None else None
    id_number = canonical_id_number(new.id_number) if new.id_number is not None else None
    if (new.phone is not None and phone is None) or (new.id_number and id_number is None):
        raise BadIdentifier("phone" if phone is None and new.phone else "idNumber", row=number)
    return (
        new.id,
        new.kind.value,
        new.member_id,
        new.consultant_id,
        vault.blind_index(PHONE, phone) if phone else None,
        vault.blind_index(ID_NUMBER, id_number) if id_number else None,
        new.password_hash,
    )


async def _ensure_over(w: Work, account_id: UUID) -> None:
    if w.actor.is_system:
        return
    rows = await w.fetch(
        "SELECT g.role, g.hierarchy, u.territory_path, u.line_path FROM access_grant g"
        " JOIN org_union u ON u.id = g.union_id WHERE g.account_id = $1 AND g.revoked_at IS NULL"
        " AND (g.valid_to IS NULL OR g.valid_to > $2)",
        account_id,
        w.now,
    )
    if not rows and not may_grant_anywhere(w.actor):
        raise NotFound
    for row in rows:
        place = Place(row["territory_path"], row["line_path"])
        ensure_may_grant(w.actor, Role(row["role"]), Hierarchy(row["hierarchy"]), place)


async def _set_state(w: Work, account_id: UUID, state: AccountState) -> bool:
    await lock_account(w, account_id)
    count = await w.execute(
        "UPDATE access_account SET state = $2, authority_version = authority_version + 1"
        " WHERE id = $1 AND state <> $2",
        account_id,
        state,
    )
    return count == 1
