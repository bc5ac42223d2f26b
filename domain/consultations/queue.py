"""The queue (队列): consultants take waiting requests, oldest first, or pass on what was for them.

A request is reached by its entry, which names nobody; holding the entry is what shows its case
(see ``consultations.sql``). A member who withdraws holds the case and waits for the entry, so
whoever holds an entry never waits for its case.
"""

from __future__ import annotations

from uuid import UUID

from domain.consultations import facts, rules
from domain.consultations.models import CaseState, Role, Service, Topic, Urgency
from domain.consultations.queries import (
    ensure_consultant,
    get_case,
    get_queue_entry,
    waiting_for,
)
from domain.consultations.rules import Step
from domain.consultations.sealing import create_key
from domain.consultations.windows import count_running, hold_window
from domain.kernel.database import Record
from domain.kernel.errors import NotFound
from domain.kernel.ids import new_id
from domain.kernel.pages import Where
from domain.kernel.work import Work


async def accept(w: Work, case_id: UUID) -> Record:
    """The waiting request is the actor's running case; repeating it changes nothing.

    Of two who accept at once one wins. Raises NotFound, NoLongerWaiting, WindowFull.
    """
    window = await hold_window(w)
    if await w.fetch(
        "SELECT 1 FROM consultation_case WHERE id = $1 AND consultant_id = $2",
        case_id,
        window["id"],
    ):
        return await get_case(w.actor, case_id)
    rules.ensure_room(window["running_count"], window["capacity"])
    entries = waiting_for(window["id"]).and_("e.case_id = {0}", case_id)
    if await _take(w, window["id"], entries) is None:
        await _raise_untaken(w, entries)
    return await _run(w, window, case_id)


async def take_next(w: Work, client_key: UUID) -> Record | None:
    """The oldest request that nobody else is taking is the actor's; None when none waits.

    Repeating the client key answers with the case it took. Raises WindowFull, NoLongerWaiting.
    """
    window = await hold_window(w)
    earlier = await w.fetch(
        "SELECT id FROM consultation_case WHERE consultant_id = $1 AND taken_key = $2",
        window["id"],
        client_key,
    )
    if earlier:
        return await get_case(w.actor, earlier[0]["id"])
    rules.ensure_room(window["running_count"], window["capacity"])
    case_id = await _take(w, window["id"], waiting_for(window["id"]))
    return await _run(w, window, case_id, client_key) if case_id is not None else None


async def decline(w: Work, case_id: UUID) -> Record:
    """A request addressed to the actor waits for the whole service, with its place by age.

    The entry as it waits now. Raises NotFound, NoLongerWaiting, NotAddressed.
    """
    consultant_id = ensure_consultant(w.actor)
    entries = waiting_for(consultant_id).and_("e.case_id = {0}", case_id)
    addressed = entries.and_("e.addressed_to_id = {0}", consultant_id)
    if await _take(w, consultant_id, addressed) is None:
        await _raise_untaken(w, entries, unless=rules.NotAddressed)
    case = await _hold_taken(w, case_id)
    rules.next_state(CaseState(case["state"]), Step.DECLINE, Role.CONSULTANT)
    await w.execute("UPDATE consultation_case SET addressed_to_id = NULL WHERE id = $1", case_id)
    await w.execute(
        "UPDATE consultation_queue_entry SET addressed_to_id = NULL, taken_by_id = NULL"
        " WHERE case_id = $1",
        case_id,
    )
    service = Service(case["service"])
    w.record(facts.RequestTaken(case_id, service, consultant_id))
    w.record(
        facts.RequestQueued(
            case_id,
            service,
            Topic(case["topic"]),
            Urgency(case["urgency"]),
            case["requested_at"],
            None,
        )
    )
    w.record(facts.RequestDeclined(case_id, case["member_account_id"]))
    return await get_queue_entry(w.actor, case_id)


