"""Reminding who has not answered (催办): whom it reaches, how often, and who may."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from domain.kernel.actor import NOBODY, Actor
from domain.kernel.errors import DomainError, NotFound, Unauthenticated
from domain.kernel.ids import new_id
from domain.kernel.pages import PageRequest
from domain.kernel.work import Works
from domain.notices import rules, service
from domain.notices.models import ReceiptKind
from domain.notices.nudging import NUDGE_EVERY, NobodySilent, NudgedRecently, nudge
from domain.notices.queries import select_silent
from domain.notices.receipts import confirm, mark_read
from domain.notices.rules import Audience, Terms
from tests.support.announcing import RememberedAnnouncements
from tests.support.clock import FrozenClock
from tests.support.matrix import Matrix, a_cadre, a_matrix, an_officer
from tests.support.notices import publish, refused


async def nudged(works: Works, actor: Actor, notice_id: UUID) -> int:
    async with works.open(actor) as w:
        return await nudge(w, notice_id)


async def to_the_east(works: Works, m: Matrix, *, wants_confirmation: bool = True) -> UUID:
    """To a, b, c; a has confirmed if that is asked for, b has read."""
    terms = Terms(wants_confirmation=wants_confirmation)
    notice_id = await publish(
        works, a_cadre(m.east), m.east, Audience(zone_id=m.east.id), terms=terms
    )
    if wants_confirmation:
        async with works.open(an_officer(m.a)) as w:
            await confirm(w, notice_id, m.a.id, version_no=1)
    async with works.open(an_officer(m.b)) as w:
        await mark_read(w, notice_id, version_no=1)
    return notice_id


@pytest.mark.parametrize(("wants_confirmation", "reminded"), [(True, "bc"), (False, "ac")])
async def test_only_who_owes_an_answer_is_reminded(
    works: Works,
    announcements: RememberedAnnouncements,
    clock: FrozenClock,
    wants_confirmation: bool,
    reminded: str,
) -> None:
    m = await a_matrix()
    notice_id = await to_the_east(works, m, wants_confirmation=wants_confirmation)
    before = len(announcements.events)

    assert await nudged(works, a_cadre(m.east), notice_id) == len(reminded)

    told = announcements.events[before:]
    unions = {f"ou:{getattr(m, name).id}" for name in reminded}
    assert {event.stream for event in told} == {*unions, f"nt:{notice_id}"}
    assert {event.kind for event in told} == {"notices.nudged"}
    assert told[0].body == {"notice_id": str(notice_id), "version_no": 1, "reply_by": None}
    assert (await service.get_notice(an_officer(m.c), notice_id))["nudged_at"] == clock.now()


async def test_a_day_lies_between_two_reminders_even_at_the_same_moment(
    works: Works, announcements: RememberedAnnouncements, clock: FrozenClock
) -> None:
    m = await a_matrix()
    cadre = a_cadre(m.east)
    notice_id = await to_the_east(works, m)
    outcomes = await asyncio.gather(
        *(nudged(works, cadre, notice_id) for _ in range(3)), return_exceptions=True
    )
    assert sorted(str(type(each).__name__) for each in outcomes) == [
        "NudgedRecently",
        "NudgedRecently",
        "int",
    ]
    clock.advance(seconds=(NUDGE_EVERY - timedelta(seconds=1)).total_seconds())
    async with refused(NudgedRecently, announcements):
        await nudged(works, cadre, notice_id)
    clock.advance(seconds=1)
    assert await nudged(works, cadre, notice_id) == 2


async def test_nobody_is_reminded_when_all_have_answered_or_it_is_withdrawn(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    m = await a_matrix()
    cadre = a_cadre(m.east)
    notice_id = await to_the_east(works, m)
    for union in (m.b, m.c):
        async with works.open(an_officer(union)) as w:
            await confirm(w, notice_id, union.id, version_no=1)
    async with refused(NobodySilent, announcements):
        await nudged(works, cadre, notice_id)
    async with works.open(cadre) as w:
        await service.withdraw(w, notice_id, reason="误发")
    async with refused(rules.Withdrawn, announcements):
        await nudged(works, cadre, notice_id)


async def test_only_the_publishing_unions_cadres_remind(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    m = await a_matrix()
    notice_id = await to_the_east(works, m)
    strangers: list[tuple[Actor, type[DomainError]]] = [
        (NOBODY, Unauthenticated),
        (Actor(account_id=new_id(), member_id=new_id()), NotFound),
        (an_officer(m.a), NotFound),
        (a_cadre(m.west), NotFound),
        (a_cadre(m.city), rules.NotPublisher),
    ]
    for actor, error in strangers:
        async with refused(error, announcements):
            await nudged(works, actor, notice_id)


async def test_who_has_not_is_listed_by_zone_and_by_line(works: Works) -> None:
    m = await a_matrix()
    cadre = a_cadre(m.city)
    named = Audience(union_ids=(m.a.id, m.b.id, m.c.id, m.d.id))
    notice_id = await publish(works, cadre, m.city, named)

    async def silent(under: UUID) -> set[UUID]:
        found = await select_silent(cadre, notice_id, ReceiptKind.CONFIRMED, under)
        return {row["id"] for row in (await found.page(cadre, PageRequest())).rows}

    assert await silent(m.east.id) == {m.a.id, m.b.id, m.c.id}
    assert await silent(m.metal.id) == {m.a.id, m.b.id, m.d.id}
    assert await silent(m.textile.id) == set()
