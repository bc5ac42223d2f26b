"""The conversation (会话) live: messages, marks, typing. Sending is the hot path: two statements.

A conversation's row holds its two people and its last number. Whoever waits for that row to write
sees both as they are when the wait ends: no number twice, no word after a hand-over or a close.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from domain.consultations import facts, rules
from domain.consultations.models import Role, Service
from domain.consultations.queries import get_conversation, party
from domain.consultations.sealing import bound_to, conversation_key, open_message
from domain.kernel.actor import Actor
from domain.kernel.capabilities import Capability
from domain.kernel.database import Record
from domain.kernel.ids import new_id
from domain.kernel.ports import Announcer
from domain.kernel.texts import clean_text
from domain.kernel.work import Work

TYPING_KEPT_MAX = 10_000
"""Latest typing signals remembered by this process: its sockets, some hundred bytes each."""


class MessageRow(TypedDict):
    """A message with its text, as its sender gets it back."""

    id: UUID
    conversation_id: UUID
    seq: int
    sender_account_id: UUID
    role: str
    client_key: UUID
    text: str
    sent_at: datetime


_NUMBER_SQL = """
UPDATE consultation_conversation v SET top_seq = v.top_seq + 1
 WHERE v.id = $1 AND v.closed_at IS NULL
   AND (v.member_account_id = $2 OR ($4 AND v.consultant_account_id = $2))
   AND NOT EXISTS (SELECT 1 FROM consultation_message m WHERE m.conversation_id = v.id
                      AND m.sender_account_id = $2 AND m.client_key = $3)
RETURNING v.top_seq, v.case_id, v.service, v.member_account_id, v.consultant_account_id,
    (SELECT k.read_seq FROM consultation_mark k WHERE k.conversation_id = v.id AND k.account_id =
        CASE v.member_account_id WHEN $2 THEN v.consultant_account_id ELSE v.member_account_id END
    ) AS other_read_seq
