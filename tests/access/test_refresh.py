"""Refresh tokens: once each; a second use ends the session, a lost answer does not."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.access import service as access
from domain.access.models import AccountKind
from domain.access.rules import REFRESH_TOKENS_KEPT_MAX, SessionOver
from domain.kernel.actor import NOBODY, SYSTEM
from domain.kernel.database import fetch
from domain.kernel.work import Works
from tests.support.access import APP, an_account, signed_in, the_actor
from tests.support.announcing import RememberedAnnouncements
from tests.support.clock import FrozenClock

pytestmark = pytest.mark.usefixtures("test_keyring")


async def refreshed(
    works: Works, session: access.SignedIn, client: access.Client = APP
) -> access.SignedIn:
    assert session.refresh_token is not None
    return await access.refresh_session(works, session.refresh_token.text, client=client)


async def test_a_refresh_gives_new_tokens_for_the_same_session(
    works: Works, clock: FrozenClock
) -> None:
    first = await signed_in(works, await an_account(works), client=APP)
    clock.advance(minutes=20)
    second = await refreshed(works, first)

    assert second.session_id == first.session_id
    assert {second.token.text, second.refresh_token} & {
        first.token.text,
        first.refresh_token,
    } == set()
    assert second.token_expires_at == clock.now() + timedelta(minutes=10)
    assert await access.actor_of_token(first.token.text, clock.now()) is None
    assert await access.actor_of_token(second.token.text, clock.now()) is not None
    assert second.refresh_token is not None
    # A refresh token is no access token.
    assert await access.actor_of_token(second.refresh_token.text, clock.now()) is None


async def test_a_stolen_token_used_second_ends_the_session_for_both(
    works: Works, clock: FrozenClock, announcements: RememberedAnnouncements
) -> None:
    first = await signed_in(works, await an_account(works), client=APP)
    second = await refreshed(works, first)

    with pytest.raises(SessionOver):
        await refreshed(works, first, replace(APP, device="thief"))

    assert await access.actor_of_token(second.token.text, clock.now()) is None
    with pytest.raises(SessionOver):
        await refreshed(works, second)
    ended = announcements.events[-1]
    assert (ended.kind, ended.body["reason"]) == ("access.session_ended", "reused")
    assert ended.is_authority


async def test_a_lost_answer_is_given_again_to_the_same_device(
    works: Works, clock: FrozenClock
) -> None:
    first = await signed_in(works, await an_account(works), client=APP)
    second = await refreshed(works, first)
    clock.advance(seconds=10)

    assert await refreshed(works, first) == second
    third = await refreshed(works, second)
    with pytest.raises(SessionOver):
        await refreshed(works, first)  # its successor has been used: no retry, a copy
    assert await the_actor(works, third) == NOBODY


async def test_after_ten_seconds_it_is_reuse(works: Works, clock: FrozenClock) -> None:
    first = await signed_in(works, await an_account(works), client=APP)
    second = await refreshed(works, first)
    clock.advance(seconds=10.001)

    with pytest.raises(SessionOver):
        await refreshed(works, first)
    assert await the_actor(works, second) == NOBODY


async def test_a_client_without_a_device_has_no_grace(works: Works) -> None:
    nameless = replace(APP, device=None)
    first = await signed_in(works, await an_account(works), client=nameless)
    await refreshed(works, first, nameless)

    with pytest.raises(SessionOver):
        await refreshed(works, first, nameless)


async def test_two_refreshes_at_once_never_make_two_chains(works: Works) -> None:
    for device in ("phone-1", None):
        client = replace(APP, device=device)
        first = await signed_in(works, await an_account(works), client=client)
        outcomes = await asyncio.gather(
            *(refreshed(works, first, client) for _ in range(5)), return_exceptions=True
        )

        made = {o for o in outcomes if isinstance(o, access.SignedIn)}
        assert len(made) == 1
        over = [o for o in outcomes if isinstance(o, SessionOver)]
        assert len(over) == (0 if device else 4)
        # Without a device nobody can tell a copy from a retry: the session is over.
        assert (await the_actor(works, first) == NOBODY) is (device is None)


@pytest.mark.parametrize(
    "text", ["", "u1_", "garbage", "u1_" + "A" * 43, "u1_" + "Zz09" * 10 + "_-0"]
)
async def test_unknown_tokens_end_nothing(works: Works, text: str) -> None:
    session = await signed_in(works, await an_account(works), client=APP)

    with pytest.raises(SessionOver):
        await access.refresh_session(works, text, client=APP)

    assert await the_actor(works, session) != NOBODY


async def test_a_session_is_over_after_thirty_days_however_often_refreshed(
    works: Works, clock: FrozenClock
) -> None:
    session = await signed_in(works, await an_account(works), client=APP)
    for _ in range(29):
        clock.advance(days=1)
        session = await refreshed(works, session)
    clock.advance(hours=23, minutes=55)
    session = await refreshed(works, session)
    assert session.token_expires_at == session.expires_at

    clock.advance(minutes=5)
    with pytest.raises(SessionOver):
        await refreshed(works, session)
    assert await the_actor(works, session) == NOBODY


async def test_a_disabled_account_refreshes_nothing(works: Works) -> None:
    account = await an_account(works, kind=AccountKind.STAFF)
    session = await signed_in(works, account, client=APP)
    async with works.open(SYSTEM) as w:
        await access.disable_account(w, account.id)
        await access.enable_account(w, account.id)

    with pytest.raises(SessionOver):
        await refreshed(works, session)


async def test_used_tokens_are_kept_in_bounds(works: Works) -> None:
    session = await signed_in(works, await an_account(works), client=APP)
    for _ in range(REFRESH_TOKENS_KEPT_MAX + 5):
        session = await refreshed(works, session)

    (row,) = await fetch("SELECT count(*) AS n FROM access_refresh_token")
    assert row["n"] == REFRESH_TOKENS_KEPT_MAX + 1


@dataclass
class Family:
    """What the model knows of one session: its chain of tokens, who holds it, whether it lives."""

    device: str | None
    chain: list[access.SignedIn]
    used_at: list[datetime | None] = field(default_factory=lambda: [None])
    is_over: bool = False

    def may_refresh(self, link: int, device: str | None, now: datetime) -> bool:
        if self.is_over or now >= self.chain[0].expires_at:
            return False
        used_at = self.used_at[link]
        if used_at is None:
            return True
        is_last_answer = link == len(self.chain) - 2
        is_soon = now - used_at <= timedelta(seconds=10)
        return is_last_answer and is_soon and device is not None and device == self.device


DEVICES = st.sampled_from(["phone", "tablet", None])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("open"), DEVICES),
        st.tuples(st.just("refresh"), st.integers(0, 9), st.integers(0, 2), DEVICES),
        st.tuples(st.just("again"), st.integers(0, 9)),
        st.tuples(st.just("wait"), st.sampled_from([3, 11, 601, 86_400])),
        st.tuples(st.just("sign_out"), st.integers(0, 9)),
    ),
    max_size=20,
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
async def test_sessions_live_and_die_as_the_model_says(
    works: Works, clock: FrozenClock, steps: list[tuple[object, ...]]
) -> None:
    account = await an_account(works)
    families: list[Family] = []
    for step in steps:
        match step:
            case ("open", device) if len(families) < 8:
                client = replace(APP, device=device)
                families.append(Family(device, [await signed_in(works, account, client=client)]))
            case ("refresh", int(which), int(back), device) if families:
                family = families[which % len(families)]
                link = max(len(family.chain) - 1 - back, 0)
                await refresh_by_the_model(works, family, link, device)
            case ("again", int(which)) if families:
                # The client that behaves: its newest token, its own device.
                family = families[which % len(families)]
                await refresh_by_the_model(works, family, len(family.chain) - 1, family.device)
            case ("wait", int(seconds)):
                clock.advance(seconds=seconds)
            case ("sign_out", int(which)) if families:
                family = families[which % len(families)]
                async with works.open(await the_actor(works, family.chain[-1])) as w:
                    await access.sign_out(w)
                family.is_over |= clock.now() < family.chain[-1].token_expires_at
        await agree(clock, families)


async def refresh_by_the_model(works: Works, family: Family, link: int, device: object) -> None:
    now = works.clock.now()
    held = family.chain[link]
    assert held.refresh_token is not None
    client = replace(APP, device=device)
    if not family.may_refresh(link, client.device, now):
        with pytest.raises(SessionOver):
            await access.refresh_session(works, held.refresh_token.text, client=client)
        family.is_over = True
        return
    given_ = await access.refresh_session(works, held.refresh_token.text, client=client)
    if family.used_at[link] is None:
        family.used_at[link] = now
        family.chain.append(given_)
        family.used_at.append(None)
    else:
        assert given_ == family.chain[link + 1]


async def agree(clock: FrozenClock, families: list[Family]) -> None:
    """Exactly the newest access token of each living family is good."""
    now = clock.now()
    for family in families:
        for link, session in enumerate(family.chain):
            is_newest = link == len(family.chain) - 1
            is_good = is_newest and not family.is_over and now < session.token_expires_at
            found = await access.actor_of_token(session.token.text, now)
            assert (found is not None) is is_good
