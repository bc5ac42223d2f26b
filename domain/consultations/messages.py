"""The conversation (会话) live: messages (``sending``), marks and typing (``marks``)."""

from __future__ import annotations

from uuid import UUID

from domain.consultations import rules
from domain.consultations.marks import mark_delivered, mark_read, signal_typing
from domain.consultations.queries import get_conversation
from domain.consultations.sending import MessageRow, send_message
from domain.kernel.actor import Actor

__all__ = [
    "MessageRow",
    "attach",
    "mark_delivered",
    "mark_read",
    "send_message",
    "signal_typing",
]


async def attach(actor: Actor, conversation_id: UUID) -> None:
    """Attachments (附件) come later. Raises AttachmentsUnavailable; NotFound for a stranger."""
    await get_conversation(actor, conversation_id)
    raise rules.AttachmentsUnavailable
