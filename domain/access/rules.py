"""How long sessions last, how often one may guess, who may grant what. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from domain.access.models import AccountKind, SessionKind
from domain.access.roles import APPOINTED, ROLES, Role
from domain.kernel.actor import Actor, Hierarchy, Place, Reach
from domain.kernel.capabilities import Capability
from domain.kernel.errors import Conflict, Forbidden, Invalid, Limited, NotFound, Unauthenticated

SEEN_EVERY = timedelta(minutes=1)
"""A session's last use is written at most so often; idle times are exact to this much."""
IDLE: Mapping[AccountKind, timedelta] = {
    # A cadre's screen in a union office stands open to passers-by; a member's phone does not.
    AccountKind.STAFF: timedelta(minutes=30),
    AccountKind.MEMBER: timedelta(days=7),
}
ABSOLUTE: Mapping[AccountKind, timedelta] = {
    AccountKind.STAFF: timedelta(hours=12),
    AccountKind.MEMBER: timedelta(days=30),
}
ACCESS_LIFE = timedelta(minutes=10)
REFRESH_LIFE = timedelta(days=30)
REFRESH_GRACE = timedelta(seconds=10)
"""A phone that lost the answer on a bad network asks again within this."""
SESSIONS_MAX = 10
"""Live sessions of one account; the oldest gives way (a phone, a tablet, browsers)."""
REFRESH_TOKENS_KEPT_MAX = 100
"""Used refresh tokens kept a session; the reuse of an older one is refused, not noticed."""

ATTEMPTS_WINDOW = timedelta(minutes=15)
FREE_FAILURES_MAX = 5
"""Failed sign-ins of one identifier before the waits begin."""
NETWORK_FREE_FAILURES_MAX = 50
"""Failed sign-ins of one network: a union office with 200 people behind one address stays below."""
WAIT_FIRST = timedelta(seconds=30)
WAIT_MAX = ATTEMPTS_WINDOW
"""Not a lock: anybody could lock a crisis counsellor out. A known device has a count of its own."""

PASSWORD_CHARS_MIN = 8
_COMMON = frozenset(
    {
        "12345678",
        "123456789",
        "1234567890",
        "11111111",
        "88888888",
        "66666666",
        "00000000",
        "87654321",
        "123123123",
        "5201314520",
        "password",
        "password1",
        "password123",
        "qwertyui",
        "qwerty123",
        "1q2w3e4r",
        "1qaz2wsx",
        "abc12345",
        "abcd1234",
        "a1234567",
        "aa123456",
        "asdf1234",
        "iloveyou",
        "woaini1314",
        "woaini520",
        "admin123",
        "admin888",
        "zhigong123",
        "gonghui123",
    }
)
"""Those that every guesser tries first."""


class SignInRefused(Forbidden):
    """Identifier or password is wrong, or it is not to be said which, or too many have failed.

    ``retry_after_s``: when a next attempt is looked at; the same for accounts that don't exist.
    """

    code: ClassVar[str] = "access.sign_in_refused"


class TooManyAttempts(Limited):
    """Too many failed sign-ins from one network."""

    code: ClassVar[str] = "access.too_many_attempts"


class SessionOver(Unauthenticated):
    """The refresh token is unknown, expired, used before, or its session has ended."""

    code: ClassVar[str] = "access.session_over"


class PasswordTooShort(Invalid):
    """A new password of fewer than eight characters."""

    code: ClassVar[str] = "access.password_too_short"


class PasswordCommon(Invalid):
    """A new password that every guesser tries first."""

    code: ClassVar[str] = "access.password_common"


class PasswordWrong(Forbidden):
    """The current password does not fit."""

    code: ClassVar[str] = "access.password_wrong"


class RoleNotYours(Forbidden):
    """The role holds more than the granter does at that place in that hierarchy."""

    code: ClassVar[str] = "access.role_not_yours"


class OwnGrant(Forbidden):
    """Nobody grants a role to himself."""

    code: ClassVar[str] = "access.own_grant"


class GrantTimes(Invalid):
    """A grant that ends before it begins, or times without an offset, or beyond fifty years."""

    code: ClassVar[str] = "access.grant_times"


class NoSuchLine(Invalid):
    """A grant along the line hierarchy at a union that is under no line."""

    code: ClassVar[str] = "access.not_on_a_line"


