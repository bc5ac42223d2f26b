"""Grants (授权) given and taken back; the pledge signed; both read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from domain.access import pledges
from domain.access.facts import AuthorityChanged, Change, GrantsMoved
from domain.access.roles import Role
from domain.access.rules import (
    NoSuchLine,
    OwnGrant,
    PledgeOutdated,
    TooManyHolders,
    ensure_grant_times,
    ensure_may_grant,
)
from domain.access.standing import bump, lock_account
from domain.audit import service as audit
from domain.kernel.actor import Actor, Hierarchy, Place
from domain.kernel.capabilities import Capability
from domain.kernel.database import Record, fetch
from domain.kernel.errors import NotFound
from domain.kernel.ids import new_id
from domain.kernel.work import Work

GRANTS_MAX = 10_000
"""Of one bulk call."""
MOVED_HOLDERS_MAX = 20_000
"""Accounts told of one move: the federation's cadres several times over; a second of one commit."""
GRANT_ROWS_MAX = 200
"""Grants shown of one account; a person holds a handful."""


@dataclass(frozen=True, slots=True)
class NewGrant:
    """A role to grant to an account at a union."""

    account_id: UUID
    role: Role
    union_id: UUID
    hierarchy: Hierarchy = Hierarchy.TERRITORY
    valid_from: datetime | None = None
    """None: from now."""
    valid_to: datetime | None = None
    """The first instant at which it is no longer held; None: until revoked."""
    id: UUID = field(default_factory=new_id)


async def grant_role(w: Work, new: NewGrant) -> UUID:
    """The account holds the role there, for the time given; its open sockets learn of it.

    Granting what is held already changes nothing. The grant's id. Raises NotFound, RoleNotYours,
    OwnGrant, GrantTimes, NoSuchLine.
    """
    valid_from = new.valid_from or w.now
    ensure_grant_times(valid_from, new.valid_to, w.now)
    place = await _place(w, new.union_id)
    if new.account_id == w.actor.account_id:
        raise OwnGrant
    if not w.actor.is_system:
        ensure_may_grant(w.actor, new.role, new.hierarchy, place)
    if new.hierarchy is Hierarchy.LINE and place.line_path is None:
        raise NoSuchLine("hierarchy")
    await lock_account(w, new.account_id)
    held = await w.fetch(
        "SELECT id FROM access_grant WHERE account_id = $1 AND role = $2 AND union_id = $3"
        " AND hierarchy = $4 AND revoked_at IS NULL AND valid_from <= $5"
        " AND valid_to IS NOT DISTINCT FROM $6::timestamptz",
        new.account_id,
        new.role,
        new.union_id,
        new.hierarchy,
        valid_from,
        new.valid_to,
    )
    if held:
        return UUID(str(held[0]["id"]))
    await _insert(w, [new])
    await bump(w, new.account_id)
    await audit.record(w, "access.granted", subject_kind="grant", subject_id=new.id)
    w.record(AuthorityChanged(new.account_id, Change.GRANTED, new.id, new.union_id, new.role.value))
    return new.id


async def revoke_grant(w: Work, grant_id: UUID) -> None:
    """The grant allows nothing from this commit on, also on open sockets. Raises NotFound."""
    rows = await w.fetch(
        "SELECT g.account_id, g.role, g.hierarchy, g.union_id, u.territory_path, u.line_path"
        " FROM access_grant g JOIN org_union u ON u.id = g.union_id"
        " WHERE g.id = $1 AND g.revoked_at IS NULL",
        grant_id,
    )
    if not rows:
        raise NotFound
    grant = rows[0]
    if not w.actor.is_system and grant["account_id"] != w.actor.account_id:
        place = Place(grant["territory_path"], grant["line_path"])
        ensure_may_grant(w.actor, Role(grant["role"]), Hierarchy(grant["hierarchy"]), place)
    await lock_account(w, grant["account_id"])
    count = await w.execute(
        "UPDATE access_grant SET revoked_at = $2, revoked_by = $3"
        " WHERE id = $1 AND revoked_at IS NULL",
        grant_id,
        w.now,
        w.actor.account_id,
    )
    if count == 0:
        raise NotFound
    await bump(w, grant["account_id"])
    await audit.record(w, "access.revoked", subject_kind="grant", subject_id=grant_id)
    w.record(
        AuthorityChanged(
            grant["account_id"], Change.REVOKED, grant_id, grant["union_id"], grant["role"]
        )
    )


