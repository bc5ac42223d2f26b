"""Lists of consultations: which columns a row has, and in which order rows come.

``current_setting('app.account')`` is the account that the database was told; a column may compare
with it, but who may see a row is decided in ``queries`` and by the policies.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from domain.kernel.pages import Key, Listing

UNREAD_COUNTED_MAX = 100
"""Unread messages that are counted; beyond it a client shows "99+"."""

UNREAD = (
    "(SELECT count(*) FROM (SELECT 1 FROM consultation_message m"
    " WHERE m.conversation_id = v.id AND m.seq > k.read_seq AND m.sender_account_id <> k.account_id"
    f" LIMIT {UNREAD_COUNTED_MAX}) unread)"
)
"""Unread messages of conversation ``v`` by the mark ``k`` of their reader."""

_ME = "NULLIF(current_setting('app.account', true), '')::uuid"


def _columns(alias: str, names: str, **computed: str) -> dict[str, str]:
    return {name: f"{alias}.{name}" for name in names.split()} | computed


CONSULTANTS = Listing(
    "consultation_consultant k",
    _columns(
        "k",
        "id account_id service display_name specialities introduction state",
        is_own=f"k.account_id = {_ME}",
    ),
    (Key("k.display_name", "display_name", str), Key("k.id", "id", UUID)),
)
WINDOWS = Listing(
    CONSULTANTS.table,
    {**CONSULTANTS.columns, **_columns("k", "capacity running_count")},
    CONSULTANTS.key,
)
"""A consultant's own window: its load is nobody else's to watch."""
CASES = Listing(
    "consultation_case c",
    _columns(
        "c",
        "id service state topic urgency consultant_id addressed_to_id consent_version consented_at"
        " requested_at accepted_at closed_at closed_by",
        role=f"CASE c.member_account_id WHEN {_ME} THEN 'member' ELSE 'consultant' END",
        # The policies leave only what the reader may see; a number nobody may see finds no row.
        last_message_id="(SELECT m.id FROM consultation_conversation v JOIN consultation_message m"
        " ON m.conversation_id = v.id AND m.seq = v.top_seq"
        " WHERE v.case_id = c.id ORDER BY v.opened_at DESC LIMIT 1)",
    ),
    (Key("c.requested_at", "requested_at", datetime), Key("c.id", "id", UUID)),
    is_descending=True,
)
QUEUE = Listing(
    "consultation_queue_entry e",
    _columns(
        "e",
        "service topic urgency requested_at",
        id="e.case_id",
        is_addressed="e.addressed_to_id IS NOT NULL",
    ),
    (Key("e.requested_at", "requested_at", datetime), Key("e.case_id", "id", UUID)),
)
"""Ordered as ``rules.queue_place`` says; without any column that could tell whose request it is."""
CONVERSATIONS = Listing(
    "consultation_conversation v"
    f" JOIN consultation_participant p ON p.conversation_id = v.id AND p.account_id = {_ME}"
    " AND p.ended_at IS NULL"
    " JOIN consultation_mark k ON k.conversation_id = v.id AND k.account_id = p.account_id"
    " JOIN consultation_mark o ON o.conversation_id = v.id AND o.account_id ="
    " CASE p.role WHEN 'member' THEN v.consultant_account_id ELSE v.member_account_id END",
    _columns("v", "id case_id service top_seq opened_at closed_at")
    | _columns("p", "role from_seq from_offset")
    | _columns(
        "k",
        "delivered_seq read_seq",
        position="coalesce((SELECT s.id || ':' || s.epoch || ':' || s.top FROM stream_state s"
        " WHERE s.id = 'cv:' || v.id), 'cv:' || v.id || '::0')",
        other_account_id="o.account_id",
        other_delivered_seq="o.delivered_seq",
        other_read_seq="o.read_seq",
        unread_count=UNREAD,
    ),
    (Key("v.opened_at", "opened_at", datetime), Key("v.id", "id", UUID)),
)
WAITING = Listing(
    "consultation_participant p JOIN consultation_conversation v ON v.id = p.conversation_id"
    " JOIN consultation_mark k ON k.conversation_id = v.id AND k.account_id = p.account_id",
    _columns("v", "id case_id opened_at", unread_count=UNREAD),
    (Key("v.opened_at", "opened_at", datetime), Key("v.id", "id", UUID)),
    is_descending=True,
)
"""Conversations by what waits unread in them."""
PARTICIPANTS = Listing(
    "consultation_participant p",
    _columns("p", "id role consultant_id from_seq until_seq joined_at ended_at"),
    (Key("p.joined_at", "joined_at", datetime), Key("p.id", "id", UUID)),
)
MESSAGES = Listing(
    "consultation_message m",
    _columns("m", "id conversation_id seq sender_account_id role client_key body sent_at"),
    (Key("m.seq", "seq", int),),
)
HANDOVERS = Listing(
    "consultation_handover h",
    _columns(
        "h",
        "id case_id conversation_id from_consultant_id to_consultant_id state shares_past"
        " requested_at decided_at",
    ),
    (Key("h.requested_at", "requested_at", datetime), Key("h.id", "id", UUID)),
)
