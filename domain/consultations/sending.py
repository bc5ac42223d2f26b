"""Sending a message (发消息): the hot path, one round trip.

A conversation's row holds its two people and its last number. Whoever waits for that row to write
sees both as they are when the wait ends: no number twice, no word after a hand-over or a close.
A process that knows the row as it stands sends at once, on condition that it still does; whatever
else there is to find out (a repetition, a close, a stranger), the ordinary way finds out.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from domain.consultations import facts, places, rules
from domain.consultations.models import Role, Service
from domain.consultations.places import Known, Place
from domain.consultations.queries import get_conversation
from domain.consultations.sealing import (
    bound_to,
    conversation_key,
    find_conversation_key,
    open_message,
)
from domain.consultations.unread import UNREAD_NUDGE, unread_key
from domain.kernel.capabilities import Capability
from domain.kernel.ids import new_id
from domain.kernel.texts import clean_text
from domain.kernel.work import Work
from domain.vault.service import DataKey


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
    w.actor.account()
    text = clean_text(text, field="text", max_chars=rules.MESSAGE_CHARS_MAX)
    known = places.find(conversation_id)
    # By what is known alone: a stranger costs the same statements as for an unknown conversation.
    if known is not None and known.place.has(w.actor) and w.may_be_at_once(()):
        # One at a time, whichever way: the text is sealed for its number, so who sends next must
        # know it, and finds nobody of this process at the conversation's row.
        await w.take_turn(known.turn)
        at_once = await _send_at_once(w, conversation_id, known, client_key=client_key, text=text)
        if at_once is not None:
            return at_once
    return await _send(w, conversation_id, client_key=client_key, text=text)


async def _send(w: Work, conversation_id: UUID, *, client_key: UUID, text: str) -> MessageRow:
    """The ordinary way: number it, seal it for its number, store it."""
    numbered = await w.fetch(
        _NUMBER_SQL,
        conversation_id,
        w.actor.account(),
        client_key,
        w.actor.has(Capability.CONSULT),
    )
    if not numbered:
        before = await _sent_before(w, conversation_id, client_key, text)
        if before is None:
            raise rules.ConversationClosed
        return before
    place = Place.of(numbered[0])
    places.remember(conversation_id, place)
    message = _new_message(w, conversation_id, place, client_key=client_key, text=text)
    body = await _insert(w, message, place.service)
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
    w.record(_sent(message, body, place))
    if numbered[0]["other_read_seq"] == message["seq"] - 1:
        # The first unread one; how many there are beyond it is told a moment later.
        w.record(_waiting(message, place))
    else:
        w.nudge(UNREAD_NUDGE, _reader(message, place))
    return message


async def _send_at_once(
    w: Work, conversation_id: UUID, known: Known, *, client_key: UUID, text: str
) -> MessageRow | None:
    """The message sent in one round trip, alone or with others, where the conversation is known.

    None: it stands otherwise, or somebody is writing to it; nothing has happened.
    """
    place = known.place.after_one_more()
    key = find_conversation_key(place.service, conversation_id)
    if key is None:
        return None
    message = _new_message(w, conversation_id, place, client_key=client_key, text=text)
    body = _sealed(key, message)
    facts_ = (_sent(message, body, place), _waiting(message, place))
    if not w.may_be_at_once(facts_):
        return None
    given = _values(message, body, place)
    if not await w.at_once("consultation_send", facts_, *given, is_joint=True):
        return None
    known.place = place
    if len(w.events) < len(facts_):
        w.nudge(UNREAD_NUDGE, _reader(message, place))
    return message


def _new_message(
    w: Work, conversation_id: UUID, place: Place, *, client_key: UUID, text: str
) -> MessageRow:
    account = w.actor.account()
    return {
        "id": new_id(),
        "conversation_id": conversation_id,
        "seq": place.top_seq,
        "sender_account_id": account,
        "role": (Role.MEMBER if place.member == account else Role.CONSULTANT).value,
        "client_key": client_key,
        "text": text,
        "sent_at": w.now,
    }


async def _insert(w: Work, message: MessageRow, service: Service) -> bytes | None:
    """Seal and store it: the sealed text; None when the key's message is there already."""
    body = _sealed(await conversation_key(service, message["conversation_id"]), message)
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


def _sealed(key: DataKey, message: MessageRow) -> bytes:
    binding = bound_to(
        message["conversation_id"],
        message["seq"],
        message["sender_account_id"],
        message["client_key"],
    )
    return key.seal(message["text"], row_id=message["id"], **binding)


def _values(message: MessageRow, body: bytes, place: Place) -> tuple[object, ...]:
    """What ``consultation_send`` takes beside context and facts."""
    return (
        message["conversation_id"],
        place.member,
        place.consultant,
        message["sender_account_id"],
        message["role"],
        message["seq"],
        message["id"],
        message["client_key"],
        body,
    )


def _sent(message: MessageRow, body: bytes, place: Place) -> facts.MessageSent:
    return facts.MessageSent(
        id=message["id"],
        conversation_id=message["conversation_id"],
        service=place.service,
        seq=message["seq"],
        sender_account_id=message["sender_account_id"],
        role=Role(message["role"]),
        client_key=message["client_key"],
        sealed=body,
        sent_at=message["sent_at"],
    )


def _waiting(message: MessageRow, place: Place) -> facts.MessageWaiting:
    return facts.MessageWaiting(place.case_id, message["conversation_id"], _other(message, place))


def _reader(message: MessageRow, place: Place) -> str:
    return unread_key(message["conversation_id"], _other(message, place))


def _other(message: MessageRow, place: Place) -> UUID:
    return place.consultant if message["role"] == Role.MEMBER else place.member


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
