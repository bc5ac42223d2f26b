"""Reads of consultations: the access functions. Every row leaves through one of these.

A consultant's part needs the capability CONSULT still; whoever is no party gets what an unknown id
gets, by the same statement. Row-level security says the same again in the database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from domain.consultations.listings import (
    CASES,
    CONSULTANTS,
    CONVERSATIONS,
    HANDOVERS,
    MESSAGES,
    PARTICIPANTS,
    QUEUE,
    UNREAD,
    WAITING,
    WINDOWS,
)
from domain.consultations.models import CaseState, Service
from domain.consultations.sealing import conversation_key, open_message
from domain.kernel.actor import Actor
from domain.kernel.capabilities import Capability
from domain.kernel.database import Record, fetch_as
from domain.kernel.errors import Forbidden, NotFound
from domain.kernel.pages import ById, Listing, Page, PageRequest, Selection, Where

_ANY = Where()


def party(actor: Actor, alias: str, where: Where = _ANY) -> Where:
    """Rows of ``alias`` in which the actor is one of the two people now. Raises Unauthenticated."""
    account = actor.account()
    if actor.has(Capability.CONSULT):
        return where.and_(
            f"{alias}.member_account_id = {{0}} OR {alias}.consultant_account_id = {{0}}", account
        )
    return where.and_(f"{alias}.member_account_id = {{0}}", account)


def select_consultants(actor: Actor, *, service: Service | None = None) -> Selection:
    """Who works in the windows (窗口), and whether they are there: for whoever is signed in."""
    actor.account()
    where = Where() if service is None else Where().and_("k.service = {0}", service.value)
    return Selection(CONSULTANTS, where)


async def list_consultants(actor: Actor, service: Service, request: PageRequest) -> Page:
    """One page of a service's consultants, by name."""
    return await select_consultants(actor, service=service).page(actor, request)


def _for_the_signed_in(actor: Actor, where: Where) -> Where:
    actor.account()
    return where


consultants_by_id = ById(CONSULTANTS, _for_the_signed_in)
"""Consultants, for whoever is signed in. Raises Unauthenticated."""


async def accounts_of_windows(actor: Actor, service: Service) -> Mapping[UUID, UUID]:
    """The windows of a service by their consultants' accounts, for telling who is present."""
    actor.account()
    rows = await _rows(actor, CONSULTANTS, Where().and_("k.service = {0}", service.value))
    return {row["account_id"]: row["id"] for row in rows}


async def get_window(actor: Actor) -> Record:
    """The actor's own window with its load. Raises Forbidden: the actor has none."""
    rows = await _rows(actor, WINDOWS, Where().and_("k.id = {0}", ensure_consultant(actor)))
    return _only(rows)


def select_cases(actor: Actor, *, state: CaseState | None = None) -> Selection:
    """The actor's cases, as member and as consultant, newest first."""
    where = party(actor, "c")
    return Selection(CASES, where if state is None else where.and_("c.state = {0}", state.value))


async def list_cases(actor: Actor, request: PageRequest, *, state: CaseState | None = None) -> Page:
    """One page of the actor's cases."""
    return await select_cases(actor, state=state).page(actor, request)


cases_by_id = ById(CASES, lambda actor, where: party(actor, "c", where))
"""Of these ids, the cases in which the actor takes part. Raises Unauthenticated."""


async def get_case(actor: Actor, case_id: UUID) -> Record:
    """The case. Raises NotFound: absent and somebody else's look alike."""
    return _only((await cases_by_id(actor, [case_id])).values())


def select_queue(actor: Actor) -> Selection:
    """What waits for the actor: the own service's requests and those addressed to them, by age."""
    consultant = ensure_consultant(actor)
    return Selection(QUEUE, waiting_for(consultant).and_("e.state = 'requested'"))


async def get_queue_entry(actor: Actor, case_id: UUID) -> Record:
    """The request as it waits for the actor. Raises NotFound."""
    where = select_queue(actor).where.and_("e.case_id = {0}", case_id)
    return _only(await _rows(actor, QUEUE, where))


async def list_queue(actor: Actor, request: PageRequest) -> Page:
    """One page of the queue, oldest first. Raises Forbidden: the actor has no window."""
    return await select_queue(actor).page(actor, request)


def select_conversations(actor: Actor, *, case_id: UUID | None = None) -> Selection:
    """The conversations in which the actor takes part now."""
    where = party(actor, "v")
    return Selection(
        CONVERSATIONS, where if case_id is None else where.and_("v.case_id = {0}", case_id)
    )


async def conversations_by_id(actor: Actor, ids: Sequence[UUID]) -> Mapping[UUID, Record]:
    """Of these, the conversations in which the actor takes part now."""
    where = party(actor, "v").and_("v.id = ANY({0})", list(ids))
    return await _by_id(actor, CONVERSATIONS, where)