"""
_INSERT_SQL = """
INSERT INTO consultation_message
    (id, conversation_id, seq, sender_account_id, role, client_key, body, sent_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (conversation_id, sender_account_id, client_key) DO NOTHING
"""


async def send_message(
    w: Work, conversation_id: UUID, *, client_key: UUID, text: str
) -> MessageRow:
    """The message has the conversation's next number; the same key again is the same message.

    At most 4,000 characters. Raises NotFound, ConversationClosed, KeyReused, BadText, TextTooLong,
    TextMissing.
    """
    account = w.actor.account()
    text = clean_text(text, field="text", max_chars=rules.MESSAGE_CHARS_MAX)
    numbered = await w.fetch(
        _NUMBER_SQL, conversation_id, account, client_key, w.actor.has(Capability.CONSULT)
    )
    if not numbered:
        before = await _sent_before(w, conversation_id, client_key, text)
        if before is None:
            raise rules.ConversationClosed
        return before
    place = numbered[0]
    message = _new_message(w, conversation_id, place, client_key=client_key, text=text)
    body = await _insert(w, message, Service(place["service"]))
    if body is None:
        # The same key came twice at once, and the other one has just been committed; or it is in
        # the past that a consultant who came back no longer sees.
        await w.execute(
            "UPDATE consultation_conversation SET top_seq = top_seq - 1 WHERE id = $1",
            conversation_id,
        )
        before = await _sent_before(w, conversation_id, client_key, text)
        if before is None:
            raise rules.KeyReused
        return before
    _record(w, message, body, place)
    return message


async def mark_delivered(w: Work, conversation_id: UUID, seq: int) -> Record:
    """The actor's device has everything up to ``seq``; the conversation. Marks only advance.

    Raises NotFound, BadSeq.
    """
    return await _advance(w, conversation_id, delivered_seq=seq, read_seq=0)


async def mark_read(w: Work, conversation_id: UUID, seq: int) -> Record:
    """The actor has read, and so received, everything up to ``seq``; the conversation.

    Raises NotFound, BadSeq.
    """
    return await _advance(w, conversation_id, delivered_seq=seq, read_seq=seq)


async def signal_typing(
    actor: Actor, announcer: Announcer, conversation_id: UUID, *, now: datetime
) -> bool:
    """The other one is told, unless it was told less than three seconds ago; nothing is stored.

    Whether it was passed on. Raises NotFound, ConversationClosed.
    """
    conversation = await get_conversation(actor, conversation_id)
    if conversation["closed_at"] is not None:
        raise rules.ConversationClosed
    who = (actor.account(), conversation_id)
    if not rules.may_signal(_typed_at.get(who), now):
        return False
    _typed_at[who] = now
    _typed_at.move_to_end(who)
    if len(_typed_at) > TYPING_KEPT_MAX:
        _typed_at.popitem(last=False)
    announcer.whisper(
        facts.conversation_stream(conversation_id),
        facts.TYPING,
        {"conversation_id": str(conversation_id), "role": conversation["role"]},
    )
    return True


async def attach(actor: Actor, conversation_id: UUID) -> None:
    """Attachments (附件) come later. Raises AttachmentsUnavailable; NotFound for a stranger."""
    await get_conversation(actor, conversation_id)
    raise rules.AttachmentsUnavailable


_typed_at: OrderedDict[tuple[UUID, UUID], datetime] = OrderedDict()


def _new_message(
    w: Work, conversation_id: UUID, place: Record, *, client_key: UUID, text: str
) -> MessageRow:
    account = w.actor.account()
    is_member = place["member_account_id"] == account
    return {
        "id": new_id(),
        "conversation_id": conversation_id,
        "seq": place["top_seq"],
        "sender_account_id": account,
        "role": (Role.MEMBER if is_member else Role.CONSULTANT).value,
        "client_key": client_key,
        "text": text,
        "sent_at": w.now,
    }


async def _insert(w: Work, message: MessageRow, service: Service) -> bytes | None:
    """Seal and store it: the sealed text; None when the key's message is there already."""
    key = await conversation_key(service, message["conversation_id"])
    body = key.seal(
        message["text"],
        row_id=message["id"],
        **bound_to(
            message["conversation_id"],
            message["seq"],
            message["sender_account_id"],
            message["client_key"],
        ),
    )
    count = await w.execute(
        _INSERT_SQL,
        message["id"],
        message["conversation_id"],
        message["seq"],
        message["sender_account_id"],
        message["role"],
        message["client_key"],
        body,
        message["sent_at"],
    )
    return body if count else None


def _record(w: Work, message: MessageRow, body: bytes, place: Record) -> None:
    w.record(
        facts.MessageSent(
            id=message["id"],
            conversation_id=message["conversation_id"],
            service=Service(place["service"]),
            seq=message["seq"],
            sender_account_id=message["sender_account_id"],
            role=Role(message["role"]),
            client_key=message["client_key"],
            sealed=body,
            sent_at=message["sent_at"],
        )
    )
    is_member = message["role"] == Role.MEMBER
    if place["other_read_seq"] == message["seq"] - 1:
        # Only the first unread one: who has been told that something waits needs no more telling.
        other = place["consultant_account_id" if is_member else "member_account_id"]
        w.record(facts.MessageWaiting(place["case_id"], message["conversation_id"], other))


async def _sent_before(
    w: Work, conversation_id: UUID, client_key: UUID, text: str
) -> MessageRow | None:
    """What this key stands for already. Raises NotFound, KeyReused."""
    conversation = await get_conversation(w.actor, conversation_id)
    rows = await w.fetch(
        "SELECT id, conversation_id, seq, sender_account_id, role, client_key, body, sent_at"
        " FROM consultation_message"
        " WHERE conversation_id = $1 AND sender_account_id = $2 AND client_key = $3",
        conversation_id,
        w.actor.account(),
        client_key,
    )
    if not rows:
        return None
    row = rows[0]
    key = await conversation_key(Service(conversation["service"]), conversation_id)
    if open_message(key, row) != text:
        raise rules.KeyReused
    return {
        "id": row["id"],
        "conversation_id": conversation_id,
        "seq": row["seq"],
        "sender_account_id": row["sender_account_id"],
        "role": row["role"],
        "client_key": client_key,
        "text": text,
        "sent_at": row["sent_at"],
    }


async def _advance(w: Work, conversation_id: UUID, *, delivered_seq: int, read_seq: int) -> Record:
    rules.ensure_seq(delivered_seq)
    mine = party(w.actor, "v").and_(
        "v.id = {0} AND k.conversation_id = v.id AND k.account_id = {1}",
        conversation_id,
        w.actor.account(),
    )
    # Nobody has received what was never sent: the last number bounds both.
    ahead = mine.and_(
        "k.delivered_seq < LEAST({0}, v.top_seq) OR k.read_seq < LEAST({1}, v.top_seq)",
        delivered_seq,
        read_seq,
    )
    n = len(ahead.args)
    rows = await w.fetch(
        "UPDATE consultation_mark k"
        f" SET delivered_seq = GREATEST(k.delivered_seq, LEAST(${n - 1}, v.top_seq)),"
        f" read_seq = GREATEST(k.read_seq, LEAST(${n}, v.top_seq))"
        f" FROM consultation_conversation v WHERE {ahead.sql}"
        " RETURNING k.delivered_seq, k.read_seq",
        *ahead.args,
    )
    conversation = await get_conversation(w.actor, conversation_id)
    if rows:
        w.record(
            facts.MarksAdvanced(
                conversation_id,
                Role(conversation["role"]),
                rows[0]["delivered_seq"],
                rows[0]["read_seq"],
            )
        )
    return conversation
