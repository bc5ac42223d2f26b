"""Receipts: who may give them, what they prove, and that they are given once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.kernel.actor import NOBODY, Actor
from domain.kernel.database import fetch
from domain.kernel.errors import DomainError, NotFound, Unauthenticated
from domain.kernel.ids import new_id
from domain.kernel.work import Works
from domain.notices import rules, service
from domain.notices.receipts import confirm, mark_read, receive
from domain.notices.rules import Audience, Terms, Words
from tests.support.announcing import RememberedAnnouncements
from tests.support.clock import FrozenClock
from tests.support.matrix import Matrix, Spot, a_cadre, a_matrix, an_officer
from tests.support.notices import publish, refused, rows_of_notices
from tests.support.statements import counted_round_trips, counted_statements


async def evidence(notice_id: UUID) -> list[dict[str, Any]]:
    rows = await fetch("SELECT * FROM notice_receipt WHERE notice_id = $1 ORDER BY id", notice_id)
    return [dict(row) for row in rows]


async def to_the_east(works: Works, m: Matrix, terms: Terms | None = None) -> UUID:
    return await publish(works, a_cadre(m.east), m.east, Audience(zone_id=m.east.id), terms=terms)


async def confirm_as(works: Works, officer: Actor, notice_id: UUID, of: Spot, no: int = 1) -> bool:
    async with works.open(officer) as w:
        return bool((await confirm(w, notice_id, of.id, version_no=no))["is_late"])


async def test_receipts_are_evidence_with_version_union_person_and_instant(
    works: Works, clock: FrozenClock
) -> None:
    m = await a_matrix()
    notice_id, officer = await to_the_east(works, m), an_officer(m.a)
    began = clock.now()
    async with works.open(officer) as w:
        assert await receive(w, [notice_id]) == {notice_id}
    clock.advance(minutes=1)
    async with works.open(officer) as w:
        await mark_read(w, notice_id, version_no=1)
    clock.advance(minutes=1)
    await confirm_as(works, officer, notice_id, m.a)

    assert [
        (r["kind"], r["version_no"], r["union_id"], r["account_id"], r["at"] - began, r["is_late"])
        for r in await evidence(notice_id)
    ] == [
        ("delivered", 1, m.a.id, officer.account_id, timedelta(0), False),
        ("read", 1, m.a.id, officer.account_id, timedelta(minutes=1), False),
        ("confirmed", 1, m.a.id, officer.account_id, timedelta(minutes=2), False),
    ]


async def test_a_repeated_receipt_keeps_the_first_instant_even_at_the_same_moment(
    works: Works, clock: FrozenClock
) -> None:
    m = await a_matrix()
    notice_id, officer = await to_the_east(works, m), an_officer(m.a)

    async def give_all() -> None:
        async with works.open(officer) as w:
            await receive(w, [notice_id, notice_id])
            await mark_read(w, notice_id, version_no=1)
            await confirm(w, notice_id, m.a.id, version_no=1)

    await asyncio.gather(*(give_all() for _ in range(4)))
    first = await evidence(notice_id)
    clock.advance(days=1)
    await give_all()

    assert await evidence(notice_id) == first
    assert len(first) == 3


async def test_an_officer_of_two_recipients_reads_for_both_and_confirms_for_one(
    works: Works,
) -> None:
    m = await a_matrix()
    notice_id, officer = await to_the_east(works, m), an_officer(m.a, m.b, m.d)
    async with works.open(officer) as w:
        await receive(w, [notice_id])
        await mark_read(w, notice_id, version_no=1)
        await confirm(w, notice_id, m.b.id, version_no=1)
    given = {(row["kind"], row["union_id"]) for row in await evidence(notice_id)}
    assert given == {
        ("delivered", m.a.id),
        ("delivered", m.b.id),
        ("read", m.a.id),
        ("read", m.b.id),
        ("confirmed", m.b.id),
    }


async def test_two_officers_of_one_union_each_give_their_own(works: Works) -> None:
    m = await a_matrix()
    notice_id = await to_the_east(works, m)
    for officer in (an_officer(m.a), an_officer(m.a)):
        await confirm_as(works, officer, notice_id, m.a)
    assert len(await evidence(notice_id)) == 2


def _strangers(m: Matrix) -> list[tuple[Actor, type[DomainError]]]:
    return [
        (NOBODY, Unauthenticated),
        (Actor(account_id=new_id(), member_id=new_id()), NotFound),
        (an_officer(m.d), NotFound),
        (a_cadre(m.east), NotFound),
        (a_cadre(m.city), NotFound),
    ]


async def test_only_current_officers_of_a_recipient_give_receipts(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    m = await a_matrix()
    notice_id = await to_the_east(works, m)
    for actor, error in _strangers(m):
        async with refused(error, announcements), works.open(actor) as w:
            await mark_read(w, notice_id, version_no=1)
        for union in (m.a, m.d):
            async with refused(error, announcements), works.open(actor) as w:
                await confirm(w, notice_id, union.id, version_no=1)
    async with refused(NotFound, announcements):
        await confirm_as(works, an_officer(m.b), notice_id, m.a)


async def test_who_is_not_addressed_receives_nothing_and_is_told_nothing(works: Works) -> None:
    m = await a_matrix()
    notice_id = await to_the_east(works, m)
    before = await rows_of_notices()
    for actor, error in _strangers(m):
        async with works.open(actor) as w:
            if error is Unauthenticated:
                with pytest.raises(Unauthenticated):
                    await receive(w, [notice_id])
            else:
                assert await receive(w, [notice_id, new_id()]) == frozenset()
    assert await rows_of_notices() == before


async def test_a_page_of_notices_is_received_at_once_and_not_one_more(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    m = await a_matrix()
    ids = [new_id() for _ in range(rules.RECEIVE_NOTICES_MAX)]
    async with works.open(an_officer(m.a)) as w:
        assert await receive(w, ids) == frozenset()
    async with refused(rules.TooManyNotices, announcements), works.open(an_officer(m.a)) as w:
        await receive(w, [*ids, new_id()])


async def test_a_confirmation_is_in_time_at_the_due_instant_and_recorded_as_late_after_it(
    works: Works, clock: FrozenClock
) -> None:
    m = await a_matrix()
    due = clock.now() + timedelta(days=7)
    notice_id = await to_the_east(works, m, Terms(due, wants_confirmation=True))
    clock.advance(days=7)
    assert await confirm_as(works, an_officer(m.a), notice_id, m.a) is False
    clock.advance(microseconds=1)
    assert await confirm_as(works, an_officer(m.b), notice_id, m.b) is True
    async with works.open(an_officer(m.c)) as w:
        await mark_read(w, notice_id, version_no=1)
    assert [row["is_late"] for row in await evidence(notice_id)] == [False, True, False]


async def test_after_withdrawal_reading_counts_and_confirming_is_closed(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    m = await a_matrix()
    cadre, officer, early = a_cadre(m.east), an_officer(m.a), an_officer(m.b)
    notice_id = await publish(works, cadre, m.east, Audience(zone_id=m.east.id))
    await confirm_as(works, early, notice_id, m.b)
    async with works.open(cadre) as w:
        await service.withdraw(w, notice_id, reason="发错了")
    async with works.open(officer) as w:
        await receive(w, [notice_id])
        await mark_read(w, notice_id, version_no=1)
    async with refused(rules.ReceiptClosed, announcements):
        await confirm_as(works, officer, notice_id, m.a)
    # A repetition of what was confirmed in time is no new confirmation.
    assert await confirm_as(works, early, notice_id, m.b) is False


async def test_only_the_newest_text_is_confirmed_and_an_older_one_may_have_been_read(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    m = await a_matrix()
    cadre, officer = a_cadre(m.east), an_officer(m.a)
    notice_id = await publish(works, cadre, m.east, Audience(zone_id=m.east.id))
    async with works.open(cadre) as w:
        await service.correct(w, notice_id, Words("更正", "新"), reason="误", based_on_no=1)
    async with works.open(officer) as w:
        await mark_read(w, notice_id, version_no=1)
    async with refused(rules.VersionOutdated, announcements):
        await confirm_as(works, officer, notice_id, m.a, no=1)
    async with refused(rules.VersionUnknown, announcements):
        await confirm_as(works, officer, notice_id, m.a, no=3)
    await confirm_as(works, officer, notice_id, m.a, no=2)
    given = [(row["kind"], row["version_no"]) for row in await evidence(notice_id)]
    assert given == [("read", 1), ("confirmed", 2)]


async def test_what_wants_no_confirmation_is_not_confirmed(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    m = await a_matrix()
    notice_id = await to_the_east(works, m, Terms())
    async with refused(rules.ConfirmationNotWanted, announcements):
        await confirm_as(works, an_officer(m.a), notice_id, m.a)


async def test_receipts_leave_no_fact_but_a_nudge_after_the_commit(
    database: str, clock: FrozenClock, announcements: RememberedAnnouncements
) -> None:
    nudges: list[tuple[str, str]] = []
    works = Works(clock, announcements, lambda what, key: nudges.append((what, key)))
    m = await a_matrix()
    notice_id, officer = await to_the_east(works, m), an_officer(m.a)
    told = len(announcements.events)
    for _ in range(2):
        async with works.open(officer) as w:
            await receive(w, [notice_id])
            await confirm(w, notice_id, m.a.id, version_no=1)
            assert nudges in ([], [("notices.board", str(notice_id))])
    assert len(announcements.events) == told
    assert nudges == [("notices.board", str(notice_id))]


async def test_a_receipt_takes_one_or_two_statements(works: Works) -> None:
    m = await a_matrix()
    notice_id, officer = await to_the_east(works, m), an_officer(m.a)
    async with works.open(officer) as w:
        async with counted_statements() as receiving:
            await receive(w, [notice_id])
        async with counted_statements() as reading:
            await mark_read(w, notice_id, version_no=1)
        async with counted_statements() as confirming:
            await confirm(w, notice_id, m.a.id, version_no=1)
    assert (len(receiving), len(reading), len(confirming)) == (1, 2, 2)


async def test_an_ordinary_confirmation_is_one_round_trip_and_the_same_receipt(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    m = await a_matrix()
    notice_id, officer = await to_the_east(works, m), an_officer(m.a)
    async with counted_round_trips() as trips, works.open(officer) as w:
        given = await confirm(w, notice_id, m.a.id, version_no=1)
    assert [trip.split("(")[0] for trip in trips] == ["SELECT * FROM notice_confirm"]

    async with works.open(officer) as w:
        again = await confirm(w, notice_id, m.a.id, version_no=1)
    names = ("union_id", "account_id", "kind", "version_no", "at", "is_late")
    assert [given[name] for name in names] == [again[name] for name in names]
    (row,) = await evidence(notice_id)
    assert [given[name] for name in names] == [row[name] for name in names]


async def test_nobody_confirms_at_once_what_is_not_theirs(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    m = await a_matrix()
    notice_id = await to_the_east(works, m)
    for actor, union in ((an_officer(m.d), m.d), (an_officer(m.d), m.a), (a_cadre(m.city), m.a)):
        async with refused(NotFound, announcements), works.open(actor) as w:
            await confirm(w, notice_id, union.id, version_no=1)
