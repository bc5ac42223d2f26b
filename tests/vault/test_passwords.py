"""Password hashes: right is right, everything else is no, at the same price, within bounds."""

from __future__ import annotations

import asyncio
import threading

import pytest
from argon2 import extract_parameters

from domain.vault.passwords import (
    COSTS,
    PASSWORD_BYTES_MAX,
    Cost,
    Passwords,
    PasswordsBusy,
    PasswordTooLong,
    Profile,
)
from tests.support.timers import settle
from tests.support.vault import CHEAP_COSTS


async def test_the_right_password_fits_and_no_other() -> None:
    passwords = Passwords(CHEAP_COSTS)
    stored = await passwords.hash("正确的 horse", Profile.MEMBER)

    assert await passwords.verify(stored, "正确的 horse", Profile.MEMBER)
    assert not await passwords.verify(stored, "正确的 house", Profile.MEMBER)
    assert not await passwords.verify("no hash at all", "正确的 horse", Profile.MEMBER)
    passwords.close()


async def test_composed_and_decomposed_spellings_are_one_password() -> None:
    passwords = Passwords(CHEAP_COSTS)
    stored = await passwords.hash("caf\u00e9 1234", Profile.MEMBER)

    assert await passwords.verify(stored, "cafe\u0301 1234", Profile.MEMBER)
    passwords.close()


async def test_an_absent_hash_and_an_overlong_password_cost_a_verification_too() -> None:
    passwords = Passwords(CHEAP_COSTS)
    stored = await passwords.hash("x" * 8, Profile.STAFF)

    assert not await passwords.verify(None, "x" * 8, Profile.STAFF)
    assert not await passwords.verify(stored, "x" * (PASSWORD_BYTES_MAX + 1), Profile.STAFF)
    assert not await passwords.verify(stored, "\ud800", Profile.STAFF)
    assert passwords.verified_count == 3
    passwords.close()


async def test_an_overlong_password_is_never_hashed() -> None:
    passwords = Passwords(CHEAP_COSTS)

    with pytest.raises(PasswordTooLong):
        await passwords.hash("界" * 342, Profile.MEMBER)
    passwords.close()


async def test_a_full_queue_answers_at_once_and_has_room_again_later() -> None:
    passwords = Passwords(CHEAP_COSTS, queue_max=2, threads_max=1)
    door = threading.Event()
    passwords._threads.submit(door.wait)  # no hash is done before all have asked

    asking = [asyncio.create_task(passwords.hash("x" * 8, Profile.MEMBER)) for _ in range(5)]
    await settle()
    door.set()
    outcomes = await asyncio.gather(*asking, return_exceptions=True)

    assert sum(isinstance(outcome, PasswordsBusy) for outcome in outcomes) == 3
    await passwords.hash("x" * 8, Profile.MEMBER)
    passwords.close()


async def test_a_hash_of_another_cost_is_made_anew() -> None:
    passwords = Passwords(CHEAP_COSTS)
    stored = await passwords.hash("x" * 8, Profile.MEMBER)

    assert not passwords.needs_rehash(stored, Profile.MEMBER)
    assert passwords.needs_rehash(stored, Profile.STAFF)
    passwords.close()


async def test_a_dummy_costs_what_a_stored_hash_of_its_profile_costs() -> None:
    passwords = Passwords(CHEAP_COSTS)
    for profile in Profile:
        stored = await passwords.hash("x" * 8, profile)
        dummy = passwords._dummies[profile]
        assert extract_parameters(dummy) == extract_parameters(stored)
        assert len(dummy) == len(stored)
        assert not await passwords.verify(dummy, "", profile)
    passwords.close()


def test_production_costs_are_those_of_the_design() -> None:
    assert COSTS[Profile.MEMBER] == Cost(19_456, 2, 1)
    assert COSTS[Profile.STAFF] == Cost(65_536, 3, 1)