async def end_grants(
    w: Work, account_id: UUID, union_id: UUID, *, roles: Sequence[Role], at: datetime
) -> int:
    """The account's grants of these roles at just this union hold until ``at`` at the latest; how
    many were cut short. For reactions to the end of a seat (离任), which has been authorised: who
    leaves a post loses at once what came with it.
    """
    await lock_account(w, account_id)
    rows = await w.fetch(
        "UPDATE access_grant SET valid_to = greatest($4, valid_from)"
        " WHERE account_id = $1 AND union_id = $2 AND role = ANY($3::text[])"
        " AND revoked_at IS NULL AND (valid_to IS NULL OR valid_to > $4)"
        " RETURNING id, role",
        account_id,
        union_id,
        list(roles),
        at,
    )
    if rows:
        await bump(w, account_id)
    for row in rows:
        await audit.record(w, "access.grant_ended", subject_kind="grant", subject_id=row["id"])
        w.record(AuthorityChanged(account_id, Change.REVOKED, row["id"], union_id, row["role"]))
    return len(rows)


async def tell_grants_moved(
    w: Work, union_id: UUID, *, at: Collection[UUID], told: Collection[UUID]
) -> None:
    """Whoever holds a grant, or will, at one of these unions is told that it reaches elsewhere now.

    For the reaction to a move, which has been authorised; ``told`` have been told otherwise.
    Raises TooManyHolders.
    """
    rows = await w.fetch(
        "SELECT DISTINCT account_id FROM access_grant WHERE union_id = ANY($1::uuid[])"
        " AND revoked_at IS NULL AND (valid_to IS NULL OR valid_to > $2)"
        " AND account_id <> ALL($3::uuid[]) LIMIT $4",
        list(at),
        w.now,
        list(told),
        MOVED_HOLDERS_MAX + 1,
    )
    if len(rows) > MOVED_HOLDERS_MAX:
        raise TooManyHolders(max=MOVED_HOLDERS_MAX)
    if rows:
        w.record(GrantsMoved(union_id, tuple(row["account_id"] for row in rows)))


async def import_grants(w: Work, grants: Sequence[NewGrant]) -> None:
    """The grants are in force, without facts: for the sample, before anybody is there."""
    assert w.actor.is_system, "people grant one by one"
    assert len(grants) <= GRANTS_MAX, "split it"
    await _insert(w, grants)
    await audit.record(w, "access.grants_imported", subject_kind="grant", subject_id=None)


async def sign_pledge(w: Work, version: int) -> None:
    """The own account has signed this version of the pledge (保密承诺书); again: nothing changes.

    Raises PledgeOutdated, Unauthenticated.
    """
    account_id = w.actor.account()
    if version != pledges.VERSION:
        raise PledgeOutdated(version=pledges.VERSION)
    count = await w.execute(
        "INSERT INTO access_pledge (id, account_id, version, text_sha256, signed_at)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        new_id(),
        account_id,
        version,
        pledges.TEXT_SHA256,
        w.now,
    )
    if count:
        await bump(w, account_id)
        await audit.record(w, "access.pledge_signed", subject_kind="account", subject_id=account_id)
        w.record(AuthorityChanged(account_id, Change.PLEDGE_SIGNED))


async def has_signed_pledge(actor: Actor) -> bool:
    """Whether the own account has signed the current version."""
    rows = await fetch(
        "SELECT 1 FROM access_pledge WHERE account_id = $1 AND version = $2",
        actor.account(),
        pledges.VERSION,
    )
    return bool(rows)


async def list_grants(actor: Actor, account_id: UUID, now: datetime) -> Sequence[Record]:
    """The account's grants that are in force or will be: all of the own, of others those that lie
    where the actor grants roles. Nobody else's existence is told: an empty list."""
    rows = await fetch(
        "SELECT g.id, g.account_id, g.role, g.hierarchy, g.union_id, g.valid_from, g.valid_to,"
        " u.territory_path, u.line_path FROM access_grant g JOIN org_union u ON u.id = g.union_id"
        " WHERE g.account_id = $1 AND g.revoked_at IS NULL"
        " AND (g.valid_to IS NULL OR g.valid_to > $2) ORDER BY g.id LIMIT $3",
        account_id,
        now,
        GRANT_ROWS_MAX,
    )
    if account_id == actor.account():
        return rows
    return [
        row
        for row in rows
        if actor.may(Capability.GRANT_WRITE, Place(row["territory_path"], row["line_path"]))
    ]


async def _place(w: Work, union_id: UUID) -> Place:
    rows = await w.fetch("SELECT territory_path, line_path FROM org_union WHERE id = $1", union_id)
    if not rows:
        raise NotFound
    return Place(rows[0]["territory_path"], rows[0]["line_path"])


async def _insert(w: Work, grants: Sequence[NewGrant]) -> None:
    rows = [
        (g.id, g.account_id, g.role, g.union_id, g.hierarchy, g.valid_from or w.now, g.valid_to)
        for g in grants
    ]
    columns = zip(*rows, strict=True) if rows else [[]] * 7
    await w.execute(
        "INSERT INTO access_grant (id, account_id, role, union_id, hierarchy, valid_from,"
        " valid_to, granted_by) SELECT *, $8::uuid FROM unnest($1::uuid[], $2::uuid[], $3::text[],"
        " $4::uuid[], $5::text[], $6::timestamptz[], $7::timestamptz[])",
        *[list(column) for column in columns],
        w.actor.account_id,
    )