async def _take(w: Work, consultant_id: UUID, entries: Where) -> UUID | None:
    """Hold the oldest of these entries that nobody else holds: its case becomes visible."""
    oldest = entries.and_("e.state = 'requested'")
    rows = await w.fetch(
        f"UPDATE consultation_queue_entry SET taken_by_id = ${len(oldest.args) + 1}"
        f" WHERE case_id = (SELECT e.case_id FROM consultation_queue_entry e WHERE {oldest.sql}"
        " ORDER BY e.requested_at, e.case_id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING case_id",
        *oldest.args,
        consultant_id,
    )
    return rows[0]["case_id"] if rows else None


async def _raise_untaken(
    w: Work, entries: Where, *, unless: type[rules.NotAddressed] | None = None
) -> None:
    rows = await w.fetch(
        f"SELECT e.state FROM consultation_queue_entry e WHERE {entries.sql}", *entries.args
    )
    if not rows:
        raise NotFound
    if unless is not None and rows[0]["state"] == CaseState.REQUESTED:
        raise unless
    raise rules.NoLongerWaiting


async def _hold_taken(w: Work, case_id: UUID) -> Record:
    # Never waits: a member who is withdrawing holds the case and waits for the entry held here.
    rows = await w.fetch(
        "SELECT * FROM consultation_case WHERE id = $1 AND state = 'requested'"
        " FOR NO KEY UPDATE SKIP LOCKED",
        case_id,
    )
    if not rows:
        raise rules.NoLongerWaiting
    return rows[0]


async def _run(w: Work, window: Record, case_id: UUID, client_key: UUID | None = None) -> Record:
    case = await _hold_taken(w, case_id)
    reached = rules.next_state(CaseState(case["state"]), Step.ACCEPT, Role.CONSULTANT)
    if case["member_account_id"] == window["account_id"]:
        raise rules.OwnService
    await w.execute(
        "UPDATE consultation_case SET state = $2, consultant_id = $3, consultant_account_id = $4,"
        " accepted_at = $5, taken_key = $6 WHERE id = $1",
        case_id,
        reached.value,
        window["id"],
        window["account_id"],
        w.now,
        client_key,
    )
    await count_running(w, window["id"], +1)
    conversation_id = await _open_conversation(w, case, window)
    service = Service(case["service"])
    w.record(facts.RequestTaken(case_id, service, case["addressed_to_id"]))
    w.record(facts.CaseAccepted(case_id, conversation_id, window["id"], case["member_account_id"]))
    return await get_case(w.actor, case_id)


async def _open_conversation(w: Work, case: Record, window: Record) -> UUID:
    conversation_id = new_id()
    accounts = [case["member_account_id"], window["account_id"]]
    await w.execute(
        "INSERT INTO consultation_conversation (id, case_id, service, member_account_id,"
        " consultant_account_id, top_seq, opened_at) VALUES ($1, $2, $3, $4, $5, 0, $6)",
        conversation_id,
        case["id"],
        case["service"],
        *accounts,
        w.now,
    )
    await w.execute(
        "INSERT INTO consultation_participant (id, conversation_id, account_id, role,"
        " consultant_id, from_seq, from_offset, joined_at)"
        " SELECT p.id, $1, p.account, p.role, p.consultant, 1, 1, $2"
        " FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::uuid[])"
        " AS p(id, account, role, consultant)",
        conversation_id,
        w.now,
        [new_id(), new_id()],
        accounts,
        [Role.MEMBER.value, Role.CONSULTANT.value],
        [None, window["id"]],
    )
    await w.execute(
        "INSERT INTO consultation_mark (id, conversation_id, account_id, delivered_seq, read_seq)"
        " SELECT k.id, $1, k.account, 0, 0 FROM unnest($2::uuid[], $3::uuid[]) AS k(id, account)",
        conversation_id,
        [new_id(), new_id()],
        accounts,
    )
    await create_key(w, Service(case["service"]), conversation_id)
    return conversation_id
