"""Handing a case over (转介): the consultant asks, the member decides, the old one is cut off."""

from __future__ import annotations

from uuid import UUID

from domain.consultations import facts, rules
from domain.consultations.models import CaseState, HandoverState, Role, Service
from domain.consultations.queries import ensure_consultant, get_case, handovers_by_id
from domain.consultations.rules import Step
from domain.consultations.service import hold_case, role_in
from domain.consultations.unread import count_unread, hold_mark
from domain.consultations.windows import count_running
from domain.kernel.database import Record
from domain.kernel.errors import NotFound
from domain.kernel.ids import new_id
from domain.kernel.work import Work


async def request_handover(w: Work, case_id: UUID, to_consultant_id: UUID) -> Record:
    """The member is asked to let that consultant go on; asking the same again changes nothing.

    Raises NotFound, NotYourStep, WrongState, WrongTarget, HandoverPending.
    """
    case = await hold_case(w, case_id)
    rules.next_state(CaseState(case["state"]), Step.ASK_HANDOVER, role_in(w, case))
    own = ensure_consultant(w.actor)
    target = await _find_window(w, to_consultant_id)
    rules.ensure_target(Service(case["service"]), own, target["id"], Service(target["service"]))
    pending = await w.fetch(
        "SELECT id, to_consultant_id FROM consultation_handover"
        " WHERE case_id = $1 AND state = 'asked'",
        case_id,
    )
    if pending:
        if pending[0]["to_consultant_id"] != to_consultant_id:
            raise rules.HandoverPending
        return await _get(w, pending[0]["id"])
    handover_id, conversation_id = new_id(), await _conversation(w, case_id)
    await w.execute(
        "INSERT INTO consultation_handover (id, case_id, conversation_id, from_consultant_id,"
        " to_consultant_id, state, requested_at) VALUES ($1, $2, $3, $4, $5, 'asked', $6)",
        handover_id,
        case_id,
        conversation_id,
        own,
        to_consultant_id,
        w.now,
    )
    w.record(
        facts.HandoverRequested(
            handover_id, case_id, conversation_id, to_consultant_id, case["member_account_id"]
        )
    )
    return await _get(w, handover_id)


async def consent_to_handover(w: Work, handover_id: UUID, *, shares_past: bool) -> Record:
    """The named consultant has the case; the one before is cut off by this commit. The case.

    The new one sees what comes from now on, or all of it where the member shares the past.
    Repeating it changes nothing. Raises NotFound, NotYourStep, WrongState, WindowFull, WrongTarget.
    """
    handover, case = await _hold(w, handover_id, Step.CONSENT)
    if handover["state"] == HandoverState.CONSENTED and handover["shares_past"] == shares_past:
        return await get_case(w.actor, case["id"])
    _ensure_asked(handover)
    target = await _move(w, case, handover["to_consultant_id"])
    conversation_id = handover["conversation_id"]
    # Whoever counts for the old one at this moment tells it before the end of their part is told.
    await hold_mark(w, conversation_id, case["consultant_account_id"])
    await _change_reader(w, case, target, shares_past=shares_past)
    await w.execute(
        "UPDATE consultation_handover SET state = 'consented', shares_past = $2, decided_at = $3"
        " WHERE id = $1",
        handover_id,
        shares_past,
        w.now,
    )
    w.record(
        facts.CaseHandedOver(
            handover_id=handover_id,
            case_id=case["id"],
            conversation_id=conversation_id,
            from_consultant_id=handover["from_consultant_id"],
            to_consultant_id=target["id"],
            shares_past=shares_past,
        )
    )
    w.record(facts.UnreadChanged(conversation_id, case["consultant_account_id"], 0))
    unread = await count_unread(w, conversation_id, target["account_id"])
    w.record(facts.CaseReceived(case["id"], conversation_id, target["account_id"], unread))
    return await get_case(w.actor, case["id"])


async def refuse_handover(w: Work, handover_id: UUID) -> Record:
    """The case stays where it is: the member's word, or the consultant takes the wish back.

    Repeating it changes nothing. Raises NotFound, WrongState.
    """
    handover, case = await _hold(w, handover_id, Step.REFUSE)
    if handover["state"] == HandoverState.REFUSED:
        return handover
    _ensure_asked(handover)
    await w.execute(
        "UPDATE consultation_handover SET state = 'refused', decided_at = $2 WHERE id = $1",
        handover_id,
        w.now,
    )
    w.record(
        facts.HandoverRefused(
            handover_id, case["id"], handover["conversation_id"], role_in(w, case)
        )
    )
    return await _get(w, handover_id)


