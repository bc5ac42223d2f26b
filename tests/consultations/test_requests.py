"""Windows, and what a member may ask of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from domain.consultations import queries, rules, service, windows
from domain.consultations.models import Service, Topic, Urgency, WindowState
from domain.kernel.errors import DomainError, Forbidden, NotFound
from domain.kernel.ids import new_id
from domain.kernel.pages import PageRequest
from domain.kernel.work import Works
from tests.support.announcing import RememberedAnnouncements
from tests.support.clock import FrozenClock
from tests.support.consultations import (
    ALL,
    a_consultant,
    a_leader,
    a_person,
    a_request,
    nothing_happens,
    refused,
    requested,
)

pytestmark = pytest.mark.usefixtures("test_keyring")


async def test_windows_show_names_specialities_and_who_is_there(works: Works) -> None:
    counsellor = await a_consultant(works, name="周老师")
    await a_consultant(works, Service.LEGAL_AID, name="陈律师")

    async with works.open(counsellor) as w:
        own = await windows.set_window_state(w, WindowState.BUSY, 2)
    page = await queries.list_consultants(a_person(), Service.COUNSELLING, PageRequest())

    assert (own["state"], own["capacity"], own["running_count"]) == ("busy", 2, 0)
    assert [(row["display_name"], row["state"]) for row in page.rows] == [("周老师", "busy")]
    assert page.rows[0]["specialities"] == ["情绪", "家庭"]
    assert "running_count" not in page.rows[0], "a window's load is its own"


async def test_only_the_program_registers_windows(
    works: Works, database: str, announcements: RememberedAnnouncements
) -> None:
    async with refused(Forbidden, database, announcements), works.open(a_leader()) as w:
        await windows.register_consultants(
            w, [windows.NewConsultant(new_id(), Service.COUNSELLING, "假")]
        )


async def test_a_request_waits_with_its_consent(
    works: Works, announcements: RememberedAnnouncements, clock: FrozenClock
) -> None:
    member, counsellor = a_person(), await a_consultant(works, state=WindowState.AWAY)

    case_id = await requested(works, member, topic=Topic.FAMILY, urgency=Urgency.URGENT)

    case = await queries.get_case(member, case_id)
    assert (case["state"], case["consent_version"], case["role"]) == ("requested", 1, "member")
    assert case["consented_at"] == clock.now()
    entry = await queries.get_queue_entry(counsellor, case_id)
    assert (entry["topic"], entry["urgency"], entry["is_addressed"]) == ("family", "urgent", False)
    told = announcements.events[-1]
    assert (told.kind, told.stream) == ("consultations.request_queued", "qu:counselling")
    assert str(member.account_id) not in str(told.body)


async def test_repeating_a_request_makes_no_second_one(
    works: Works, database: str, announcements: RememberedAnnouncements
) -> None:
    member, key = a_person(), new_id()
    case_id = await requested(works, member, client_key=key)

    async with nothing_happens(database, announcements):
        assert await requested(works, member, client_key=key) == case_id
    async with refused(rules.KeyReused, database, announcements):
        await requested(works, member, client_key=key, topic=Topic.FAMILY)


async def test_the_same_request_many_times_at_once_is_one_case(works: Works) -> None:
    member, key = a_person(), new_id()

    ids = await asyncio.gather(*(requested(works, member, client_key=key) for _ in range(6)))

    assert len(set(ids)) == 1


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"consent_version": 0}, rules.ConsentOutdated),
        ({"topic": Topic.WAGES}, rules.TopicMismatch),
        ({"addressed_to": new_id()}, NotFound),
    ],
)
async def test_a_request_that_cannot_be_is_refused(
    works: Works,
    database: str,
    announcements: RememberedAnnouncements,
    given: dict[str, Any],
    error: type[DomainError],
) -> None:
    async with refused(error, database, announcements), works.open(a_person()) as w:
        await service.request_consultation(w, a_request(**given))


async def test_a_request_is_addressed_within_its_service(
    works: Works, database: str, announcements: RememberedAnnouncements
) -> None:
    lawyer = await a_consultant(works, Service.LEGAL_AID)

    async with refused(NotFound, database, announcements):
        await requested(works, a_person(), addressed_to=lawyer.consultant_id)
    async with refused(rules.OwnService, database, announcements):
        await requested(works, lawyer, Service.LEGAL_AID)
    assert await requested(works, lawyer, Service.COUNSELLING), "the other service is open to them"


async def test_open_cases_are_bounded_even_when_asked_for_at_once(works: Works) -> None:
    member = a_person()

    outcomes = await asyncio.gather(
        *(requested(works, member) for _ in range(rules.OPEN_CASES_MAX + 2)),
        return_exceptions=True,
    )

    refusals = [outcome for outcome in outcomes if isinstance(outcome, rules.TooManyOpen)]
    assert len(refusals) == 2
    assert len((await queries.list_cases(member, ALL)).rows) == rules.OPEN_CASES_MAX
