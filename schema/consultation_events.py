"""Live events of consultations: a conversation's (会话动态) and a queue's (队列动态).

Each event is rendered from its fact alone; a message's text is opened with the cached data key.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

import strawberry

from domain.consultations import facts, queries, sealing
from domain.consultations.models import Role, Service
from domain.kernel.actor import Actor
from domain.kernel.capabilities import Capability
from domain.kernel.errors import NotFound
from domain.kernel.streams import LoggedEvent
from schema.consultation_types import Case, Consultant, Handover, Message, QueueEntry
from schema.declare import given, of_row, payload
from schema.live import CURSOR, cursor_of
from schema.nodes import global_id

PRESENCE_CHANGED = "presence.changed"
"""The live layer's whisper when somebody opens or leaves the conversation."""
_AT = "When it was committed (时间)."


@payload(needs=Capability.SELF, description="A message was sent (新消息).")
class MessageSent:
    """By either of the two; the sender's other devices get it too."""

    cursor: str = given(CURSOR)
    at: datetime = given(_AT)
    message: Message = given("The message, opened (消息).")


@payload(needs=Capability.SELF, description="One has received or read further (送达与已读).")
class MarksAdvanced:
    """Marks only advance."""

    cursor: str = given(CURSOR)
    at: datetime = given(_AT)
    role: Role = given("Who (身份).")
    delivered_seq: int = given("What has reached them (已送达).")
    read_seq: int = given("What they have read (已读).")


@payload(needs=Capability.SELF, description="The case was closed (已结束).")
class CaseClosed:
    """The member may re-open it."""

    cursor: str = given(CURSOR)
    at: datetime = given(_AT)
    case_id: strawberry.ID = given("The case (个案).")
    role: Role = given("By whom (结束方).")


@payload(needs=Capability.SELF, description="The case goes on (重新开始).")
class CaseReopened:
    """By the member."""

    cursor: str = given(CURSOR)
    at: datetime = given(_AT)
    case_id: strawberry.ID = given("The case (个案).")


@payload(needs=Capability.SELF, description="The consultant asks to pass the case on (请求转介).")
class HandoverRequested:
    """The member decides."""

    cursor: str = given(CURSOR)
    at: datetime = given(_AT)
    handover_id: strawberry.ID = given("The hand-over to consent to or refuse (转介).")
    to_consultant_id: strawberry.ID = given("Who is to go on (转入).")


@payload(needs=Capability.SELF, description="The case stays where it is (未转介).")
class HandoverRefused:
    """Refused by the member, or taken back by the consultant."""

    cursor: str = given(CURSOR)
    at: datetime = given(_AT)
    handover_id: strawberry.ID = given("The hand-over (转介).")
    role: Role = given("By whom (身份).")


@payload(needs=Capability.SELF, description="Another consultant has the case (已转介).")
class CaseHandedOver:
    """Whoever had it before gets nothing more."""

    cursor: str = given(CURSOR)
    at: datetime = given(_AT)
    handover_id: strawberry.ID = given("The hand-over (转介).")
    to_consultant_id: strawberry.ID = given("Who goes on (转入).")
    shares_past: bool = given("Whether they see the past (是否共享以往内容).")


@payload(needs=Capability.SELF, description="Somebody is typing (正在输入); never stored.")
class TypingSignalled:
    """Holds for six seconds."""

    role: Role = given("Who (身份).")


@payload(
    needs=Capability.SELF,
    description="Who opened it, who left it, since this was last told (在线状态); never stored.",
)
class PresenceChanged:
    """Of the two people of this conversation, told at most twice a second."""

    joined: list[Role] = given("Who has it open now (上线).")
    left: list[Role] = given("Who has had it open nowhere for 20 seconds (离线).")


ConversationEvent = Annotated[
    MessageSent
    | MarksAdvanced
    | CaseClosed
    | CaseReopened
    | HandoverRequested
    | HandoverRefused
    | CaseHandedOver
    | TypingSignalled
    | PresenceChanged,
    strawberry.union("ConversationEvent", description="What happens in a conversation (会话动态)."),
]


@payload(needs=Capability.CONSULT, description="A request waits (新求助).")
class RequestQueued:
    """For the whole service, or for this consultant by name."""

    cursor: str = given(CURSOR)
    at: datetime = given(_AT)
    entry: QueueEntry = given("The request; not whose it is (候询).")


@payload(needs=Capability.CONSULT, description="A request waits no longer (求助已离队).")
class RequestTaken:
    """Taken, withdrawn or declined."""

    cursor: str = given(CURSOR)
    at: datetime = given(_AT)
    case_id: strawberry.ID = given("The case (个案).")


QueueEvent = Annotated[
    RequestQueued | RequestTaken,
    strawberry.union("QueueEvent", description="What happens in a queue (队列动态)."),
]


