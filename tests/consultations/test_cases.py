"""The course of a case: waited for, taken, declined, closed, taken up again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from domain.consultations import queries, queue, rules, service
from domain.consultations.models import CaseState, Urgency, WindowState
from domain.kernel.actor import Actor
from domain.kernel.errors import NotFound
from domain.kernel.ids import new_id
from domain.kernel.work import Works
from tests.support.announcing import RememberedAnnouncements
from tests.support.clock import FrozenClock
from tests.support.consultations import (
    ALL,
    a_consultant,
    a_person,
    nothing_happens,
    refused,
    requested,
    running,
    say,
    texts,
)

pytestmark = pytest.mark.usefixtures("test_keyring")


async def waiting(consultant: Actor) -> list[Any]:
    return [row["id"] for row in (await queries.list_queue(consultant, ALL)).rows]


async def load_of(consultant: Actor) -> int:
    load: int = (await queries.get_window(consultant))["running_count"]
    return load


async def test_the_oldest_request_is_served_first_and_none_is_lost(
    works: Works, clock: FrozenClock
) -> None:
    counsellor = await a_consultant(works, state=WindowState.AWAY)
    cases = []
    for urgency in (Urgency.ORDINARY, Urgency.ORDINARY, Urgency.URGENT):
        cases.append(await requested(works, a_person(), urgency=urgency))
        clock.advance(days=30)
    assert await waiting(counsellor) == cases

    taken = []
    for _ in range(4):
        async with works.open(counsellor) as w:
            case = await queue.take_next(w, new_id())
        taken.append(case and case["id"])

    assert taken == [*cases, None]
    assert await waiting(counsellor) == []


async def test_taking_next_again_with_the_same_key_takes_no_second_one(works: Works) -> None:
    counsellor, key = await a_consultant(works), new_id()
    for _ in range(3):
        await requested(works, a_person())

    async def take() -> Any:
        async with works.open(counsellor) as w:
            case = await queue.take_next(w, key)
        return case and case["id"]

    taken = await asyncio.gather(take(), take(), take())

    assert len(set(taken)) == 1
    assert len(await waiting(counsellor)) == 2


async def test_accepting_opens_the_conversation_and_tells_the_member(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    member, counsellor = a_person(), await a_consultant(works)
    case_id = await requested(works, member)
    announcements.events.clear()

    async with works.open(counsellor) as w:
        case = await queue.accept(w, case_id)

    assert (case["state"], case["role"]) == ("running", "consultant")
    assert case["consultant_id"] == counsellor.consultant_id
    talk = (await queries.select_conversations(member).page(member, ALL)).rows[0]["id"]
    assert {(event.kind, event.stream) for event in announcements.events} == {
        ("consultations.request_taken", "qu:counselling"),
        ("consultations.case_accepted", f"me:{member.account_id}"),
        ("consultations.case_accepted", f"cv:{talk}"),
    }
    assert await load_of(counsellor) == 1


async def test_accepting_again_changes_nothing(
    works: Works, database: str, announcements: RememberedAnnouncements
) -> None:
    counsellor = await a_consultant(works, capacity=1)
    case_id, _ = await running(works, a_person(), counsellor)

    async with nothing_happens(database, announcements), works.open(counsellor) as w:
        assert (await queue.accept(w, case_id))["id"] == case_id


async def test_of_two_who_accept_at_once_one_wins(works: Works) -> None:
    consultants = [await a_consultant(works) for _ in range(4)]
    case_id = await requested(works, a_person())

    async def accept(consultant: Actor) -> Any:
        async with works.open(consultant) as w:
            return await queue.accept(w, case_id)

    outcomes = await asyncio.gather(*map(accept, consultants), return_exceptions=True)

    assert sum(isinstance(outcome, rules.NoLongerWaiting) for outcome in outcomes) == 3
    assert sorted([await load_of(consultant) for consultant in consultants]) == [0, 0, 0, 1]


async def test_many_consultants_take_different_requests(works: Works) -> None:
    consultants = [await a_consultant(works) for _ in range(4)]
    cases = {await requested(works, a_person()) for _ in range(4)}

    async def take(consultant: Actor) -> Any:
        async with works.open(consultant) as w:
            case = await queue.take_next(w, new_id())
        return case and case["id"]

    assert set(await asyncio.gather(*map(take, consultants))) == cases


async def test_a_full_window_takes_nothing_until_a_case_ends(
    works: Works, database: str, announcements: RememberedAnnouncements
) -> None:
    counsellor = await a_consultant(works, capacity=1)
    case_id, _ = await running(works, a_person(), counsellor)
    second = await requested(works, a_person())

    async with refused(rules.WindowFull, database, announcements), works.open(counsellor) as w:
        await queue.accept(w, second)
    async with refused(rules.WindowFull, database, announcements), works.open(counsellor) as w:
        await queue.take_next(w, new_id())
    async with works.open(counsellor) as w:
        await service.close(w, case_id)
    async with works.open(counsellor) as w:
        assert (await queue.accept(w, second))["state"] == CaseState.RUNNING


async def test_a_request_by_name_is_for_that_consultant_alone(
    works: Works, database: str, announcements: RememberedAnnouncements
) -> None:
    named, colleague = await a_consultant(works), await a_consultant(works)
    case_id = await requested(works, a_person(), addressed_to=named.consultant_id)
    told = announcements.events[-1]

    assert told.stream == f"qu:{named.consultant_id}"
    assert await waiting(named) == [case_id]
    assert await waiting(colleague) == []
    for verb in (queue.accept, queue.decline):
        async with refused(NotFound, database, announcements), works.open(colleague) as w:
            await verb(w, case_id)
    async with works.open(colleague) as w:
        assert await queue.take_next(w, new_id()) is None


async def test_a_declined_request_waits_for_everybody_with_its_place_by_age(
    works: Works,
    database: str,
    announcements: RememberedAnnouncements,
    clock: FrozenClock,
) -> None:
    named, colleague = await a_consultant(works), await a_consultant(works)
    member = a_person()
    case_id = await requested(works, member, addressed_to=named.consultant_id)
    clock.advance(hours=1)
    younger = await requested(works, a_person())
    announcements.events.clear()

    async with works.open(named) as w:
        entry = await queue.decline(w, case_id)

    assert not entry["is_addressed"]
    assert await waiting(colleague) == [case_id, younger]
    assert (await queries.get_case(member, case_id))["addressed_to_id"] is None
    assert [(event.kind.split(".")[1], event.stream) for event in announcements.events] == [
        ("request_taken", f"qu:{named.consultant_id}"),
        ("request_queued", "qu:counselling"),
        ("request_declined", f"me:{member.account_id}"),
    ]
    async with refused(rules.NotAddressed, database, announcements), works.open(named) as w:
        await queue.decline(w, case_id)


async def test_a_withdrawn_request_leaves_the_queue_and_is_not_reopened(
    works: Works, database: str, announcements: RememberedAnnouncements
) -> None:
    member, counsellor = a_person(), await a_consultant(works)
    case_id = await requested(works, member)

    async with works.open(member) as w:
        assert (await service.close(w, case_id))["state"] == CaseState.CLOSED

    assert await waiting(counsellor) == []
    assert announcements.events[-1].kind == "consultations.request_taken"
    gone = refused(rules.NoLongerWaiting, database, announcements)
    async with gone, works.open(counsellor) as w:
        await queue.accept(w, case_id)
    async with refused(rules.WrongState, database, announcements), works.open(member) as w:
        await service.reopen(w, case_id)


async def test_withdrawing_and_accepting_at_once_never_deadlocks(works: Works) -> None:
    counsellor = await a_consultant(works, capacity=20)

    async def withdraw(member: Actor, case_id: Any) -> None:
        async with works.open(member) as w:
            await service.close(w, case_id)

    async def accept(case_id: Any) -> None:
        async with works.open(counsellor) as w:
            await queue.accept(w, case_id)

    for _ in range(10):
        member = a_person()
        case_id = await requested(works, member)
        outcomes = await asyncio.gather(
            withdraw(member, case_id), accept(case_id), return_exceptions=True
        )
        assert outcomes[0] is None
        assert outcomes[1] is None or isinstance(outcomes[1], rules.NoLongerWaiting)
    assert await waiting(counsellor) == []
    assert await load_of(counsellor) == 0


@pytest.mark.parametrize("by_member", [True, False])
async def test_either_closes_and_the_other_one_is_told(
    works: Works, database: str, announcements: RememberedAnnouncements, by_member: bool
) -> None:
    member, counsellor = a_person(), await a_consultant(works)
    case_id, talk = await running(works, member, counsellor)
    closer, other = (member, counsellor) if by_member else (counsellor, member)
    announcements.events.clear()

    async with works.open(closer) as w:
        case = await service.close(w, case_id)

    assert case["closed_by"] == ("member" if by_member else "consultant")
    assert [event.stream for event in announcements.events] == [
        f"cv:{talk}",
        f"me:{other.account_id}",
    ]
    async with nothing_happens(database, announcements), works.open(other) as w:
        await service.close(w, case_id)


async def test_the_member_takes_the_case_up_again_where_it_was(
    works: Works, database: str, announcements: RememberedAnnouncements
) -> None:
    member, counsellor = a_person(), await a_consultant(works, capacity=1)
    case_id, talk = await running(works, member, counsellor)
    await say(works, member, talk, "一")
    async with works.open(counsellor) as w:
        await service.close(w, case_id)
    other_case, _ = await running(works, a_person(), counsellor)
    announcements.events.clear()

    async with refused(rules.NotYourStep, database, announcements), works.open(counsellor) as w:
        await service.reopen(w, case_id)
    async with works.open(member) as w:
        case = await service.reopen(w, case_id)

    assert (case["state"], case["closed_at"], case["closed_by"]) == ("running", None, None)
    assert await load_of(counsellor) == 2, "who knows the case takes it over capacity"
    assert [event.stream for event in announcements.events] == [
        f"cv:{talk}",
        f"me:{counsellor.account_id}",
    ]
    await say(works, counsellor, talk, "二")
    assert await texts(member, talk) == [(1, "一"), (2, "二")]
    async with nothing_happens(database, announcements), works.open(member) as w:
        await service.reopen(w, case_id)
    assert other_case != case_id


async def test_cases_are_listed_newest_first_for_both(works: Works, clock: FrozenClock) -> None:
    member, counsellor = a_person(), await a_consultant(works)
    older, _ = await running(works, member, counsellor)
    clock.advance(days=1)
    newer, _ = await running(works, member, counsellor)
    async with works.open(member) as w:
        await service.close(w, older)

    for actor in (member, counsellor):
        ids = [row["id"] for row in (await queries.list_cases(actor, ALL)).rows]
        assert ids == [newer, older]
    closed = await queries.list_cases(member, ALL, state=CaseState.CLOSED)
    assert [row["id"] for row in closed.rows] == [older]
