"""What happens in consultations, and the streams it belongs to. Text only as ciphertext.

``cv:<conversation>`` is followed by its two people; ``qu:<service>`` by the service's consultants,
``qu:<consultant>`` by one: no fact there names a member; ``pl:<service>`` by whoever is signed in:
it tells of windows and nothing of cases; ``me:<account>`` holds what concerns one person wherever
they are. Everything that rendering needs is in the fact.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from domain.consultations.models import Role, Service, Topic, Urgency, WindowState
from domain.kernel.streams import Fact, account_stream


def conversation_stream(conversation_id: UUID) -> str:
    """The stream, and the presence scope, of a conversation."""
    return f"cv:{conversation_id}"


def queue_stream(queue: Service | UUID) -> str:
    """The stream of a service's queue, or of the requests addressed to one consultant."""
    return f"qu:{queue}"


def pool_stream(service: Service) -> str:
    """The stream, and the presence scope, of a service's windows: for whoever is signed in."""
    return f"pl:{service}"


TYPING = "consultations.typing"
"""A whisper in the conversation's stream: never stored."""


@dataclass(frozen=True, slots=True)
class _WindowFact(Fact):
    consultant_id: UUID
    service: Service
    state: WindowState

    def streams(self) -> tuple[str, ...]:
        return (pool_stream(self.service),)


@dataclass(frozen=True, slots=True)
class WindowOpened(_WindowFact):
    """The service has one more window. Followers look anew whose presence is whose."""

    kind: ClassVar[str] = "consultations.window_opened"
    is_authority: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class WindowChanged(_WindowFact):
    """A consultant says something else of the own window."""

    kind: ClassVar[str] = "consultations.window_changed"


@dataclass(frozen=True, slots=True)
class RequestQueued(Fact):
    """A request waits: for the service, or for the consultant it is addressed to."""

    kind: ClassVar[str] = "consultations.request_queued"
    case_id: UUID
    service: Service
    topic: Topic
    urgency: Urgency
    requested_at: datetime
    addressed_to_id: UUID | None

    def streams(self) -> tuple[str, ...]:
        return (queue_stream(self.addressed_to_id or self.service),)


@dataclass(frozen=True, slots=True)
class RequestTaken(Fact):
    """A request waits here no longer: taken, withdrawn, or declined by who was named."""

    kind: ClassVar[str] = "consultations.request_taken"
    case_id: UUID
    service: Service
    addressed_to_id: UUID | None

    def streams(self) -> tuple[str, ...]:
        return (queue_stream(self.addressed_to_id or self.service),)


@dataclass(frozen=True, slots=True)
class RequestDeclined(Fact):
    """The named consultant passed the request to the service's queue, with its place by age."""

    kind: ClassVar[str] = "consultations.request_declined"
    case_id: UUID
    member_account_id: UUID

    def streams(self) -> tuple[str, ...]:
        return (account_stream(self.member_account_id),)


@dataclass(frozen=True, slots=True)
class CaseAccepted(Fact):
    """A consultant took the case; the conversation's stream begins with this fact."""

    kind: ClassVar[str] = "consultations.case_accepted"
    case_id: UUID
    conversation_id: UUID
    consultant_id: UUID
    member_account_id: UUID

    def streams(self) -> tuple[str, ...]:
        return (conversation_stream(self.conversation_id), account_stream(self.member_account_id))


@dataclass(frozen=True, slots=True)
class MessageSent(Fact):
    """A message has its number. ``sealed`` is its text, sealed for the message's row."""

    kind: ClassVar[str] = "consultations.message_sent"
    id: UUID
    conversation_id: UUID
    service: Service
    seq: int
    sender_account_id: UUID
    role: Role
    client_key: UUID
    sealed: bytes
    sent_at: datetime

    def streams(self) -> tuple[str, ...]:
        return (conversation_stream(self.conversation_id),)


@dataclass(frozen=True, slots=True)
class MessageWaiting(Fact):
    """The account has one message unread where everything was read before."""

    kind: ClassVar[str] = "consultations.message_waiting"
    case_id: UUID
    conversation_id: UUID
    account_id: UUID
    unread_count: int = 1

    def streams(self) -> tuple[str, ...]:
        return (account_stream(self.account_id),)


@dataclass(frozen=True, slots=True)
class UnreadChanged(Fact):
    """The account has so many of the other's messages unread, counted to 100."""

    kind: ClassVar[str] = "consultations.unread_changed"
    conversation_id: UUID
    account_id: UUID
    unread_count: int

    def streams(self) -> tuple[str, ...]:
        return (account_stream(self.account_id),)


@dataclass(frozen=True, slots=True)
class MarksAdvanced(Fact):
    """A participant has received or read further than before."""

    kind: ClassVar[str] = "consultations.marks_advanced"
    conversation_id: UUID
    role: Role
    delivered_seq: int
    read_seq: int

    def streams(self) -> tuple[str, ...]:
        return (conversation_stream(self.conversation_id),)


@dataclass(frozen=True, slots=True)
class CaseClosed(Fact):
    """The case ended, by one of the two; the other one is told wherever they are."""

    kind: ClassVar[str] = "consultations.case_closed"
    case_id: UUID
    conversation_id: UUID
    role: Role
    other_account_id: UUID

    def streams(self) -> tuple[str, ...]:
        return (conversation_stream(self.conversation_id), account_stream(self.other_account_id))


@dataclass(frozen=True, slots=True)
class CaseReopened(Fact):
    """The member took the case up again with the same consultant."""

    kind: ClassVar[str] = "consultations.case_reopened"
    case_id: UUID
    conversation_id: UUID
    consultant_account_id: UUID

    def streams(self) -> tuple[str, ...]:
        return (
            conversation_stream(self.conversation_id),
            account_stream(self.consultant_account_id),
        )


@dataclass(frozen=True, slots=True)
class HandoverRequested(Fact):
    """The consultant asks the member to let another one go on."""

    kind: ClassVar[str] = "consultations.handover_requested"
    handover_id: UUID
    case_id: UUID
    conversation_id: UUID
    to_consultant_id: UUID
    member_account_id: UUID

    def streams(self) -> tuple[str, ...]:
        return (conversation_stream(self.conversation_id), account_stream(self.member_account_id))


@dataclass(frozen=True, slots=True)
class HandoverRefused(Fact):
    """The case stays where it is: the member's word, or the consultant took the wish back."""

    kind: ClassVar[str] = "consultations.handover_refused"
    handover_id: UUID
    case_id: UUID
    conversation_id: UUID
    role: Role

    def streams(self) -> tuple[str, ...]:
        return (conversation_stream(self.conversation_id),)


@dataclass(frozen=True, slots=True)
class CaseHandedOver(Fact):
    """Another consultant has the case from this offset on; the one before is cut off by it."""

    kind: ClassVar[str] = "consultations.handed_over"
    is_authority: ClassVar[bool] = True
    handover_id: UUID
    case_id: UUID
    conversation_id: UUID
    from_consultant_id: UUID
    to_consultant_id: UUID
    shares_past: bool

    def streams(self) -> tuple[str, ...]:
        return (conversation_stream(self.conversation_id),)


@dataclass(frozen=True, slots=True)
class CaseReceived(Fact):
    """A case came to this consultant by hand-over, with so many messages unread."""

    kind: ClassVar[str] = "consultations.case_received"
    case_id: UUID
    conversation_id: UUID
    account_id: UUID
    unread_count: int

    def streams(self) -> tuple[str, ...]:
        return (account_stream(self.account_id),)
