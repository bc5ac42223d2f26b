"""The conversation (会话) live: messages (``sending``), marks, typing."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from uuid import UUID

from domain.consultations import facts, rules
from domain.consultations.models import Role
from domain.consultations.queries import get_conversation, party
from domain.consultations.sending import MessageRow, send_message
from domain.kernel.actor import Actor
from domain.kernel.database import Record
from domain.kernel.ports import Announcer
from domain.kernel.work import Work

__all__ = [
    "MessageRow",
    "attach",
    "mark_delivered",
    "mark_read",
    "send_message",
    "signal_typing",
]

TYPING_KEPT_MAX = 10_000
"""Latest typing signals remembered by this process: its sockets, some hundred bytes each."""


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
