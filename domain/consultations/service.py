"""The course of a case (个案) in the member's hands: requested, closed, re-opened.

Locks are taken in one order: an own window, a queue entry, a case, its conversation, other windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from domain.consultations import facts, rules
from domain.consultations.consents import consent_text
from domain.consultations.models import CaseState, Role, Service, Topic, Urgency
from domain.consultations.queries import get_case, party
from domain.consultations.rules import Step
from domain.consultations.windows import count_running
from domain.kernel.database import Record
from domain.kernel.errors import NotFound
from domain.kernel.ids import new_id
from domain.kernel.work import Work

_MEMBER_LOCK = 7_318_010
"""First key of the advisory lock under which one account's open cases are counted."""


@dataclass(frozen=True, slots=True)
class NewRequest:
    """What a member asks for."""

    service: Service
    topic: Topic
    consent_version: int
    client_key: UUID
    addressed_to: UUID | None = None
    urgency: Urgency = Urgency.ORDINARY


async def request_consultation(w: Work, request: NewRequest) -> Record:
    """The request waits in the queue, consent recorded; repeating the client key changes nothing.

    Raises TopicMismatch, ConsentOutdated, OwnService, TooManyOpen, KeyReused; NotFound: nobody of
    this service is ``addressed_to``.
    """
    account = w.actor.account()
    await _hold_member(w, account)
    earlier = await _find_request(w, account, request)
    if earlier is not None:
        return await get_case(w.actor, earlier)
    rules.ensure_topic(request.service, request.topic)
    rules.ensure_consent(request.consent_version, consent_text(request.service).version)
    rules.ensure_another_service(await _own_service(w), request.service)
    rules.ensure_may_open(await _open_count(w, account))
    await _ensure_addressable(w, request)
    case_id = await _insert_request(w, account, request)
    w.record(
        facts.RequestQueued(
            case_id, request.service, request.topic, request.urgency, w.now, request.addressed_to
        )
    )
    return await get_case(w.actor, case_id)


async def close(w: Work, case_id: UUID) -> Record:
    """The case is closed; a waiting request is withdrawn. Repeating it changes nothing.

    Raises NotFound.
    """
    case = await hold_case(w, case_id)
    if case["state"] == CaseState.CLOSED:
        return await get_case(w.actor, case_id)
    role = role_in(w, case)
    rules.next_state(CaseState(case["state"]), Step.CLOSE, role)
    await w.execute(
        "UPDATE consultation_case SET state = 'closed', closed_at = $2, closed_by = $3"
        " WHERE id = $1",
        case_id,
        w.now,
        role.value,
    )
    if case["state"] == CaseState.REQUESTED:
        # The foreign key has taken the entry out of the queue.
        w.record(facts.RequestTaken(case_id, Service(case["service"]), case["addressed_to_id"]))
    else:
        await _end_conversation(w, case, role)
    return await get_case(w.actor, case_id)


async def reopen(w: Work, case_id: UUID) -> Record:
    """The closed case runs again with the same consultant, over the window's capacity if need be.

    Repeating it changes nothing. Raises NotFound, NotYourStep, WrongState, TooManyOpen.
    """
    case = await hold_case(w, case_id)
    role = role_in(w, case)
    if case["state"] == CaseState.RUNNING and role is Role.MEMBER:
        return await get_case(w.actor, case_id)
    rules.next_state(CaseState(case["state"]), Step.REOPEN, role)
    rules.ensure_reopenable(case["accepted_at"])
    await _hold_member(w, case["member_account_id"])
    rules.ensure_may_open(await _open_count(w, case["member_account_id"]))
    await w.execute(
        "UPDATE consultation_case SET state = 'running', closed_at = NULL, closed_by = NULL"
        " WHERE id = $1",
        case_id,
    )
    reopened = await w.fetch(
        "UPDATE consultation_conversation SET closed_at = NULL WHERE id = ("
        " SELECT id FROM consultation_conversation WHERE case_id = $1"
        " ORDER BY opened_at DESC, id DESC LIMIT 1) RETURNING id",
        case_id,
    )
    await count_running(w, case["consultant_id"], +1)
    w.record(facts.CaseReopened(case_id, reopened[0]["id"], case["consultant_account_id"]))
    return await get_case(w.actor, case_id)