@dataclass(slots=True)
class ConversationFeed:
    """One conversation, from where the caller came in, for as long as they take part."""

    shared_by: ClassVar[tuple[str, ...]] = ("_roles",)
    conversation_id: UUID
    receipts_of: UUID | None = None
    _roles: Mapping[str, Role] = field(default_factory=dict)

    @property
    def streams(self) -> tuple[str, ...]:
        """The conversation's stream."""
        return (facts.conversation_stream(self.conversation_id),)

    @property
    def presence_scopes(self) -> tuple[str, ...]:
        """Whoever follows a conversation is present in it."""
        return self.streams

    async def authorise(self, actor: Actor) -> Mapping[str, int]:
        """The first visible offset. Raises NotFound: no part in it, or no longer."""
        row = await queries.get_conversation(actor, self.conversation_id)
        own = Role(row["role"])
        other = Role.CONSULTANT if own is Role.MEMBER else Role.MEMBER
        self._roles = {str(actor.account_id): own, str(row["other_account_id"]): other}
        return {self.streams[0]: row["from_offset"]}

    async def project(self, event: LoggedEvent) -> object | None:
        """The event; None for what concerns accounts only."""
        if event.kind == facts.MessageSent.kind:
            return MessageSent(**_place(event), message=await _message(event))
        if event.kind == PRESENCE_CHANGED:
            return self._presence(event)
        make = _MADE.get(event.kind)
        return make(event) if make is not None else None

    def _presence(self, event: LoggedEvent) -> PresenceChanged | None:
        """Of those who take part now: whoever was handed over from has no role here any more."""
        joined, left = (
            [self._roles[account] for account in event.body[name] if account in self._roles]
            for name in ("joined", "left")
        )
        return PresenceChanged(joined=joined, left=left) if joined or left else None


@dataclass(frozen=True, slots=True)
class QueueFeed:
    """A service's queue and what is addressed to one consultant."""

    shared_by: ClassVar[tuple[str, ...]] = ()
    service: Service
    consultant_id: UUID
    receipts_of: UUID | None = None

    @property
    def streams(self) -> tuple[str, ...]:
        """The service's queue, and the own one."""
        return (facts.queue_stream(self.service), facts.queue_stream(self.consultant_id))

    @property
    def presence_scopes(self) -> tuple[str, ...]:
        """Whoever follows the queue is there, for the members who look for somebody."""
        return (facts.pool_stream(self.service),)

    async def authorise(self, actor: Actor) -> Mapping[str, int]:
        """Everything, for a consultant of the service. Raises NotFound, Forbidden."""
        window = await queries.get_window(actor)
        if (window["id"], window["service"]) != (self.consultant_id, self.service):
            raise NotFound
        return dict.fromkeys(self.streams, 1)

    async def project(self, event: LoggedEvent) -> object | None:
        """The event."""
        body = event.body
        if event.kind == facts.RequestTaken.kind:
            return RequestTaken(**_place(event), case_id=global_id("Case", UUID(body["case_id"])))
        if event.kind != facts.RequestQueued.kind:
            return None
        entry = {
            **body,
            "id": UUID(body["case_id"]),
            "requested_at": datetime.fromisoformat(body["requested_at"]),
            "is_addressed": body["addressed_to_id"] is not None,
        }
        return RequestQueued(**_place(event), entry=of_row(QueueEntry, entry))


def _place(event: LoggedEvent) -> dict[str, Any]:
    return {"cursor": cursor_of(event), "at": event.at}


def _id(node: type, event: LoggedEvent, name: str) -> strawberry.ID:
    return global_id(node.__name__, UUID(event.body[name]))


async def _message(event: LoggedEvent) -> Message:
    body = event.body
    row: dict[str, Any] = {
        "id": UUID(body["id"]),
        "conversation_id": UUID(body["conversation_id"]),
        "client_key": UUID(body["client_key"]),
        "sender_account_id": UUID(body["sender_account_id"]),
        "seq": body["seq"],
        "role": body["role"],
        "sent_at": datetime.fromisoformat(body["sent_at"]),
        "body": base64.b64decode(body["sealed"]),
    }
    key = await sealing.conversation_key(Service(body["service"]), row["conversation_id"])
    row["text"] = sealing.open_message(key, row)
    return of_row(Message, row)


_MADE: Mapping[str, Callable[[LoggedEvent], object]] = {
    facts.MarksAdvanced.kind: lambda e: MarksAdvanced(
        **_place(e),
        role=Role(e.body["role"]),
        delivered_seq=e.body["delivered_seq"],
        read_seq=e.body["read_seq"],
    ),
    facts.CaseClosed.kind: lambda e: CaseClosed(
        **_place(e), case_id=_id(Case, e, "case_id"), role=Role(e.body["role"])
    ),
    facts.CaseReopened.kind: lambda e: CaseReopened(**_place(e), case_id=_id(Case, e, "case_id")),
    facts.HandoverRequested.kind: lambda e: HandoverRequested(
        **_place(e),
        handover_id=_id(Handover, e, "handover_id"),
        to_consultant_id=_id(Consultant, e, "to_consultant_id"),
    ),
    facts.HandoverRefused.kind: lambda e: HandoverRefused(
        **_place(e), handover_id=_id(Handover, e, "handover_id"), role=Role(e.body["role"])
    ),
    facts.CaseHandedOver.kind: lambda e: CaseHandedOver(
        **_place(e),
        handover_id=_id(Handover, e, "handover_id"),
        to_consultant_id=_id(Consultant, e, "to_consultant_id"),
        shares_past=e.body["shares_past"],
    ),
    facts.TYPING: lambda e: TypingSignalled(role=Role(e.body["role"])),
}