async def _hold(w: Work, handover_id: UUID, step: Step) -> tuple[Record, Record]:
    """The hand-over and its case, locked, when the actor may take the step."""
    case = await hold_case(w, (await _get(w, handover_id))["case_id"])
    rules.next_state(CaseState(case["state"]), step, role_in(w, case))
    # Read again: another one may have decided while the case's lock was waited for.
    return await _get(w, handover_id), case


async def _get(w: Work, handover_id: UUID) -> Record:
    row = (await handovers_by_id(w.actor, [handover_id])).get(handover_id)
    if row is None:
        raise NotFound
    return row


def _ensure_asked(handover: Record) -> None:
    if handover["state"] != HandoverState.ASKED:
        raise rules.WrongState(state=str(handover["state"]))


async def _find_window(w: Work, consultant_id: UUID) -> Record:
    rows = await w.fetch(
        "SELECT id, service FROM consultation_consultant WHERE id = $1", consultant_id
    )
    if not rows:
        raise NotFound
    return rows[0]


async def _conversation(w: Work, case_id: UUID) -> UUID:
    rows = await w.fetch(
        "SELECT id FROM consultation_conversation WHERE case_id = $1 AND closed_at IS NULL", case_id
    )
    found: UUID = rows[0]["id"]
    return found


async def _move(w: Work, case: Record, to_consultant_id: UUID) -> Record:
    """The case is the target's, in its window's count too; the target's window."""
    windows = await w.fetch(
        "SELECT id, account_id, capacity, running_count FROM consultation_consultant"
        " WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE",
        [case["consultant_id"], to_consultant_id],
    )
    target = next(row for row in windows if row["id"] == to_consultant_id)
    rules.ensure_room(target["running_count"], target["capacity"])
    if target["account_id"] == case["member_account_id"]:
        raise rules.WrongTarget
    await count_running(w, case["consultant_id"], -1)
    await count_running(w, target["id"], +1)
    await w.execute(
        "UPDATE consultation_case SET consultant_id = $2, consultant_account_id = $3,"
        " taken_key = NULL WHERE id = $1",
        case["id"],
        target["id"],
        target["account_id"],
    )
    return target


async def _change_reader(w: Work, case: Record, target: Record, *, shares_past: bool) -> None:
    """The consultant's span ends at the last message, and the target's begins."""
    changed = await w.fetch(
        "UPDATE consultation_conversation SET consultant_account_id = $2"
        " WHERE case_id = $1 AND closed_at IS NULL RETURNING id, top_seq",
        case["id"],
        target["account_id"],
    )
    conversation_id, top_seq = changed[0]
    # Holding the stream, too: no mark may slip in between and be seen by the new one.
    top_offset = await w.hold_stream(facts.conversation_stream(conversation_id))
    await w.execute(
        "UPDATE consultation_participant SET ended_at = $2, until_seq = $3"
        " WHERE conversation_id = $1 AND role = 'consultant' AND ended_at IS NULL",
        conversation_id,
        w.now,
        top_seq,
    )
    from_seq = rules.first_visible(top_seq, shares_past=shares_past)
    from_offset = rules.first_visible(top_offset, shares_past=shares_past)
    await _begin_span(w, conversation_id, target, from_seq, from_offset)


async def _begin_span(
    w: Work, conversation_id: UUID, target: Record, from_seq: int, from_offset: int
) -> None:
    await w.execute(
        "INSERT INTO consultation_participant (id, conversation_id, account_id, role,"
        " consultant_id, from_seq, from_offset, joined_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        new_id(),
        conversation_id,
        target["account_id"],
        Role.CONSULTANT.value,
        target["id"],
        from_seq,
        from_offset,
        w.now,
    )
    await w.execute(
        "INSERT INTO consultation_mark AS k (id, conversation_id, account_id, delivered_seq,"
        " read_seq) VALUES ($1, $2, $3, $4, $4) ON CONFLICT (conversation_id, account_id)"
        " DO UPDATE SET delivered_seq = GREATEST(k.delivered_seq, EXCLUDED.delivered_seq),"
        " read_seq = GREATEST(k.read_seq, EXCLUDED.read_seq)",
        new_id(),
        conversation_id,
        target["account_id"],
        from_seq - 1,
    )