class TooManyHolders(Conflict):
    """More accounts hold grants at the moved unions than one move may tell; ``max``."""

    code: ClassVar[str] = "access.too_many_holders"


class PledgeOutdated(Conflict):
    """Not the current version of the pledge; ``version`` is."""

    code: ClassVar[str] = "access.pledge_outdated"


@dataclass(frozen=True, slots=True)
class Failures:
    """Failed sign-ins so far, the one under way among them."""

    count: int
    last_at: datetime


def idle_until(kind: AccountKind, seen_at: datetime) -> datetime:
    """When a browser session ends unless it is used."""
    return seen_at + IDLE[kind]


def session_ends(
    kind: AccountKind, held_as: SessionKind, now: datetime
) -> tuple[datetime, datetime]:
    """When the first token and when the session ends at the latest."""
    if held_as is SessionKind.APP:
        return now + ACCESS_LIFE, now + REFRESH_LIFE
    return now + ABSOLUTE[kind], now + ABSOLUTE[kind]


def is_retry(used_at: datetime, now: datetime, *, is_same_device: bool) -> bool:
    """Whether a used refresh token came again because the answer was lost."""
    return is_same_device and now - used_at <= REFRESH_GRACE


def wait(failures: Failures, now: datetime, *, free_max: int) -> timedelta:
    """How long until a further attempt is looked at; nothing while some are free."""
    if failures.count < free_max or now - failures.last_at >= ATTEMPTS_WINDOW:
        return timedelta(0)
    # The exponent is bounded before the power is taken: a count may be large.
    doublings = min(failures.count - free_max, 10)
    waiting = min(WAIT_FIRST * (1 << doublings), WAIT_MAX)
    return max(failures.last_at + waiting - now, timedelta(0))


def counted(failures: Failures, now: datetime) -> Failures:
    """With one more; those before a quiet quarter of an hour are forgotten."""
    is_stale = now - failures.last_at >= ATTEMPTS_WINDOW
    return Failures(1 if is_stale else failures.count + 1, now)


def ensure_password(password: str) -> None:
    """Pass, or raise PasswordTooShort or PasswordCommon (no composition rules: they make worse)."""
    if len(password) < PASSWORD_CHARS_MIN:
        raise PasswordTooShort("password", min=PASSWORD_CHARS_MIN)
    if password.casefold() in _COMMON or len(set(password)) < 3:
        raise PasswordCommon("password")


def ensure_may_grant(actor: Actor, role: Role, hierarchy: Hierarchy, place: Place) -> None:
    """Pass when the actor holds GRANT_WRITE and all of the role there, in the same hierarchy.

    Raises NotFound outside the scope, RoleNotYours inside it.
    """
    over = [reach for reach in actor.reaches if _reaches_over(reach, hierarchy, place)]
    if not any(Capability.GRANT_WRITE in reach.capabilities for reach in over):
        raise NotFound
    missing = ROLES[role].difference(*(reach.capabilities for reach in over))
    is_admin = any(r.role == Role.FEDERATION_ADMIN and _is_federation(r) for r in over)
    if missing and not (is_admin and missing <= APPOINTED):
        raise RoleNotYours


def ensure_grant_times(start: datetime, end: datetime | None, now: datetime) -> None:
    """Pass, or raise GrantTimes."""
    for name, at in (("validFrom", start), ("validTo", end or start)):
        if at.tzinfo is None or abs(at.year - now.year) > 50:
            raise GrantTimes(name)
    if end is not None and end <= start:
        raise GrantTimes("validTo")


def may_grant_anywhere(actor: Actor) -> bool:
    """Whether the actor grants for the whole federation."""
    return any(
        _is_federation(r) and Capability.GRANT_WRITE in r.capabilities for r in actor.reaches
    )


def _is_federation(reach: Reach) -> bool:
    return reach.hierarchy is Hierarchy.TERRITORY and reach.path.count("/") == 2


def _reaches_over(reach: Reach, hierarchy: Hierarchy, place: Place) -> bool:
    """Whether the reach covers all that a grant at the place in the hierarchy would cover.

    A grant along a line reaches unions of other zones: a zone's reach does not cover it. The
    federation's does: every union is below it.
    """
    return reach.covers(place) and (reach.hierarchy is hierarchy or _is_federation(reach))
