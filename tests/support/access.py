"""Accounts, sessions and grants for tests."""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.access import service as access
from domain.access.identifiers import id_number_check
from domain.access.models import AccountKind, SessionKind
from domain.access.roles import Role
from domain.kernel.actor import NOBODY, SYSTEM, Actor, Hierarchy
from domain.kernel.work import Works
from domain.vault import service as vault
from domain.vault.passwords import Profile
from tests.support.matrix import Spot

PASSWORD = "correct horse 电池"
APP = access.Client(SessionKind.APP, network="n1", user_agent="app/1", device="phone-1")
BROWSER = access.Client(SessionKind.BROWSER, network="n1", user_agent="browser/1")

_numbers = itertools.count(1)


def a_phone() -> str:
    """A phone that no other test person has."""
    return f"138{next(_numbers):08d}"


def an_id_number() -> str:
    """A formally valid identity number that no other test person has."""
    number = next(_numbers)
    body = f"320585{1960 + number // 336 % 40}{number // 28 % 12 + 1:02d}{number % 28 + 1:02d}001"
    return body + id_number_check(body)


async def an_account(
    works: Works,
    *,
    kind: AccountKind = AccountKind.MEMBER,
    password: str | None = PASSWORD,
    **given: Any,
) -> access.NewAccount:
    """An account with a phone, an identity number and, unless told None, a password."""
    profile = Profile.STAFF if kind is AccountKind.STAFF else Profile.MEMBER
    hashed = await vault.hash_password(password, profile=profile) if password else None
    values = {"phone": a_phone(), "id_number": an_id_number(), "password_hash": hashed, **given}
    new = access.NewAccount(kind, **values)
    async with works.open(SYSTEM) as w:
        await access.create_accounts(w, [new])
    return new


async def a_grant(
    works: Works,
    account_id: UUID,
    role: Role,
    at: Spot,
    *,
    hierarchy: Hierarchy = Hierarchy.TERRITORY,
    valid_from: datetime | None = None,
    valid_to: datetime | None = None,
) -> UUID:
    """The account holds the role at the union."""
    async with works.open(SYSTEM) as w:
        new = access.NewGrant(account_id, role, at.id, hierarchy, valid_from, valid_to)
        return await access.grant_role(w, new)


async def signed_in(
    works: Works, account: access.NewAccount, *, client: access.Client = BROWSER
) -> access.SignedIn:
    """The account has a new session."""
    return await access.sign_in(works, account.phone or "", PASSWORD, client=client)


async def the_actor(works: Works, session: access.SignedIn) -> Actor:
    """The session's actor as of now; nobody when it has ended."""
    actor = await access.actor_of_session(session.session_id, works.clock.now())
    return actor or NOBODY