async def hold_case(w: Work, case_id: UUID) -> Record:
    """The case, locked until this work ends, for one of its two people. Raises NotFound."""
    where = party(w.actor, "c").and_("c.id = {0}", case_id)
    rows = await w.fetch(
        f"SELECT c.* FROM consultation_case c WHERE {where.sql} FOR NO KEY UPDATE", *where.args
    )
    if not rows:
        raise NotFound
    return rows[0]


def role_in(w: Work, case: Record) -> Role:
    """As whom the actor takes part in a case that was held for them."""
    return Role.MEMBER if case["member_account_id"] == w.actor.account_id else Role.CONSULTANT


async def _hold_member(w: Work, account: UUID) -> None:
    # Two requests at once would each count the other one out.
    await w.execute("SELECT pg_advisory_xact_lock($1, hashtext($2))", _MEMBER_LOCK, str(account))


async def _find_request(w: Work, account: UUID, request: NewRequest) -> UUID | None:
    rows = await w.fetch(
        "SELECT c.id, c.service, c.topic, c.urgency, c.consent_version FROM consultation_case c"
        " WHERE c.member_account_id = $1 AND c.client_key = $2",
        account,
        request.client_key,
    )
    if not rows:
        return None
    # Whom it was addressed to is left out: a declined request has lost that.
    same = (request.service, request.topic, request.urgency, request.consent_version)
    if tuple(rows[0][1:]) != same:
        raise rules.KeyReused
    earlier: UUID = rows[0]["id"]
    return earlier


async def _own_service(w: Work) -> Service | None:
    if w.actor.consultant_id is None:
        return None
    rows = await w.fetch(
        "SELECT service FROM consultation_consultant WHERE id = $1", w.actor.consultant_id
    )
    return Service(rows[0]["service"]) if rows else None


async def _open_count(w: Work, account: UUID) -> int:
    rows = await w.fetch(
        "SELECT count(*) AS n FROM consultation_case"
        " WHERE member_account_id = $1 AND state <> 'closed'",
        account,
    )
    return int(rows[0]["n"])


async def _ensure_addressable(w: Work, request: NewRequest) -> None:
    if request.addressed_to is not None and not await w.fetch(
        "SELECT 1 FROM consultation_consultant WHERE id = $1 AND service = $2",
        request.addressed_to,
        request.service.value,
    ):
        raise NotFound


async def _insert_request(w: Work, account: UUID, request: NewRequest) -> UUID:
    case_id = new_id()
    shared = (
        case_id,
        request.service.value,
        request.topic.value,
        request.urgency.value,
        request.addressed_to,
        w.now,
    )
    await w.execute(
        "INSERT INTO consultation_case (id, service, topic, urgency, addressed_to_id, requested_at,"
        " consented_at, state, member_account_id, consent_version, client_key)"
        " VALUES ($1, $2, $3, $4, $5, $6, $6, 'requested', $7, $8, $9)",
        *shared,
        account,
        request.consent_version,
        request.client_key,
    )
    await w.execute(
        "INSERT INTO consultation_queue_entry (case_id, service, topic, urgency, addressed_to_id,"
        " requested_at, state) VALUES ($1, $2, $3, $4, $5, $6, 'requested')",
        *shared,
    )
    return case_id


async def _end_conversation(w: Work, case: Record, role: Role) -> None:
    ended = await w.fetch(
        "UPDATE consultation_conversation SET closed_at = $2"
        " WHERE case_id = $1 AND closed_at IS NULL RETURNING id",
        case["id"],
        w.now,
    )
    await w.execute(
        "UPDATE consultation_handover SET state = 'refused', decided_at = $2"
        " WHERE case_id = $1 AND state = 'asked'",
        case["id"],
        w.now,
    )
    await count_running(w, case["consultant_id"], -1)
    other = case["consultant_account_id" if role is Role.MEMBER else "member_account_id"]
    w.record(facts.CaseClosed(case["id"], ended[0]["id"], role, other))
