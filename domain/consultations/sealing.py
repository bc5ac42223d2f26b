"""A message's text between clear and sealed: one key a conversation, one place for the binding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict
from uuid import UUID

from domain.consultations.models import Service
from domain.kernel.database import Record
from domain.kernel.work import Work
from domain.vault import service as vault
from domain.vault.service import DataKey, Purpose

PURPOSES: Mapping[Service, Purpose] = {
    Service.COUNSELLING: Purpose.COUNSELLING,
    Service.LEGAL_AID: Purpose.LEGAL_AID,
}


class Binding(TypedDict):
    """What a text is sealed to beside its row's id: moved elsewhere it does not open."""

    table: str
    column: str
    extra: tuple[str, str, str, str]


async def create_key(w: Work, service: Service, conversation_id: UUID) -> None:
    """The conversation has its data key from this commit on."""
    await vault.create_data_key(w, PURPOSES[service], owner=conversation_id)


async def conversation_key(service: Service, conversation_id: UUID) -> DataKey:
    """The key of a conversation, for a reader or writer who has been authorised."""
    return await vault.data_key(PURPOSES[service], owner=conversation_id)


def find_conversation_key(service: Service, conversation_id: UUID) -> DataKey | None:
    """The same, if this process has it at hand; reads nothing."""
    return vault.find_data_key(PURPOSES[service], owner=conversation_id)


def bound_to(conversation_id: UUID, seq: int, sender_account_id: UUID, client_key: UUID) -> Binding:
    """The binding of one message."""
    return {
        "table": "consultation_message",
        "column": "body",
        "extra": (str(conversation_id), str(seq), str(sender_account_id), str(client_key)),
    }


def open_message(key: DataKey, row: Mapping[str, Any] | Record) -> str:
    """The text of a message row. Raises SealBroken."""
    binding = bound_to(
        row["conversation_id"], row["seq"], row["sender_account_id"], row["client_key"]
    )
    return key.open(row["body"], row_id=row["id"], **binding)
