"""The words of consultations (心理咨询, 法律援助): what its two people, or a window, can see."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from domain.consultations import queries
from domain.consultations.facts import conversation_stream, pool_stream
from domain.kernel.capabilities import Capability
from domain.kernel.pages import Selection
from schema.consultation_words import (
    CaseState,
    HandoverState,
    Role,
    Service,
    Topic,
    Urgency,
    WindowState,
)
from schema.context import Context, Info
from schema.declare import (
    Row,
    column,
    computed,
    node,
    row_type,
    to_one,
    verb,
)
from schema.nodes import Node, global_id
from schema.paging import Connection, connected


@node(
    queries.consultants_by_id,
    needs=Capability.SELF,
    description="A counsellor or lawyer with an own window (咨询师, 律师).",
)
class Consultant(Node):
    """Whom a member may ask by name."""

    service: Service = column("service", "The service (服务).", as_=Service)
    display_name: str = column("display_name", "Name shown to members (姓名).")
    specialities: list[str] = column("specialities", "What they know best (擅长).")
    introduction: str = column("introduction", "What they say of themselves (简介).")
    state: WindowState = column(
        "state", "What they say of their window themselves (窗口状态).", as_=WindowState
    )
    is_own: bool = column("is_own", "Whether this is the caller's own window (本人窗口).")

    @verb(
        Capability.SELF,
        "Whether they are there now (在线): they have their queue open on some device, or had it"
        " less than 20 seconds ago. `consultantEvents` tells who comes and who goes.",
    )
    async def is_present(self, info: Info) -> bool:
        pool = pool_stream(Service(self.row["service"]))
        return str(self.row["account_id"]) in await info.context.present(pool)


@row_type(needs=Capability.CONSULT, description="The caller's own window with its load (我的窗口).")
class Window:
    """What its consultant alone sees."""

    consultant: Consultant = to_one(
        "id", lambda: Consultant, "The window as members see it (窗口)."
    )
    capacity: int = column("capacity", "Running cases it takes at a time, 1…20 (接案上限).")
    running_count: int = column("running_count", "Running cases now (进行中个案数).")


@row_type(
    needs=Capability.CONSULT,
    description="A request that waits (候询). It does not tell whose it is.",
)
class QueueEntry:
    """A request before anybody takes it."""

    case_id: strawberry.ID = computed(
        ("id",), lambda id_: global_id("Case", id_), "The case to accept or decline (个案)."
    )
    service: Service = column("service", "The service (服务).", as_=Service)
    topic: Topic = column("topic", "What it is about (主题).", as_=Topic)
    urgency: Urgency = column("urgency", "How soon (紧急程度).", as_=Urgency)
    requested_at: datetime = column("requested_at", "Waiting since (等候起始).")
    is_addressed: bool = column("is_addressed", "Asked for this consultant by name (指名).")


@node(
    queries.handovers_by_id,
    needs=Capability.SELF,
    description="A wish to pass a case on, and the member's word on it (转介).",
)
class Handover(Node):
    """Nothing changes hands before the member consents."""

    from_consultant: Consultant = to_one(
        "from_consultant_id", lambda: Consultant, "Who asks (转出)."
    )
    to_consultant: Consultant = to_one(
        "to_consultant_id", lambda: Consultant, "Who is to go on (转入)."
    )
    state: HandoverState = column("state", "Where it stands (转介状态).", as_=HandoverState)
    shares_past: bool | None = column(
        "shares_past", "Whether the member lets the new one see the past (是否共享以往内容)."
    )
    requested_at: datetime = column("requested_at", "When it was asked for (提出时间).")
    decided_at: datetime | None = column("decided_at", "When it was decided (决定时间).")


@node(queries.messages_by_id, needs=Capability.SELF, description="One message, opened (消息).")
class Message(Node):
    """Readable by the two people of its conversation only."""

    seq: int = column("seq", "Its number in the conversation: 1, 2, 3 … (序号).")
    role: Role = column("role", "Who said it (发送者身份).", as_=Role)
    text: str = column("text", "What was said (内容).")
    client_key: UUID = column("client_key", "The key that its sender gave it (客户端键).")
    sent_at: datetime = column("sent_at", "When it was committed (发送时间).")


@row_type(
    needs=Capability.SELF,
    description="Who can read a conversation, or could until when (谁能看到).",
)
class Participant:
    """A span of reading."""

    role: Role = column("role", "As whom (身份).", as_=Role)
    consultant: Consultant | None = to_one(
        "consultant_id", lambda: Consultant, "Which consultant; null for the member (咨询师)."
    )
    from_seq: int = column("from_seq", "First message they may read (可见起始序号).")
    until_seq: int | None = column(
        "until_seq", "Last message they could read; null while they take part (可见截止序号)."
    )
    joined_at: datetime = column("joined_at", "Since when (加入时间).")
    ended_at: datetime | None = column("ended_at", "Until when; null: still (退出时间).")


def select_messages(context: Context, row: Row | None) -> Awaitable[Selection]:
    """The messages of a conversation that was read."""
    return queries.select_messages(_given(row))


def select_participants(context: Context, row: Row | None) -> Selection:
    """The readers of a conversation that was read."""
    return queries.select_participants(_given(row))


@node(
    queries.conversations_by_id,
    needs=Capability.SELF,
    description="A conversation between a member and a consultant (会话).",
)
class Conversation(Node):
    """Its two people see it; to everybody else it is absent."""

    case: Annotated[Case, strawberry.lazy("schema.consultation_types")] = to_one(
        "case_id", lambda: Case, "The case it belongs to (个案)."
    )
    service: Service = column("service", "The service (服务).", as_=Service)
    role: Role = column("role", "As whom the caller takes part (身份).", as_=Role)
    is_open: bool = computed(
        ("closed_at",), lambda at: at is None, "Whether messages can be sent (是否可发言)."
    )
    opened_at: datetime = column("opened_at", "Since when (开始时间).")
    closed_at: datetime | None = column("closed_at", "When it was closed (结束时间).")
    top_seq: int = column("top_seq", "Number of the latest message (最新序号).")
    from_seq: int = column("from_seq", "First message the caller may read (可见起始序号).")
    position: str = column(
        "position",
        "The place in the conversation's stream (位置) up to which this and everything below it is"
        " true at least: pass it to `conversationEvents` as `after`.",
    )
    unread_count: int = column(
        "unread_count", "The other one's messages not yet read, counted to 100 (未读数)."
    )
    delivered_seq: int = column("delivered_seq", "What has reached the caller (我的已送达).")
    read_seq: int = column("read_seq", "What the caller has read (我的已读).")
    other_delivered_seq: int = column(
        "other_delivered_seq", "What has reached the other one (对方已送达)."
    )
    other_read_seq: int = column("other_read_seq", "What the other one has read (对方已读).")
    messages: Connection[Message] = connected(
        select_messages,
        lambda: Message,
        "By number, newest last: ask for `last: 50` and go backwards (消息).",
    )
    participants: Connection[Participant] = connected(
        select_participants, lambda: Participant, "Who can read this (谁能看到)."
    )

    @verb(Capability.SELF, "Whether the other one has this conversation open now (对方在线).")
    async def other_is_present(self, info: Info) -> bool:
        scope = conversation_stream(self.row["id"])
        return str(self.row["other_account_id"]) in await info.context.present(scope)


def select_conversations(context: Context, row: Row | None) -> Selection:
    """The conversations of a case that was read."""
    return queries.select_conversations(context.actor, case_id=_given(row)["id"])


def select_handovers(context: Context, row: Row | None) -> Selection:
    """The hand-overs of a case that was read."""
    return queries.select_handovers(_given(row))


@node(
    queries.cases_by_id,
    needs=Capability.SELF,
    description="A member's request and what became of it (个案). Its two people see it.",
)
class Case(Node):
    """To everybody else it is absent."""

    service: Service = column("service", "The service (服务).", as_=Service)
    state: CaseState = column("state", "Where it stands (个案状态).", as_=CaseState)
    role: Role = column("role", "As whom the caller takes part (身份).", as_=Role)
    topic: Topic = column("topic", "What it is about (主题).", as_=Topic)
    urgency: Urgency = column("urgency", "How soon (紧急程度).", as_=Urgency)
    consultant: Consultant | None = to_one(
        "consultant_id", lambda: Consultant, "Who has it; null while it waits (咨询师)."
    )
    addressed_to: Consultant | None = to_one(
        "addressed_to_id", lambda: Consultant, "Whom it was addressed to (指名)."
    )
    consent_version: int = column("consent_version", "Consent accepted (同意书版本).")
    consented_at: datetime = column("consented_at", "When it was accepted (同意时间).")
    requested_at: datetime = column("requested_at", "Since when it waits or waited (求助时间).")
    accepted_at: datetime | None = column("accepted_at", "When it was taken (接案时间).")
    closed_at: datetime | None = column("closed_at", "When it ended (结束时间).")
    closed_by: Role | None = column("closed_by", "Which of the two closed it (结束方).", as_=Role)
    last_message: Message | None = to_one(
        "last_message_id",
        lambda: Message,
        "The latest message (最近消息) of its latest conversation; null before the first.",
    )
    conversations: Connection[Conversation] = connected(
        select_conversations, lambda: Conversation, "Its conversations (会话)."
    )
    handovers: Connection[Handover] = connected(
        select_handovers, lambda: Handover, "Its hand-overs (转介)."
    )


def _given(row: Row | None) -> Any:
    assert row is not None, "a field of a type with rows"
    return row
