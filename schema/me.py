"""What concerns one person wherever they are (我的动态): the stream of the own account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, ClassVar
from uuid import UUID

import strawberry

from domain.consultations import queries as consultations
from domain.kernel.actor import Actor
from domain.kernel.capabilities import Capability
from domain.kernel.errors import NotFound
from domain.kernel.streams import LoggedEvent, account_stream, position_of
from domain.notices import queries as notices
from schema.context import Context, Info
from schema.declare import choice, column, computed, given, of_row, payload, row_type, verb
from schema.live import CURSOR, cursor_of, streamed
from schema.nodes import global_id


class MyEventKind(Enum):
    """The facts of an account's stream that its owner is told."""

    CASE_ACCEPTED = "consultations.case_accepted"
    REQUEST_DECLINED = "consultations.request_declined"
    MESSAGE_WAITING = "consultations.message_waiting"
    UNREAD_CHANGED = "consultations.unread_changed"
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
    unread_changed="More is unread, or I have read it on some device (未读数变更).",
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
_ABOUT = ("case_id", "conversation_id", "union_id", "unread_count")


def _id_of(type_name: str) -> Any:
    return lambda raw: None if raw is None else global_id(type_name, UUID(str(raw)))


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
    unread_count: int | None = column(
        "unread_count",
        "Messages unread in that conversation from now on, counted to 100 (未读数); null of what"
        " does not change it. Whether any waits is told at once, how many within ten seconds.",
    )


@dataclass(frozen=True, slots=True)
class MyFeed:
    """The stream of one account, for its owner only."""

    shared_by: ClassVar[tuple[str, ...]] = ()
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
        about = {name: event.body.get(name) for name in _ABOUT}
        of = {"cursor": cursor_of(event), "kind": event.kind, "at": event.at}
        return of_row(MyEvent, of | about)


@row_type(needs=Capability.SELF, description="A conversation with something unread (未读会话).")
class UnreadConversation:
    """Messages of the other one."""

    conversation_id: strawberry.ID = computed(
        ("id",), _id_of("Conversation"), "The conversation (会话)."
    )
    case_id: strawberry.ID = computed(("case_id",), _id_of("Case"), "Its case (个案).")
    unread_count: int = column("unread_count", "Messages unread, counted to 100 (未读数).")


@row_type(needs=Capability.SELF, description="An inbox with something unread (未读通知).")
class UnreadInbox:
    """Of a union in which the caller holds a seat now."""

    union_id: strawberry.ID = computed(("union_id",), _id_of("Union"), "The union (工会).")
    unread_count: int = column(
        "unread_count", "Of its newest 100 notices those that the caller has not read (未读数)."
    )


@payload(
    needs=Capability.SELF, description="What waits unread for the caller, anywhere (我的未读)."
)
class MyUnread:
    """Only where something waits."""

    position: str = given(
        "The place in the own stream (位置) up to which `conversations` are true at least: pass it"
        " to `myEvents` as `after`, and put each `unreadCount` in the place of the one shown."
    )
    conversations: list[UnreadConversation] = given(
        "Conversations with messages unread, the newest first; at most 100 (未读会话)."
    )
    inboxes: list[UnreadInbox] = given(
        "Inboxes with notices unread (未读通知); `inboxEvents` of a union tells what comes in."
    )


@strawberry.type
class MeQuery:
    """What waits for oneself."""

    @verb(Capability.SELF, "What I have not read yet, in one place (我的未读).")
    async def my_unread(self, info: Info) -> MyUnread:
        actor = info.context.actor
        # The position first: what comes in between is then told twice, and never not at all.
        place = await position_of(account_stream(actor.account()))
        conversations = await consultations.unread_conversations(actor)
        inboxes = await notices.unread_inboxes(actor)
        return MyUnread(
            position=place,
            conversations=[of_row(UnreadConversation, row) for row in conversations],
            inboxes=[of_row(UnreadInbox, row) for row in inboxes],
        )


@strawberry.type
class MeSubscription:
    """The own account's stream."""

    @streamed(Capability.SELF, "What concerns me, wherever I am (我的动态).")
    def my_events(context: Context) -> Annotated[MyFeed, MyEvent]:
        return MyFeed(context.actor.account())
