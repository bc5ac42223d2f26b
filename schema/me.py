"""What concerns one person wherever they are (我的动态): the stream of the own account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

import strawberry

from domain.kernel.actor import Actor
from domain.kernel.capabilities import Capability
from domain.kernel.errors import NotFound
from domain.kernel.streams import LoggedEvent, account_stream
from schema.context import Context
from schema.declare import choice, column, computed, of_row, row_type
from schema.live import CURSOR, cursor_of, streamed
from schema.nodes import global_id


class MyEventKind(Enum):
    """The facts of an account's stream that its owner is told."""

    CASE_ACCEPTED = "consultations.case_accepted"
    REQUEST_DECLINED = "consultations.request_declined"
    MESSAGE_WAITING = "consultations.message_waiting"
    CASE_CLOSED = "consultations.case_closed"
    CASE_REOPENED = "consultations.case_reopened"
    HANDOVER_REQUESTED = "consultations.handover_requested"
    CASE_RECEIVED = "consultations.case_received"
    SESSION_OPENED = "access.session_opened"
    SESSION_ENDED = "access.session_ended"
    AUTHORITY_CHANGED = "access.authority_changed"
    SEAT_TAKEN = "org.seat_taken"
    SEAT_ENDED = "org.seat_ended"


choice(
    MyEventKind,
    "What happened to the signed-in account (动态类别).",
    case_accepted="A consultant took my case (已接案).",
    request_declined="The named consultant passed my request to the queue (转入候询).",
    message_waiting="Something unread where everything was read before (有新消息).",
    case_closed="The other one closed the case (已结案).",
    case_reopened="The member took the case up again (再次求助).",
    handover_requested="My consultant asks to hand the case over (请求转交).",
    case_received="A case came to me by hand-over (收到转交).",
    session_opened="Signed in on a device (新登录).",
    session_ended="A session of mine ended (会话结束).",
    authority_changed="What I may do has changed (权限变更).",
    seat_taken="I hold a seat in a union now (任职).",
    seat_ended="I no longer hold a seat in a union (离任).",
)

_KINDS = frozenset(kind.value for kind in MyEventKind)


def _id_of(type_name: str) -> Any:
    return lambda raw: None if raw is None else global_id(type_name, UUID(raw))


@row_type(needs=Capability.SELF, description="Something that concerns me (我的动态); ids only.")
class MyEvent:
    """One fact of the own account's stream."""

    cursor: str = column("cursor", CURSOR)
    kind: MyEventKind = column("kind", "What happened (类别).", as_=MyEventKind)
    at: datetime = column("at", "When it was committed (时间).")
    case_id: strawberry.ID | None = computed(
        ("case_id",), _id_of("Case"), "The case (个案) it is about."
    )
    conversation_id: strawberry.ID | None = computed(
        ("conversation_id",), _id_of("Conversation"), "The conversation (会话) it is about."
    )
    union_id: strawberry.ID | None = computed(
        ("union_id",), _id_of("Union"), "The union (工会) it is about."
    )


@dataclass(frozen=True, slots=True)
class MyFeed:
    """The stream of one account, for its owner only."""

    account_id: UUID
    presence_scopes: tuple[str, ...] = ()
    receipts_of: UUID | None = None

    @property
    def streams(self) -> tuple[str, ...]:
        """The account's own stream."""
        return (account_stream(self.account_id),)

    async def authorise(self, actor: Actor) -> Mapping[str, int]:
        """Everything, as long as one is oneself."""
        if actor.account_id != self.account_id:
            raise NotFound
        return {self.streams[0]: 1}

    async def project(self, event: LoggedEvent) -> MyEvent | None:
        """The event's ids; kinds that are not listed are the program's own."""
        if event.kind not in _KINDS:
            return None
        about = {name: event.body.get(name) for name in ("case_id", "conversation_id", "union_id")}
        of = {"cursor": cursor_of(event), "kind": event.kind, "at": event.at}
        return of_row(MyEvent, of | about)


@strawberry.type
class MeSubscription:
    """The own account's stream."""

    @streamed(Capability.SELF, "What concerns me, wherever I am (我的动态).", shared_by=())
    def my_events(context: Context) -> Annotated[MyFeed, MyEvent]:
        return MyFeed(context.actor.account())
