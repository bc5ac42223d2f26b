"""Who may do and see what: every verb by every kind of caller, and the database's own word."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio

from domain.consultations import handovers, messages, queries, queue, rules, service, windows
from domain.consultations.models import Service, WindowState
from domain.kernel.actor import SYSTEM, Actor
from domain.kernel.database import SERVER_ROLE, fetch, fetch_as
from domain.kernel.errors import DomainError, Forbidden, NotFound, Unauthenticated
from domain.kernel.ids import new_id
from domain.kernel.work import Work, Works
from tests.support.announcing import RememberedAnnouncements
from tests.support.consultations import (
    ALL,
    CALLERS,
    World,
    a_world,
    refused,
    say,
    texts,
)
from tests.support.statements import counted_statements

TABLES = ("case", "conversation", "participant", "message", "mark", "handover", "queue_entry")


@pytest_asyncio.fixture
async def world(works: Works, test_keyring: object) -> World:
    return await a_world(works)


Verb = Callable[[Work, World], Awaitable[Any]]
Outcome = type[DomainError] | None
_PARTY: Mapping[str, Outcome] = {
    "nobody": Unauthenticated,
    "stranger": NotFound,
    "leader": NotFound,
    "member": None,
    "colleague": NotFound,
    "lawyer": NotFound,
    "consultant": None,
}
_OF_SERVICE: Mapping[str, Outcome] = {
    "nobody": Unauthenticated,
    "stranger": Forbidden,
    "leader": Forbidden,
    "member": Forbidden,
    "colleague": None,
    "lawyer": NotFound,
    "consultant": None,
}
_WINDOW = {**_OF_SERVICE, "lawyer": None}

TABLE: Mapping[str, tuple[Verb, Mapping[str, Outcome]]] = {
    "get_case": (lambda w, s: queries.get_case(w.actor, s.case), _PARTY),
    "get_conversation": (lambda w, s: queries.get_conversation(w.actor, s.conversation), _PARTY),
    "list_messages": (lambda w, s: queries.list_messages(w.actor, s.conversation, ALL), _PARTY),
    "first_offset": (lambda w, s: queries.first_offset(w.actor, s.conversation), _PARTY),
    "send_message": (
        lambda w, s: messages.send_message(w, s.conversation, client_key=new_id(), text="嗯"),
        _PARTY,
    ),
    "mark_delivered": (lambda w, s: messages.mark_delivered(w, s.conversation, 1), _PARTY),
    "mark_read": (lambda w, s: messages.mark_read(w, s.conversation, 1), _PARTY),
    "attach": (
        lambda w, s: messages.attach(w.actor, s.conversation),
        {
            **_PARTY,
            "member": rules.AttachmentsUnavailable,
            "consultant": rules.AttachmentsUnavailable,
        },
    ),
    "close": (lambda w, s: service.close(w, s.case), _PARTY),
    "reopen": (
        lambda w, s: service.reopen(w, s.case),
        {**_PARTY, "consultant": rules.NotYourStep},
    ),
    "request_handover": (
        lambda w, s: handovers.request_handover(w, s.case, _window(s.colleague)),
        {**_PARTY, "member": rules.NotYourStep},
    ),
    "consent_to_handover": (
        lambda w, s: handovers.consent_to_handover(w, s.handover, shares_past=True),
        {**_PARTY, "consultant": rules.NotYourStep},
    ),
    "refuse_handover": (lambda w, s: handovers.refuse_handover(w, s.handover), _PARTY),
    "list_queue": (lambda w, s: queries.list_queue(w.actor, ALL), _WINDOW),
    "accept": (lambda w, s: queue.accept(w, s.waiting), _OF_SERVICE),
    "accept a running case": (
        lambda w, s: queue.accept(w, s.case),
        {**_OF_SERVICE, "colleague": rules.NoLongerWaiting},
    ),
    "take_next": (lambda w, s: queue.take_next(w, new_id()), _WINDOW),
    "decline": (
        lambda w, s: queue.decline(w, s.waiting),
        {**_OF_SERVICE, "colleague": rules.NotAddressed, "consultant": rules.NotAddressed},
    ),
    "set_window_state": (
        lambda w, s: windows.set_window_state(w, WindowState.BUSY, 3),
        _WINDOW,
    ),
    "get_window": (lambda w, s: queries.get_window(w.actor), _WINDOW),
    "list_consultants": (
        lambda w, s: queries.list_consultants(w.actor, Service.COUNSELLING, ALL),
        {**dict.fromkeys(CALLERS), "nobody": Unauthenticated},
    ),
}


def _window(actor: Actor) -> UUID:
    assert actor.consultant_id is not None
    return actor.consultant_id


@pytest.mark.parametrize("verb", TABLE)
async def test_a_refused_caller_gets_the_code_and_nothing_happens(
    world: World, works: Works, database: str, announcements: RememberedAnnouncements, verb: str
) -> None:
    act, outcomes = TABLE[verb]
    assert set(outcomes) == set(CALLERS)
    for caller, expected in outcomes.items():
        if expected is not None:
            refusal = refused(expected, database, announcements)
            async with refusal, works.open(world.actors[caller]) as w:
                await act(w, world)


@pytest.mark.parametrize(
    ("verb", "caller"),
    [(verb, caller) for verb, row in TABLE.items() for caller in CALLERS if row[1][caller] is None],
)
async def test_an_allowed_caller_is_allowed(
    world: World, works: Works, verb: str, caller: str
) -> None:
    async with works.open(world.actors[caller]) as w:
        await TABLE[verb][0](w, world)


@pytest.mark.parametrize("caller", CALLERS)
async def test_lists_hold_one_s_own_only(world: World, caller: str) -> None:
    actor = world.actors[caller]
    if caller == "nobody":
        with pytest.raises(Unauthenticated):
            await queries.list_cases(actor, ALL)
        return
    takes_part = caller in ("member", "consultant")

    assert bool((await queries.list_cases(actor, ALL)).rows) is takes_part
    assert bool(await queries.cases_by_id(actor, [world.case])) is takes_part
    assert bool(await queries.conversations_by_id(actor, [world.conversation])) is takes_part
    assert bool(await queries.handovers_by_id(actor, [world.handover])) is takes_part
    assert await queries.select_cases(actor).count(actor) == int(takes_part)


@pytest.mark.parametrize("caller", CALLERS)
async def test_the_database_itself_shows_rows_to_the_two_people_only(
    world: World, caller: str
) -> None:
    seen = {
        table: len(await fetch_as(world.actors[caller], f"SELECT 1 FROM consultation_{table}"))
        for table in TABLES
    }

    takes_part = caller in ("member", "consultant")
    entries = 2 if caller in ("consultant", "colleague") else 0
    assert seen == {
        "case": int(takes_part),
        "conversation": int(takes_part),
        "participant": 2 * takes_part,
        "message": int(takes_part),
        "mark": 2 * takes_part,
        "handover": int(takes_part),
        "queue_entry": entries,
    }


async def test_without_an_actor_or_as_the_program_no_protected_row_shows(world: World) -> None:
    for table in TABLES:
        assert await fetch(f"SELECT 1 FROM consultation_{table}") == []
        assert await fetch_as(SYSTEM, f"SELECT 1 FROM consultation_{table}") == []


async def test_policies_bind_the_owner_of_the_tables_too(world: World, database: str) -> None:
    owner = await asyncpg.connect(database)
    try:
        rows = await owner.fetch(
            "SELECT relname, relrowsecurity AND relforcerowsecurity AS is_forced FROM pg_class"
            " WHERE relkind = 'r' AND relname LIKE 'consultation_%'"
        )
    finally:
        await owner.close()

    forced = {row["relname"] for row in rows if row["is_forced"]}
    assert forced == {f"consultation_{table}" for table in TABLES}


async def test_a_queue_entry_holds_nothing_that_tells_whose_it_is(world: World) -> None:
    rows = await fetch_as(world.colleague, "SELECT * FROM consultation_queue_entry")

    assert {column for row in rows for column in dict(row)} == {
        "case_id",
        "service",
        "state",
        "addressed_to_id",
        "topic",
        "urgency",
        "requested_at",
        "taken_by_id",
    }
    assert str(world.member.account_id) not in str([dict(row) for row in rows])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE consultation_message SET role = 'member'",
        "DELETE FROM consultation_message",
    ],
)
async def test_no_message_is_altered_or_removed_even_by_its_sender(
    world: World, works: Works, statement: str
) -> None:
    async with works.open(world.member) as w:
        assert await w.execute(statement) == 0

    assert await texts(world.member, world.conversation) == [(1, "只有你知道")]


@pytest.mark.parametrize("table", TABLES)
async def test_the_program_deletes_no_row(world: World, works: Works, table: str) -> None:
    for actor in (world.member, world.consultant, SYSTEM):
        async with works.open(actor) as w:
            assert await w.execute(f"DELETE FROM consultation_{table}") == 0


async def test_nobody_puts_a_case_in_somebody_else_s_name(world: World, works: Works) -> None:
    sql = (
        "INSERT INTO consultation_case (id, service, topic, urgency, requested_at, consented_at,"
        " state, member_account_id, consent_version, client_key)"
        " VALUES ($1, 'counselling', 'other', 'ordinary', now(), now(), 'requested', $2, 1, $3)"
    )
    for actor in (world.consultant, world.leader, world.stranger):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with works.open(actor) as w:
                await w.execute(sql, new_id(), world.member.account_id, new_id())


async def test_nobody_writes_as_somebody_else(world: World, works: Works) -> None:
    row = (new_id(), world.conversation, 2, world.member.account_id, "member", new_id(), b"?")
    sql = (
        "INSERT INTO consultation_message (id, conversation_id, seq, sender_account_id, role,"
        " client_key, body, sent_at) VALUES ($1, $2, $3, $4, $5, $6, $7, now())"
    )
    for actor in (world.consultant, world.colleague, world.stranger):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with works.open(actor) as w:
                await w.execute(sql, *row)


async def test_a_consultant_who_lost_the_capability_reads_nothing(world: World) -> None:
    former = Actor(
        account_id=world.consultant.account_id, consultant_id=world.consultant.consultant_id
    )

    for read in (
        lambda: queries.get_case(former, world.case),
        lambda: queries.first_offset(former, world.conversation),
        lambda: queries.list_messages(former, world.conversation, ALL),
    ):
        with pytest.raises(NotFound):
            await read()
    with pytest.raises(Forbidden):
        await queries.list_queue(former, ALL)


async def test_an_unknown_id_and_a_stranger_s_get_the_same_answer_by_the_same_statements(
    world: World, works: Works, database: str, announcements: RememberedAnnouncements
) -> None:
    acts: list[Callable[[Work, UUID, UUID, UUID], Awaitable[Any]]] = [
        lambda w, case, talk, wish: queries.get_case(w.actor, case),
        lambda w, case, talk, wish: queries.list_messages(w.actor, talk, ALL),
        lambda w, case, talk, wish: messages.mark_read(w, talk, 1),
        lambda w, case, talk, wish: service.close(w, case),
        lambda w, case, talk, wish: service.reopen(w, case),
        lambda w, case, talk, wish: handovers.request_handover(w, case, new_id()),
        lambda w, case, talk, wish: handovers.refuse_handover(w, wish),
    ]
    known = (world.case, world.conversation, world.handover)
    for act in acts:
        sent: list[list[str]] = []
        for ids in (known, (new_id(), new_id(), new_id())):
            absent = refused(NotFound, database, announcements)
            async with absent, works.open(world.stranger) as w, counted_statements() as statements:
                await act(w, *ids)
            sent.append(list(statements))
        assert sent[0] == sent[1]


async def test_logs_hold_no_text_and_no_name(
    world: World, works: Works, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        await say(works, world.member, world.conversation, "canary-金丝雀")
        with pytest.raises(DomainError):
            await say(works, world.stranger, world.conversation, "canary-金丝雀")
        await texts(world.consultant, world.conversation)

    told = caplog.text
    assert "canary" not in told
    assert "金丝雀" not in told


async def test_the_program_runs_as_a_role_that_owns_nothing(world: World) -> None:
    assert (await fetch("SELECT current_user AS name"))[0]["name"] == SERVER_ROLE


async def test_queue_facts_name_no_member(
    world: World, announcements: RememberedAnnouncements
) -> None:
    people = {str(actor.account_id) for actor in world.actors.values() if actor.account_id}
    in_queues = [event for event in announcements.events if event.stream.startswith("qu:")]

    assert in_queues
    assert not [event for event in in_queues for person in people if person in str(event.body)]
