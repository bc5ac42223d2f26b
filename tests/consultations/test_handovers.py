"""Handing over: nothing without the member's consent; then the old one is cut off at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from domain.consultations import handovers, messages, queries, rules, service
from domain.consultations.models import Service
from domain.kernel.actor import Actor
from domain.kernel.errors import DomainError, NotFound
from domain.kernel.ids import new_id
from domain.kernel.streams import read_events, stream_states
from domain.kernel.work import Works
from tests.support.announcing import RememberedAnnouncements
from tests.support.consultations import (
    ALL,
    a_consultant,
    a_person,
    handed_over,
    nothing_happens,
    refused,
    running,
    say,
    texts,
)

pytestmark = pytest.mark.usefixtures("test_keyring")


async def ask(works: Works, actor: Actor, case_id: Any, to: Actor) -> Any:
    assert to.consultant_id is not None
    async with works.open(actor) as w:
        return (await handovers.request_handover(w, case_id, to.consultant_id))["id"]


async def test_asking_changes_nothing_but_tells_the_member(
    works: Works, database: str, announcements: RememberedAnnouncements
) -> None:
    member, old, new = a_person(), await a_consultant(works), await a_consultant(works)
    case_id, talk = await running(works, member, old)
    announcements.events.clear()

    handover_id = await ask(works, old, case_id, new)

    assert [event.stream for event in announcements.events] == [
        f"cv:{talk}",
        f"me:{member.account_id}",
    ]
    with pytest.raises(NotFound):
        await queries.get_case(new, case_id)
    assert await say(works, old, talk, "我还在") == 1
    async with nothing_happens(database, announcements):
        assert await ask(works, old, case_id, new) == handover_id
    third = await a_consultant(works)
    async with refused(rules.HandoverPending, database, announcements):
        await ask(works, old, case_id, third)


@pytest.mark.parametrize("shares_past", [True, False])
async def test_the_new_one_sees_from_then_on_unless_the_past_is_shared(
    works: Works, announcements: RememberedAnnouncements, shares_past: bool
) -> None:
    member, old, new = a_person(), await a_consultant(works), await a_consultant(works)
    case_id, talk = await running(works, member, old)
    await say(works, member, talk, "以前")
    top = (await stream_states([f"cv:{talk}"]))[f"cv:{talk}"].top

    await handed_over(works, member, old, new, case_id, shares_past=shares_past)
    await say(works, new, talk, "以后")

    past = [(1, "以前")] if shares_past else []
    assert await texts(new, talk) == [*past, (2, "以后")]
    assert await texts(member, talk) == [(1, "以前"), (2, "以后")]
    # One more fact than the message: the member was asked.
    first = 1 if shares_past else top + 2
    assert await queries.first_offset(new, talk) == first
    events = await read_events((await stream_states([f"cv:{talk}"]))[f"cv:{talk}"], top + 1)
    assert events[0].kind == "consultations.handed_over"
    assert events[0].is_authority
    assert (events[0].offset, first <= events[0].offset) == (top + 2, True)
    assert f"me:{new.account_id}" in [event.stream for event in announcements.events]


async def test_the_old_one_is_cut_off_at_once(
    works: Works, database: str, announcements: RememberedAnnouncements
) -> None:
    member, old, new = a_person(), await a_consultant(works), await a_consultant(works)
    case_id, talk = await running(works, member, old)
    key = new_id()
    await say(works, old, talk, "一", key=key)
    handover_id = await handed_over(works, member, old, new, case_id, shares_past=True)

    async def attempts() -> list[BaseException | None]:
        found: list[BaseException | None] = []
        for verb in (
            lambda w: messages.send_message(w, talk, client_key=new_id(), text="?"),
            lambda w: messages.send_message(w, talk, client_key=key, text="一"),
            lambda w: messages.mark_read(w, talk, 1),
            lambda w: service.close(w, case_id),
            lambda w: handovers.refuse_handover(w, handover_id),
            lambda w: queries.list_messages(w.actor, talk, ALL),
            lambda w: queries.get_case(w.actor, case_id),
            lambda w: queries.first_offset(w.actor, talk),
        ):
            try:
                async with works.open(old) as w:
                    await verb(w)
            except DomainError as error:
                found.append(error)
        return found

    async with nothing_happens(database, announcements):
        refusals = await attempts()

    assert [type(refusal) for refusal in refusals] == [NotFound] * 8
    assert (await queries.list_cases(old, ALL)).rows == []
    loads = [(await queries.get_window(actor))["running_count"] for actor in (old, new)]
    assert loads == [0, 1]


async def test_a_message_under_way_is_either_before_the_hand_over_or_refused(works: Works) -> None:
    member, old, new = a_person(), await a_consultant(works), await a_consultant(works)
    case_id, talk = await running(works, member, old)
    handover_id = await ask(works, old, case_id, new)

    async def consent() -> None:
        async with works.open(member) as w:
            await handovers.consent_to_handover(w, handover_id, shares_past=False)

    outcomes = await asyncio.gather(
        *(say(works, old, talk, f"{n}") for n in range(4)),
        consent(),
        *(say(works, old, talk, f"{n}") for n in range(4)),
        return_exceptions=True,
    )

    sent = [outcome for outcome in outcomes if isinstance(outcome, int)]
    assert all(isinstance(o, (int, NotFound, type(None))) for o in outcomes)
    spans = (await queries.select_participants({"id": talk}).page(member, ALL)).rows
    until = next(row["until_seq"] for row in spans if row["ended_at"] is not None)
    assert sorted(sent) == list(range(1, until + 1))
    assert await texts(new, talk) == []


async def test_who_can_read_it_is_shown_to_both(works: Works) -> None:
    member, old, new = a_person(), await a_consultant(works), await a_consultant(works)
    case_id, talk = await running(works, member, old)
    await say(works, member, talk, "一")
    await handed_over(works, member, old, new, case_id)

    for actor in (member, new):
        rows = (await queries.select_participants({"id": talk}).page(actor, ALL)).rows
        told = {
            (row["role"], row["consultant_id"], row["from_seq"], row["until_seq"]) for row in rows
        }
        assert told == {
            ("member", None, 1, None),
            ("consultant", old.consultant_id, 1, 1),
            ("consultant", new.consultant_id, 2, None),
        }


async def test_only_the_member_consents(
    works: Works, database: str, announcements: RememberedAnnouncements
) -> None:
    member, old, new = a_person(), await a_consultant(works), await a_consultant(works)
    case_id, _ = await running(works, member, old)
    handover_id = await ask(works, old, case_id, new)

    for actor, error in ((old, rules.NotYourStep), (new, NotFound), (a_person(), NotFound)):
        async with refused(error, database, announcements), works.open(actor) as w:
            await handovers.consent_to_handover(w, handover_id, shares_past=True)


@pytest.mark.parametrize("by_member", [True, False])
async def test_a_refused_hand_over_leaves_the_case_where_it_is(
    works: Works, database: str, announcements: RememberedAnnouncements, by_member: bool
) -> None:
    member, old, new = a_person(), await a_consultant(works), await a_consultant(works)
    case_id, talk = await running(works, member, old)
    handover_id = await ask(works, old, case_id, new)

    async with works.open(member if by_member else old) as w:
        row = await handovers.refuse_handover(w, handover_id)

    assert row["state"] == "refused"
    async with refused(rules.WrongState, database, announcements), works.open(member) as w:
        await handovers.consent_to_handover(w, handover_id, shares_past=True)
    async with nothing_happens(database, announcements), works.open(member) as w:
        await handovers.refuse_handover(w, handover_id)
    assert await say(works, old, talk, "好的") == 1
    assert await ask(works, old, case_id, new) != handover_id


async def test_repeating_the_consent_changes_nothing(
    works: Works, database: str, announcements: RememberedAnnouncements
) -> None:
    member, old, new = a_person(), await a_consultant(works), await a_consultant(works)
    case_id, _ = await running(works, member, old)
    handover_id = await handed_over(works, member, old, new, case_id, shares_past=False)

    async with nothing_happens(database, announcements), works.open(member) as w:
        await handovers.consent_to_handover(w, handover_id, shares_past=False)
    async with refused(rules.WrongState, database, announcements), works.open(member) as w:
        await handovers.consent_to_handover(w, handover_id, shares_past=True)


async def test_a_case_goes_to_a_free_window_of_its_own_service(
    works: Works, database: str, announcements: RememberedAnnouncements
) -> None:
    member, old = a_person(), await a_consultant(works)
    full, lawyer = (
        await a_consultant(works, capacity=1),
        await a_consultant(works, Service.LEGAL_AID),
    )
    await running(works, a_person(), full)
    case_id, _ = await running(works, member, old)

    for target in (old, lawyer):
        async with refused(rules.WrongTarget, database, announcements):
            await ask(works, old, case_id, target)
    async with refused(NotFound, database, announcements), works.open(old) as w:
        await handovers.request_handover(w, case_id, new_id())
    handover_id = await ask(works, old, case_id, full)
    async with refused(rules.WindowFull, database, announcements), works.open(member) as w:
        await handovers.consent_to_handover(w, handover_id, shares_past=True)


async def test_closing_ends_a_wish_to_hand_over(
    works: Works, database: str, announcements: RememberedAnnouncements
) -> None:
    member, old, new = a_person(), await a_consultant(works), await a_consultant(works)
    case_id, _ = await running(works, member, old)
    handover_id = await ask(works, old, case_id, new)
    async with works.open(old) as w:
        await service.close(w, case_id)

    async with refused(rules.WrongState, database, announcements), works.open(member) as w:
        await handovers.consent_to_handover(w, handover_id, shares_past=True)
    async with refused(rules.WrongState, database, announcements):
        await ask(works, old, case_id, new)


async def test_who_gets_a_case_back_sees_from_then_on_only(
    works: Works, database: str, announcements: RememberedAnnouncements
) -> None:
    member, old, new = a_person(), await a_consultant(works), await a_consultant(works)
    case_id, talk = await running(works, member, old)
    key = new_id()
    await say(works, old, talk, "一", key=key)
    await handed_over(works, member, old, new, case_id)
    await say(works, new, talk, "二")
    await handed_over(works, member, new, old, case_id)
    async with refused(rules.KeyReused, database, announcements):
        await say(works, old, talk, "一", key=key)
    await say(works, member, talk, "三")

    assert await texts(old, talk) == [(3, "三")]
    seen = await queries.get_conversation(old, talk)
    assert (seen["from_seq"], seen["unread_count"]) == (3, 1)
