"""What the verbs of consultations take and answer.

A ``clientKey`` stands where a repeated call would do something twice; the other verbs lead to a
state, and repeating them changes nothing.
"""

from __future__ import annotations

from uuid import UUID

import strawberry

from domain.consultations.models import Service, Topic, Urgency, WindowState
from domain.kernel.capabilities import Capability
from schema.consultation_types import Case, Conversation, Handover, Message, QueueEntry, Window
from schema.declare import given, payload

_KEY = "A random UUID of the client's; the same key again is the same call (客户端键)."
_CASE = "The case's global id (个案)."
_CONVERSATION = "The conversation's global id (会话)."


@strawberry.input(description="What a member asks for (求助).")
class RequestConsultationInput:
    """See ``domain.consultations.service.NewRequest``."""

    service: Service = strawberry.field(description="Which service (服务).")
    topic: Topic = strawberry.field(description="One of the service's topics (主题).")
    urgency: Urgency = strawberry.field(
        default=Urgency.ORDINARY, description="How soon an answer is needed (紧急程度)."
    )
    addressed_to: strawberry.ID | None = strawberry.field(
        default=None, description="A consultant's global id; null: whoever is next (指名)."
    )
    consent_version: int = strawberry.field(
        description="The version of `consentText` that was read and accepted (同意书版本)."
    )
    client_key: UUID = strawberry.field(description=_KEY)


@strawberry.input(description="Which case (个案).")
class CaseInput:
    """One case."""

    case_id: strawberry.ID = strawberry.field(description=_CASE)


@strawberry.input(description="Take whatever waits longest (接下一个).")
class TakeNextRequestInput:
    """The queue decides which."""

    client_key: UUID = strawberry.field(description=_KEY)


@strawberry.input(description="What the window shows and takes (窗口状态).")
class SetWindowStateInput:
    """The own window's."""

    state: WindowState = strawberry.field(description="Whether one is there (窗口状态).")
    capacity: int | None = strawberry.field(
        default=None, description="Running cases at a time, 1…20; null: as before (接案上限)."
    )


@strawberry.input(description="A message to send (发消息).")
class SendMessageInput:
    """Of at most 4,000 characters."""

    conversation_id: strawberry.ID = strawberry.field(description=_CONVERSATION)
    text: str = strawberry.field(description="1…4,000 characters (内容).")
    client_key: UUID = strawberry.field(description=_KEY)


@strawberry.input(description="How far messages have come (送达或已读).")
class MarkMessagesInput:
    """Marks only advance."""

    conversation_id: strawberry.ID = strawberry.field(description=_CONVERSATION)
    seq: int = strawberry.field(description="Everything up to this number (序号).")


@strawberry.input(description="Which conversation (会话).")
class ConversationInput:
    """One conversation."""

    conversation_id: strawberry.ID = strawberry.field(description=_CONVERSATION)


@strawberry.input(description="To whom the case is to go (请求转介).")
class RequestHandoverInput:
    """The member will be asked."""

    case_id: strawberry.ID = strawberry.field(description=_CASE)
    to_consultant_id: strawberry.ID = strawberry.field(
        description="The global id of another consultant of the same service (转入)."
    )


@strawberry.input(description="The member's consent (同意转介).")
class ConsentToHandoverInput:
    """Nothing changes hands without it."""

    handover_id: strawberry.ID = strawberry.field(description="The hand-over's global id (转介).")
    shares_past: bool = strawberry.field(
        description="Whether the new consultant may see what was said before (是否共享以往内容)."
    )


@strawberry.input(description="Which hand-over (转介).")
class HandoverInput:
    """One hand-over."""

    handover_id: strawberry.ID = strawberry.field(description="The hand-over's global id (转介).")


@payload(needs=Capability.SELF, description="The case as it is now (个案).")
class CasePayload:
    """What moving a case answers."""

    case: Case = given("The case (个案).")


@payload(needs=Capability.CONSULT, description="What was taken (接案结果).")
class TakeNextRequestPayload:
    """Nothing, when nothing waits."""

    case: Case | None = given("The case; null when nothing waits (个案).")


@payload(needs=Capability.CONSULT, description="The request, waiting for the service (候询).")
class DeclineRequestPayload:
    """It keeps its place by age."""

    entry: QueueEntry = given("The request as it waits now (候询).")


@payload(needs=Capability.CONSULT, description="The window as it is now (窗口).")
class WindowPayload:
    """What setting a window answers."""

    window: Window = given("The own window (窗口).")


@payload(needs=Capability.SELF, description="The message as it was stored (消息).")
class MessagePayload:
    """An answer means committed."""

    message: Message = given("The message, with its number (消息).")


@payload(needs=Capability.SELF, description="The conversation as it is now (会话).")
class ConversationPayload:
    """What marking answers."""

    conversation: Conversation = given("The conversation (会话).")


@payload(needs=Capability.SELF, description="What became of a typing signal (正在输入).")
class TypingPayload:
    """Signals are passed on once in three seconds."""

    is_passed_on: bool = given("Whether the other one was told (是否已转达).")


@payload(needs=Capability.SELF, description="The hand-over as it is now (转介).")
class HandoverPayload:
    """What asking and refusing answer."""

    handover: Handover = given("The hand-over (转介).")