UNREAD_CONVERSATIONS_MAX = 100
"""More conversations than that with something unread, a home page does not list."""


async def unread_conversations(actor: Actor) -> Sequence[Record]:
    """What waits unread for the actor, by conversation, the newest first; at most a hundred."""
    where = party(actor, "v").and_(
        f"p.account_id = {{0}} AND p.ended_at IS NULL AND k.read_seq < v.top_seq AND {UNREAD} > 0",
        actor.account(),
    )
    return (
        await Selection(WAITING, where).page(actor, PageRequest(first=UNREAD_CONVERSATIONS_MAX))
    ).rows


async def get_conversation(actor: Actor, conversation_id: UUID) -> Record:
    """The conversation. Raises NotFound: absent and somebody else's look alike."""
    return _only((await conversations_by_id(actor, [conversation_id])).values())


def select_participants(conversation: Mapping[str, Any] | Record) -> Selection:
    """Who can read it, or could until when (谁能看到). Takes a row that the actor was given."""
    return Selection(PARTICIPANTS, Where().and_("p.conversation_id = {0}", conversation["id"]))


def select_handovers(case: Mapping[str, Any] | Record) -> Selection:
    """The hand-overs of a case that the actor was given."""
    return Selection(HANDOVERS, Where().and_("h.case_id = {0}", case["id"]))


async def handovers_by_id(actor: Actor, ids: Sequence[UUID]) -> Mapping[UUID, Record]:
    """Of these, the hand-overs of cases in which the actor takes part now."""
    listing = Listing(
        f"{HANDOVERS.table} JOIN consultation_case c ON c.id = h.case_id",
        HANDOVERS.columns,
        HANDOVERS.key,
    )
    return await _by_id(actor, listing, party(actor, "c").and_("h.id = ANY({0})", list(ids)))


async def select_messages(conversation: Mapping[str, Any] | Record) -> Selection:
    """The messages that the actor may read of a conversation that the actor was given.

    They are read with their texts: one data key opens the page.
    """
    where = Where().and_("m.conversation_id = {0}", conversation["id"])
    key = await conversation_key(Service(conversation["service"]), conversation["id"])
    return Selection(
        MESSAGES,
        where.and_("m.seq >= {0}", conversation["from_seq"]),
        opened=lambda row: {**row, "text": open_message(key, row)},
    )


async def list_messages(actor: Actor, conversation_id: UUID, request: PageRequest) -> Page:
    """One page of the conversation, newest last. Raises NotFound."""
    conversation = await get_conversation(actor, conversation_id)
    return await (await select_messages(conversation)).page(actor, request)


async def messages_by_id(actor: Actor, ids: Sequence[UUID]) -> Mapping[UUID, Any]:
    """Of these, the messages that the actor may read, with their texts."""
    rows = await _rows(actor, MESSAGES, Where().and_("m.id = ANY({0})", list(ids)))
    conversations = await conversations_by_id(actor, [row["conversation_id"] for row in rows])
    found: dict[UUID, Mapping[str, Any]] = {}
    for row in rows:
        conversation = conversations.get(row["conversation_id"])
        if conversation is not None and row["seq"] >= conversation["from_seq"]:
            key = await conversation_key(Service(conversation["service"]), conversation["id"])
            found[row["id"]] = {**row, "text": open_message(key, row)}
    return found


async def first_offset(actor: Actor, conversation_id: UUID) -> int:
    """The first offset of the conversation's stream that the actor may see. Raises NotFound."""
    offset: int = (await get_conversation(actor, conversation_id))["from_offset"]
    return offset


def waiting_for(consultant_id: UUID) -> Where:
    """Queue entries ``e`` that concern this consultant."""
    return Where().and_(
        "e.service = (SELECT k.service FROM consultation_consultant k WHERE k.id = {0})"
        " AND (e.addressed_to_id IS NULL OR e.addressed_to_id = {0})",
        consultant_id,
    )


def ensure_consultant(actor: Actor) -> UUID:
    """The actor's own window. Raises Unauthenticated, Forbidden."""
    actor.ensure_has(Capability.CONSULT)
    if actor.consultant_id is None:
        raise Forbidden
    return actor.consultant_id


async def _rows(actor: Actor, listing: Listing, where: Where) -> Sequence[Record]:
    select = ", ".join(f'{sql} AS "{name}"' for name, sql in listing.columns.items())
    return await fetch_as(
        actor, f"SELECT {select} FROM {listing.table} WHERE {where.sql}", *where.args
    )


async def _by_id(actor: Actor, listing: Listing, where: Where) -> Mapping[UUID, Record]:
    return {row["id"]: row for row in await _rows(actor, listing, where)}


def _only(rows: Any) -> Record:
    for row in rows:
        found: Record = row
        return found
    raise NotFound
