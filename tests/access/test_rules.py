"""The arithmetic of waits and the law of granting, without a database."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.access.roles import ROLES, Role
from domain.access.rules import (
    ATTEMPTS_WINDOW,
    FREE_FAILURES_MAX,
    REFRESH_GRACE,
    WAIT_MAX,
    Failures,
    PasswordCommon,
    PasswordTooShort,
    RoleNotYours,
    counted,
    ensure_may_grant,
    ensure_password,
    is_retry,
    wait,
)
from domain.kernel.actor import Actor, Hierarchy, Place, Reach
from domain.kernel.errors import NotFound
from tests.support.clock import THEN

ZERO = timedelta(0)
S = timedelta(seconds=1)


def holding(*held: tuple[Role, Hierarchy, str]) -> Actor:
    return Actor(
        uuid4(),
        reaches=tuple(Reach(role, ROLES[role], where, path, uuid4()) for role, where, path in held),
    )


def test_five_attempts_are_free_and_then_the_waits_double() -> None:
    def waiting(count: int) -> timedelta:
        return wait(Failures(count, THEN), THEN, free_max=FREE_FAILURES_MAX)

    assert [waiting(n) for n in range(5)] == [ZERO] * 5
    assert [waiting(n) // S for n in range(5, 12)] == [30, 60, 120, 240, 480, 900, 900]
    assert waiting(10**9) == WAIT_MAX


def test_a_quiet_quarter_of_an_hour_forgets_failures() -> None:
    failures = Failures(1000, THEN)
    just_before, then = THEN + ATTEMPTS_WINDOW - S, THEN + ATTEMPTS_WINDOW

    assert wait(failures, just_before, free_max=5) == S
    assert wait(failures, then, free_max=5) == ZERO
    assert counted(failures, just_before).count == 1001
    assert counted(failures, then) == Failures(1, then)


@given(st.lists(st.integers(0, 600), max_size=200))
def test_no_rhythm_of_guessing_gets_many_looks_in_an_hour(pauses_s: list[int]) -> None:
    failures, now, looks = Failures(0, THEN), THEN, []
    for pause_s in pauses_s:
        now += pause_s * S
        if wait(failures, now, free_max=FREE_FAILURES_MAX) == ZERO:
            failures = counted(failures, now)
            looks.append(now)
    for at in looks:
        # At best: five free ones, then the doubling waits, anew after each quiet quarter.
        assert sum(at <= other < at + timedelta(hours=1) for other in looks) <= 24


@pytest.mark.parametrize(
    ("after", "is_same_device", "expected"),
    [(ZERO, True, True), (REFRESH_GRACE, True, True), (REFRESH_GRACE + S, True, False),
     (ZERO, False, False)],
)  # fmt: skip
def test_a_retry_is_the_same_device_within_ten_seconds(
    after: timedelta, is_same_device: bool, expected: bool
) -> None:
    assert is_retry(THEN, THEN + after, is_same_device=is_same_device) is expected


@pytest.mark.parametrize("password", ["", "1234567", "短密码"])
def test_short_passwords_are_refused(password: str) -> None:
    with pytest.raises(PasswordTooShort):
        ensure_password(password)


@pytest.mark.parametrize("password", ["12345678", "Password1", "aaaaaaaaaaaa", "5201314520"])
def test_passwords_that_everybody_tries_are_refused(password: str) -> None:
    with pytest.raises(PasswordCommon):
        ensure_password(password)


def test_no_kind_of_character_is_demanded() -> None:
    ensure_password("correct horse")
    ensure_password("职工之家欢迎您啊")


TERRITORY, LINE = Hierarchy.TERRITORY, Hierarchy.LINE
PLACE = Place("/1/2/9/", "/1/5/9/")


@pytest.mark.parametrize(
    ("granter", "role", "hierarchy", "refusal"),
    [
        # the federation's admin grants anything but leaves nothing out of the table
        ((Role.FEDERATION_ADMIN, TERRITORY, "/1/"), Role.CHAIR, TERRITORY, None),
        ((Role.FEDERATION_ADMIN, TERRITORY, "/1/"), Role.LINE_CADRE, LINE, None),
        ((Role.FEDERATION_ADMIN, TERRITORY, "/1/"), Role.COUNSELLOR, TERRITORY, None),
        ((Role.FEDERATION_ADMIN, TERRITORY, "/1/"), Role.AUDITOR, TERRITORY, None),
        # a zone's cadre: inside the zone, in the territory only, nothing that only the city gives
        ((Role.ZONE_CADRE, TERRITORY, "/1/2/"), Role.CHAIR, TERRITORY, None),
        ((Role.ZONE_CADRE, TERRITORY, "/1/2/"), Role.COLLECTOR, TERRITORY, None),
        ((Role.ZONE_CADRE, TERRITORY, "/1/2/"), Role.LAWYER, TERRITORY, RoleNotYours),
        ((Role.ZONE_CADRE, TERRITORY, "/1/2/"), Role.AUDITOR, TERRITORY, RoleNotYours),
        # a grant along the line would reach into other zones
        ((Role.ZONE_CADRE, TERRITORY, "/1/2/"), Role.LINE_CADRE, LINE, NotFound),
        ((Role.ZONE_CADRE, TERRITORY, "/1/3/"), Role.CHAIR, TERRITORY, NotFound),
        ((Role.CHAIR, TERRITORY, "/1/2/9/"), Role.UNION_ASSISTANT, TERRITORY, NotFound),
        ((Role.AUDITOR, TERRITORY, "/1/"), Role.AUDITOR, TERRITORY, NotFound),
    ],
)
def test_nobody_grants_what_he_does_not_hold(
    granter: tuple[Role, Hierarchy, str],
    role: Role,
    hierarchy: Hierarchy,
    refusal: type[Exception] | None,
) -> None:
    actor = holding(granter)
    if refusal is None:
        ensure_may_grant(actor, role, hierarchy, PLACE)
    else:
        with pytest.raises(refusal):
            ensure_may_grant(actor, role, hierarchy, PLACE)


@given(
    st.sampled_from(list(Role)),
    st.sampled_from(list(Role)),
    st.sampled_from(["/1/", "/1/2/", "/1/2/9/", "/1/3/"]),
)
def test_whoever_is_granted_by_others_than_the_city_holds_no_more_than_they(
    granter: Role, role: Role, path: str
) -> None:
    actor = holding((granter, TERRITORY, path))
    try:
        ensure_may_grant(actor, role, TERRITORY, PLACE)
    except (NotFound, RoleNotYours):
        return
    if path != "/1/":
        assert all(actor.may(capability, PLACE) for capability in ROLES[role])
