"""Sign-in: the right password opens a session; every other answer looks and costs the same."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.access import service as access
from domain.access.models import AccountKind
from domain.access.rules import (
    NETWORK_FREE_FAILURES_MAX,
    SESSIONS_MAX,
    PasswordCommon,
    PasswordWrong,
    SignInRefused,
    TooManyAttempts,
)
from domain.kernel.actor import NOBODY, SYSTEM
from domain.kernel.database import fetch
from domain.kernel.errors import DomainError, NotFound, Unauthenticated
from domain.kernel.work import Works
from domain.vault import passwords as hashing
from domain.vault.passwords import PasswordsBusy
from tests.support.access import (
    APP,
    BROWSER,
    PASSWORD,
    a_phone,
    an_account,
    an_id_number,
    signed_in,
    the_actor,
)
from tests.support.announcing import RememberedAnnouncements
from tests.support.clock import FrozenClock

pytestmark = pytest.mark.usefixtures("test_keyring")


async def tried(
    works: Works, identifier: str, password: str, client: access.Client = BROWSER
) -> Any:
    """What came of a sign-in as the caller sees it, and how many passwords were looked at."""
    before = hashing.passwords().verified_count
    try:
        await access.sign_in(works, identifier, password, client=client)
        answer: object = "in"
    except DomainError as refusal:
        answer = (type(refusal), refusal.code, refusal.params)
    return answer, hashing.passwords().verified_count - before


async def test_phone_and_identity_number_in_any_spelling_lead_in(works: Works) -> None:
    account = await an_account(works)
    assert account.phone is not None
    assert account.id_number is not None
    wide = "".join(chr(ord(c) + 0xFEE0) for c in account.phone)

    for identifier in [account.phone, f"+86 {wide}", account.id_number.lower()]:
        session = await access.sign_in(works, identifier, PASSWORD, client=BROWSER)
        assert session.account_id == account.id


async def test_every_refusal_looks_and_costs_the_same(works: Works) -> None:
    known = await an_account(works)
    disabled = await an_account(works)
    async with works.open(SYSTEM) as w:
        await access.disable_account(w, disabled.id)
    without = await an_account(works, password=None)

    outcomes = [
        await tried(works, str(known.phone), "wrong password"),
        await tried(works, str(known.id_number), "wrong password"),
        await tried(works, a_phone(), PASSWORD),
        await tried(works, an_id_number(), PASSWORD),
        await tried(works, str(disabled.phone), PASSWORD),
        await tried(works, str(without.phone), PASSWORD),
        await tried(works, str(without.phone), ""),
        await tried(works, "nonsense · \ud800\x00", PASSWORD),
        await tried(works, "1" * 5000, PASSWORD),
        await tried(works, str(known.phone), "x" * 5000),
    ]

    expected = ((SignInRefused, "access.sign_in_refused", {"retry_after_s": 0.0}), 1)
    assert outcomes == [expected] * len(outcomes)


async def test_refusals_leave_no_session_fact_or_audit_entry(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    account = await an_account(works)
    entries = await fetch("SELECT id FROM audit_entry")

    await tried(works, str(account.phone), "wrong password")

    assert not await fetch("SELECT 1 FROM access_session")
    assert announcements.kinds == []
    assert await fetch("SELECT id FROM audit_entry") == entries


async def test_a_session_is_a_fact_in_ones_own_stream_and_in_the_trail(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    session = await signed_in(works, await an_account(works))

    (event,) = announcements.events
    assert (event.stream, event.kind) == (f"me:{session.account_id}", "access.session_opened")
    (row,) = await fetch("SELECT subject_id FROM audit_entry WHERE action = 'access.signed_in'")
    assert row["subject_id"] == session.session_id


async def test_after_five_failures_even_the_right_password_waits_whoever_it_is(
    works: Works, clock: FrozenClock
) -> None:
    account = await an_account(works)
    story: dict[str, list[Any]] = {str(account.phone): [], a_phone(): []}

    for identifier, answers in story.items():
        for _ in range(6):
            answers.append(await tried(works, identifier, "wrong password"))
        clock.advance(seconds=29)
        answers.append(await tried(works, identifier, PASSWORD))
        clock.advance(seconds=-29)

    known, unknown = story.values()
    assert known == unknown
    assert [answer[0][2]["retry_after_s"] for answer in known] == [0, 0, 0, 0, 0, 30, 1]
    assert all(verified == 1 for _, verified in known)

    clock.advance(seconds=30)
    assert (await tried(works, str(account.phone), PASSWORD))[0] == "in"
    # The right password wiped the slate.
    assert (await tried(works, str(account.phone), "wrong"))[0][2] == {"retry_after_s": 0.0}


async def test_waiting_attempts_do_not_make_the_wait_longer(
    works: Works, clock: FrozenClock
) -> None:
    account = await an_account(works)
    for _ in range(50):
        await tried(works, str(account.phone), "wrong password")

    clock.advance(seconds=30)
    assert (await tried(works, str(account.phone), PASSWORD))[0] == "in"


async def test_parallel_guesses_all_count(works: Works) -> None:
    account = await an_account(works)

    outcomes = await asyncio.gather(
        *(
            access.sign_in(works, str(account.phone), f"guess {n}", client=BROWSER)
            for n in range(12)
        ),
        return_exceptions=True,
    )

    waits = [o.params["retry_after_s"] for o in outcomes if isinstance(o, SignInRefused)]
    assert sorted(waits) == [0.0] * 5 + [30.0] * 7


async def test_strangers_cannot_make_a_known_device_wait(works: Works) -> None:
    account = await an_account(works)
    await signed_in(works, account, client=APP)
    for _ in range(10):
        await tried(works, str(account.phone), "wrong", replace(BROWSER, device="stranger"))

    assert (await tried(works, str(account.phone), PASSWORD))[0] != "in"
    assert (await tried(works, str(account.phone), PASSWORD, APP))[0] == "in"


async def test_one_network_cannot_guess_at_many_accounts(works: Works, clock: FrozenClock) -> None:
    account = await an_account(works)
    for _ in range(NETWORK_FREE_FAILURES_MAX):
        await tried(works, a_phone(), PASSWORD)

    answer, verified = await tried(works, str(account.phone), PASSWORD)
    assert answer == (TooManyAttempts, "access.too_many_attempts", {"retry_after_s": 30.0})
    assert verified == 0
    elsewhere = replace(BROWSER, network="n2")
    assert (await tried(works, str(account.phone), PASSWORD, elsewhere))[0] == "in"
    clock.advance(minutes=15)
    assert (await tried(works, str(account.phone), PASSWORD))[0] == "in"


async def test_successes_do_not_use_up_a_network(works: Works) -> None:
    account = await an_account(works)
    for _ in range(NETWORK_FREE_FAILURES_MAX + 5):
        assert (await tried(works, str(account.phone), PASSWORD))[0] == "in"


async def test_a_busy_server_is_no_failure_of_the_user(works: Works) -> None:
    account = await an_account(works)
    usual = hashing.passwords()
    full = hashing.Passwords(_costs(), queue_max=1)
    full._room.acquire()
    hashing.install_passwords(full)
    for _ in range(10):
        assert (await tried(works, str(account.phone), PASSWORD))[0][0] is PasswordsBusy
    hashing.install_passwords(usual)
    full.close()

    assert (await tried(works, str(account.phone), PASSWORD))[0] == "in"


def _costs() -> Any:
    from tests.support.vault import CHEAP_COSTS

    return CHEAP_COSTS


async def test_the_counts_hold_no_identifier(works: Works) -> None:
    phone = a_phone()
    await tried(works, phone, PASSWORD)

    rows = await fetch("SELECT a::text AS text FROM access_attempt a")
    assert len(rows) == 2
    assert all(phone not in row["text"] for row in rows)


async def test_an_old_hash_is_made_anew_at_sign_in(works: Works) -> None:
    account = await an_account(works)
    async with works.open(SYSTEM) as w:
        await w.execute("UPDATE access_account SET kind = 'staff'")

    await signed_in(works, account)

    (row,) = await fetch("SELECT password_hash FROM access_account")
    assert row["password_hash"] != account.password_hash
    await signed_in(works, account)


async def test_the_oldest_session_gives_way(
    works: Works, clock: FrozenClock, announcements: RememberedAnnouncements
) -> None:
    account = await an_account(works)
    sessions = []
    for _ in range(SESSIONS_MAX + 1):
        clock.advance(seconds=1)
        sessions.append(await signed_in(works, account))

    assert await the_actor(works, sessions[0]) == NOBODY
    assert await the_actor(works, sessions[1]) != NOBODY
    assert len(await access.list_sessions(await the_actor(works, sessions[1]), clock.now())) == 10
    assert announcements.kinds.count("access.session_ended") == 1


async def test_signing_out_ends_this_session_only_and_says_so(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    account = await an_account(works)
    one, other = [await signed_in(works, account) for _ in range(2)]
    async with works.open(await the_actor(works, one)) as w:
        await access.sign_out(w)

    assert await the_actor(works, one) == NOBODY
    actor = await the_actor(works, other)
    assert actor.account_id == account.id
    assert actor.authority_version == 1
    ended = announcements.events[-1]
    assert ended.kind == "access.session_ended"
    assert ended.is_authority
    assert ended.body["session_id"] == str(one.session_id)
    async with works.open(NOBODY) as w:
        await access.sign_out(w)


async def test_signing_out_everywhere_ends_all(works: Works) -> None:
    account = await an_account(works)
    sessions = [await signed_in(works, account, client=c) for c in (APP, BROWSER, BROWSER)]
    async with works.open(await the_actor(works, sessions[0])) as w:
        assert await access.sign_out_everywhere(w) == 3

    assert [await the_actor(works, session) for session in sessions] == [NOBODY] * 3
    assert not await fetch("SELECT 1 FROM access_refresh_token")
    async with works.open(NOBODY) as w:
        with pytest.raises(Unauthenticated):
            await access.sign_out_everywhere(w)


async def test_a_stranger_can_end_no_session_of_mine(works: Works, clock: FrozenClock) -> None:
    mine = await signed_in(works, await an_account(works))
    stranger = await the_actor(works, await signed_in(works, await an_account(works)))

    async with works.open(stranger) as w:
        with pytest.raises(NotFound):
            await access.end_session(w, mine.session_id)

    assert await the_actor(works, mine) != NOBODY
    listed = await access.list_sessions(stranger, clock.now())
    assert mine.session_id not in {row["id"] for row in listed}


async def test_a_changed_password_ends_the_other_sessions(works: Works) -> None:
    account = await an_account(works)
    here, there = [await signed_in(works, account) for _ in range(2)]
    actor = await the_actor(works, here)
    await access.change_password(works, actor, current=PASSWORD, new="battery staple 马")

    assert await the_actor(works, here) != NOBODY
    assert await the_actor(works, there) == NOBODY
    assert (await tried(works, str(account.phone), PASSWORD))[0] != "in"
    assert (await tried(works, str(account.phone), "battery staple 马"))[0] == "in"


async def test_a_wrong_current_password_changes_nothing_and_is_counted(works: Works) -> None:
    account = await an_account(works)
    here, there = [await signed_in(works, account) for _ in range(2)]
    actor = await the_actor(works, here)

    with pytest.raises(PasswordCommon):
        await access.change_password(works, actor, current=PASSWORD, new="12345678")
    for _ in range(5):
        with pytest.raises(PasswordWrong):
            await access.change_password(works, actor, current="guess", new="battery staple")
    with pytest.raises(SignInRefused) as refused:
        await access.change_password(works, actor, current=PASSWORD, new="battery staple")

    assert refused.value.params["retry_after_s"] == 30
    assert await the_actor(works, there) != NOBODY
    assert (await tried(works, str(account.phone), PASSWORD))[0] == "in"
    with pytest.raises(Unauthenticated):
        await access.change_password(works, NOBODY, current=PASSWORD, new="battery staple")


async def test_sessions_long_over_are_purged(works: Works, clock: FrozenClock) -> None:
    await signed_in(works, await an_account(works, kind=AccountKind.STAFF), client=APP)
    clock.advance(days=30 + 89)
    async with works.open(SYSTEM) as w:
        await access.purge_expired(w)
    assert await fetch("SELECT 1 FROM access_session")

    clock.advance(seconds=timedelta(days=1, seconds=1).total_seconds())
    async with works.open(SYSTEM) as w:
        await access.purge_expired(w)
    assert not await fetch("SELECT 1 FROM access_session")
    assert not await fetch("SELECT 1 FROM access_attempt")
