"""Filling an empty database with the sample federation (示例数据).

Promises: the same federation every time; a second run does nothing; an interrupted one goes on
where it stopped; progress at least once a second. Refuses: the production profile, and a database
that holds a real federation.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import ClassVar

from domain.access import service as access
from domain.access.pledges import VERSION as PLEDGE_VERSION
from domain.access.service import AccountKind, NewAccount, NewGrant, Role
from domain.consultations.windows import NewConsultant, register_consultants
from domain.kernel.actor import SYSTEM, Actor
from domain.kernel.clock import SystemClock
from domain.kernel.database import connect, disconnect
from domain.kernel.errors import Forbidden
from domain.kernel.streams import Json, LoggedEvent
from domain.kernel.work import Work, Works
from domain.members.bulk import enter_members
from domain.members.service import NewMember
from domain.org import bulk
from domain.org.models import Post
from domain.vault import service as vault
from gateway import sample, sample_unions
from gateway.sample_notices import publish_samples
from gateway.sample_people import PASSWORD, SignIn, Staff, sign_ins, staff
from gateway.settings import Profile, Settings
from gateway.wiring import root_key_provider

__all__ = ["PASSWORD", "SampleRefused", "SignIn", "seed", "sign_ins", "sow"]

BATCH_MEMBERS = 1_000
"""Members of one transaction: well below a second, so that progress is told often enough."""
SEATED_ON = date(2024, 1, 1)
"""Everybody is in office, whatever the clock of the machine says."""
ORGANISATION = "Sample: unions, employers, staff"
MEMBERS = "Sample: members"

Progress = Callable[[str, int, int], None]


class SampleRefused(Forbidden):
    """Sample data never enter a production database."""

    code: ClassVar[str] = "sample.refused"


class _Nobody:
    """An Announcer for a process that serves nobody."""

    def announce(self, events: Sequence[LoggedEvent]) -> None:
        """Nobody listens yet."""

    def whisper(self, stream: str, kind: str, body: Mapping[str, Json]) -> None:
        """Nobody listens yet."""


async def sow(
    settings: Settings, database_url: str, *, members: int, tell: Callable[[str], None]
) -> Sequence[SignIn]:
    """``seed`` on a database that is migrated and has keys. Opens and closes its own pool."""

    def progress(step: str, done: int, total: int) -> None:
        tell(step if done == 0 or done == total else f"{step} ({done * 10 // total * 10} %)")

    await connect(database_url, pool_min=1, pool_max=1)
    try:
        vault.install(await vault.open_keyring(root_key_provider(settings)))
        works = Works(SystemClock(), _Nobody())
        return await seed(works, members=members, profile=settings.profile, progress=progress)
    finally:
        await disconnect()


async def seed(
    works: Works, *, members: int, profile: Profile, progress: Progress
) -> Sequence[SignIn]:
    """The sample federation stands; who may sign in to it. Again: nothing changes, whatever number
    of members is asked for. ``progress``: step, done, total.

    Raises SampleRefused, FederationExists.
    """
    if profile is Profile.PRODUCTION:
        raise SampleRefused
    assert 0 <= members <= sample.MEMBERS_MAX, members
    async with works.open(SYSTEM) as w:
        is_new = await bulk.begin_sample(w, members)
        if is_new:
            progress(ORGANISATION, 0, 1)
            await _found(w, members)
    if is_new:
        progress(ORGANISATION, 1, 1)
    password_hash: str | None = None
    while True:
        async with works.open(SYSTEM) as w:
            state = await bulk.hold_sample(w)
            if state.is_finished or state.members_done == state.members_wanted:
                break
            password_hash = password_hash or await _hash(vault.Profile.MEMBER)
            done = min(state.members_done + BATCH_MEMBERS, state.members_wanted)
            await _enter_members(w, range(state.members_done, done), state, password_hash)
            await bulk.note_sample(w, members_done=done)
        progress(MEMBERS, done, state.members_wanted)
    if not state.is_finished:
        await _finish(works)
    return sign_ins()


async def _found(w: Work, members: int) -> None:
    """Everything but members, in one transaction."""
    federation = sample_unions.federation(members)
    await bulk.found_federation(w, sample.FEDERATION_NAME, id=sample.FEDERATION_ID)
    await bulk.enter_departments(w, federation.departments)
    await bulk.found_unions(w, federation.upper)
    await bulk.enter_employers(w, federation.employers)
    await bulk.found_unions(w, federation.grassroots)
    password_hash = await _hash(vault.Profile.STAFF)
    everybody = staff()
    await access.create_accounts(w, [_staff_account(one, password_hash) for one in everybody])
    await access.import_grants(w, [_staff_grant(one) for one in everybody])
    await bulk.enter_seats(w, list(_staff_seats(everybody)))
    await register_consultants(w, list(_consultants(everybody)))


async def _enter_members(w: Work, numbers: range, state: bulk.Sample, password_hash: str) -> None:
    """These members, their accounts, and the chairs among them."""
    blocks = sample.member_blocks(state.members_wanted)
    collector = next(one for one in staff() if one.role is Role.COLLECTOR)
    chairs = [block for block in blocks if block.count and block.first in numbers]
    await enter_members(
        w,
        [_member(number, _block_of(blocks, number)) for number in numbers],
        collected_by=sample.account_id(collector.number),
    )
    chaired = {block.first for block in chairs}
    await access.create_accounts(
        w, [_member_account(n, password_hash, is_staff=n in chaired) for n in numbers]
    )
    await access.import_grants(
        w,
        [
            NewGrant(sample.account_id(block.first), Role.CHAIR, sample.grassroots_id(block.union))
            for block in chairs
        ],
    )
    await bulk.enter_seats(
        w,
        [
            bulk.NewSeat(
                union_id=sample.grassroots_id(block.union),
                account_id=sample.account_id(block.first),
                post=Post.CHAIR,
                from_on=SEATED_ON,
            )
            for block in chairs
        ],
    )


async def _finish(works: Works) -> None:
    """Collectors sign their pledge, each for oneself; cadres publish; the sample is complete."""
    for one in staff():
        if one.role is Role.COLLECTOR:
            async with works.open(Actor(account_id=sample.account_id(one.number))) as w:
                await access.sign_pledge(w, PLEDGE_VERSION)
    await publish_samples(works)
    async with works.open(SYSTEM) as w:
        state = await bulk.hold_sample(w)
        await bulk.note_sample(w, members_done=state.members_done, is_finished=True)


async def _hash(profile: vault.Profile) -> str:
    # One hash for all: a sample of thousands would else take an hour of argon2.
    return await vault.hash_password(PASSWORD, profile=profile)


def _block_of(blocks: Sequence[sample.Block], number: int) -> sample.Block:
    at = bisect.bisect_right(blocks, number, key=lambda block: block.first) - 1
    return blocks[at]


def _member(number: int, block: sample.Block) -> NewMember:
    return NewMember(
        id=sample.member_id(number),
        union_id=sample.grassroots_id(block.union),
        name=sample.person_name(number),
        id_number=sample.person_id_number(number),
        phone=sample.person_phone(number),
        is_migrant=number % 3 == 0,
        from_on=sample.member_since(number),
    )


def _member_account(number: int, password_hash: str, *, is_staff: bool) -> NewAccount:
    return NewAccount(
        AccountKind.STAFF if is_staff else AccountKind.MEMBER,
        id=sample.account_id(number),
        phone=sample.person_phone(number),
        id_number=sample.person_id_number(number),
        password_hash=password_hash,
        member_id=sample.member_id(number),
    )


def _staff_account(one: Staff, password_hash: str) -> NewAccount:
    return NewAccount(
        AccountKind.STAFF,
        id=sample.account_id(one.number),
        phone=sample.person_phone(one.number),
        id_number=sample.person_id_number(one.number),
        password_hash=password_hash,
    )


def _staff_grant(one: Staff) -> NewGrant:
    return NewGrant(sample.account_id(one.number), one.role, one.union_id, one.hierarchy)


def _staff_seats(everybody: Sequence[Staff]) -> Iterator[bulk.NewSeat]:
    for one in everybody:
        if one.post is not None:
            yield bulk.NewSeat(
                union_id=one.union_id,
                account_id=sample.account_id(one.number),
                post=one.post,
                from_on=SEATED_ON,
            )


def _consultants(everybody: Sequence[Staff]) -> Iterator[NewConsultant]:
    for one in everybody:
        if one.service is not None:
            yield NewConsultant(
                id=sample.consultant_id(one.number),
                account_id=sample.account_id(one.number),
                service=one.service,
                display_name=f"{sample.person_name(one.number)}(示例)",
                specialities=one.specialities,
                introduction=f"{one.title},示例窗口。",
                state=one.window,
            )
