"""Consultations (心理咨询, 法律援助) in GraphQL: the roots; see ``schema.consultation_types``."""

from __future__ import annotations

from typing import Annotated

import strawberry

from domain.consultations import handovers, messages, queries, queue, service, windows
from domain.consultations.consents import consent_text
from domain.consultations.marks import MARKS
from domain.consultations.models import CaseState, Service
from domain.kernel.capabilities import Capability
from domain.kernel.pages import Selection
from schema import consultation_inputs as inputs
from schema.consultation_events import (
    ConversationEvent,
    ConversationFeed,
    QueueEvent,
    QueueFeed,
)
from schema.consultation_types import (
    Case,
    Consultant,
    Conversation,
    Handover,
    Message,
    QueueEntry,
    Window,
)
from schema.context import Context, Info
from schema.declare import Row, given, of_row, payload, verb
from schema.live import streamed
from schema.nodes import row_id
from schema.paging import Connection, connected


@payload(needs=Capability.PUBLIC, description="A consent text in force (知情同意书).")
class ConsentText:
    """To be read and accepted before the first message."""

    service: Service = given("The service (服务).")
    version: int = given("Its version, for `requestConsultation` (版本).")
    zh_cn: str = given("The text, in Chinese, which is binding (中文文本).")
    english: str = given("The same in English (英文文本).")


def select_my_cases(
    context: Context,
    row: Row | None,
    *,
    state: Annotated[
        CaseState | None, strawberry.argument(description="Only in this state.")
    ] = None,
) -> Selection:
    """The caller's cases."""
    return queries.select_cases(context.actor, state=state)


def select_queue(context: Context, row: Row | None) -> Selection:
    """What waits for the caller."""
    return queries.select_queue(context.actor)


_Id = Annotated[strawberry.ID, strawberry.argument(description="A global id (全局标识).")]


@strawberry.type
class ConsultationsQuery:
    """Reads of consultations."""

    my_cases: Connection[Case] | None = connected(
        select_my_cases,
        lambda: Case,
        "The caller's cases, as member or consultant, newest first (我的个案).",
        needs=Capability.SELF,
    )
    queue: Connection[QueueEntry] | None = connected(
        select_queue,
        lambda: QueueEntry,
        "What waits for the caller's window, oldest first (候询队列).",
        needs=Capability.CONSULT,
    )

    @verb(Capability.SELF, "One case in which the caller takes part (个案).")
    async def case(self, info: Info, id: _Id) -> Case | None:
        return of_row(Case, await queries.get_case(info.context.actor, row_id(id, Case)))

    @verb(Capability.SELF, "One conversation in which the caller takes part (会话).")
    async def conversation(self, info: Info, id: _Id) -> Conversation | None:
        actor = info.context.actor
        return of_row(Conversation, await queries.get_conversation(actor, row_id(id, Conversation)))

    @verb(Capability.CONSULT, "The caller's own window (我的窗口).")
    async def my_window(self, info: Info) -> Window | None:
        return of_row(Window, await queries.get_window(info.context.actor))

    @verb(Capability.PUBLIC, "The consent text to accept before asking (知情同意书).")
    async def consent_text(
        self,
        info: Info,
        service: Annotated[Service, strawberry.argument(description="Of which service (服务).")],
    ) -> ConsentText:
        text = consent_text(service)
        return ConsentText(
            service=text.service, version=text.version, zh_cn=text.zh_cn, english=text.english
        )


_INPUT = strawberry.argument(description="See its fields (输入).")


@strawberry.type
class ConsultationsMutation:
    """Verbs of consultations."""

    @verb(Capability.SELF, "Ask for help, with consent given (求助).")
    async def request_consultation(
        self, info: Info, input: Annotated[inputs.RequestConsultationInput, _INPUT]
    ) -> inputs.CasePayload:
        to = input.addressed_to
        request = service.NewRequest(
            input.service,
            input.topic,
            input.consent_version,
            input.client_key,
            row_id(to, Consultant) if to is not None else None,
            input.urgency,
        )
        async with info.context.work() as w:
            row = await service.request_consultation(w, request)
        return inputs.CasePayload(case=of_row(Case, row))

    @verb(Capability.CONSULT, "Take a waiting request; of two at once one wins (接案).")
    async def accept_request(
        self, info: Info, input: Annotated[inputs.CaseInput, _INPUT]
    ) -> inputs.CasePayload:
        async with info.context.work() as w:
            row = await queue.accept(w, row_id(input.case_id, Case))
        return inputs.CasePayload(case=of_row(Case, row))

    @verb(Capability.SELF, "Close a case, or withdraw a waiting request (结束或撤回).")
    async def close_case(
        self, info: Info, input: Annotated[inputs.CaseInput, _INPUT]
    ) -> inputs.CasePayload:
        async with info.context.work() as w:
            row = await service.close(w, row_id(input.case_id, Case))
        return inputs.CasePayload(case=of_row(Case, row))

    @verb(Capability.SELF, "Go on with a closed case, as its member (重新开始).")
    async def reopen_case(
        self, info: Info, input: Annotated[inputs.CaseInput, _INPUT]
    ) -> inputs.CasePayload:
        async with info.context.work() as w:
            row = await service.reopen(w, row_id(input.case_id, Case))
        return inputs.CasePayload(case=of_row(Case, row))

    @verb(Capability.CONSULT, "Take the request that waits longest (接下一个).")
    async def take_next_request(
        self, info: Info, input: Annotated[inputs.TakeNextRequestInput, _INPUT]
    ) -> inputs.TakeNextRequestPayload:
        async with info.context.work() as w:
            row = await queue.take_next(w, input.client_key)
        return inputs.TakeNextRequestPayload(case=of_row(Case, row) if row is not None else None)

    @verb(
        Capability.CONSULT, "Pass a request addressed to oneself to the service's queue (转入候询)."
    )
    async def decline_request(
        self, info: Info, input: Annotated[inputs.CaseInput, _INPUT]
    ) -> inputs.DeclineRequestPayload:
        async with info.context.work() as w:
            row = await queue.decline(w, row_id(input.case_id, Case))
        return inputs.DeclineRequestPayload(entry=of_row(QueueEntry, row))

    @verb(Capability.CONSULT, "Say whether one is there, and how much one takes on (窗口状态).")
    async def set_window_state(
        self, info: Info, input: Annotated[inputs.SetWindowStateInput, _INPUT]
    ) -> inputs.WindowPayload:
        async with info.context.work() as w:
            row = await windows.set_window_state(w, input.state, input.capacity)
        return inputs.WindowPayload(window=of_row(Window, row))

    @verb(Capability.SELF, "Say something; the answer means that it is committed (发消息).")
    async def send_message(
        self, info: Info, input: Annotated[inputs.SendMessageInput, _INPUT]
    ) -> inputs.MessagePayload:
        conversation_id = row_id(input.conversation_id, Conversation)
        async with info.context.work() as w:
            row = await messages.send_message(
                w, conversation_id, client_key=input.client_key, text=input.text
            )
        return inputs.MessagePayload(message=of_row(Message, row))

    @verb(Capability.SELF, "These messages are stored on the caller's device (已送达).")
    async def mark_messages_delivered(
        self, info: Info, input: Annotated[inputs.MarkMessagesInput, _INPUT]
    ) -> inputs.ConversationPayload:
        conversation_id = row_id(input.conversation_id, Conversation)
        works, actor = info.context.works, info.context.actor
        row = await MARKS.advance(works, actor, conversation_id, delivered_seq=input.seq)
        return inputs.ConversationPayload(conversation=of_row(Conversation, row))

    @verb(Capability.SELF, "The caller has read these messages (已读).")
    async def mark_messages_read(
        self, info: Info, input: Annotated[inputs.MarkMessagesInput, _INPUT]
    ) -> inputs.ConversationPayload:
        conversation_id = row_id(input.conversation_id, Conversation)
        works, actor = info.context.works, info.context.actor
        row = await MARKS.advance(
            works, actor, conversation_id, delivered_seq=input.seq, read_seq=input.seq
        )
        return inputs.ConversationPayload(conversation=of_row(Conversation, row))

    @verb(Capability.SELF, "Tell the other one that one is typing (正在输入); never stored.")
    async def signal_typing(
        self, info: Info, input: Annotated[inputs.ConversationInput, _INPUT]
    ) -> inputs.TypingPayload:
        works = info.context.works
        is_passed_on = await messages.signal_typing(
            info.context.actor,
            works.announcer,
            row_id(input.conversation_id, Conversation),
            now=works.clock.now(),
        )
        return inputs.TypingPayload(is_passed_on=is_passed_on)

    @verb(
        Capability.SELF, "Not yet: always refused, `consultations.attachments_unavailable` (附件)."
    )
    async def attach_to_conversation(
        self, info: Info, input: Annotated[inputs.ConversationInput, _INPUT]
    ) -> inputs.ConversationPayload | None:
        await messages.attach(info.context.actor, row_id(input.conversation_id, Conversation))
        return None

    @verb(Capability.SELF, "Ask the member to let another consultant go on (请求转介).")
    async def request_handover(
        self, info: Info, input: Annotated[inputs.RequestHandoverInput, _INPUT]
    ) -> inputs.HandoverPayload:
        async with info.context.work() as w:
            row = await handovers.request_handover(
                w, row_id(input.case_id, Case), row_id(input.to_consultant_id, Consultant)
            )
        return inputs.HandoverPayload(handover=of_row(Handover, row))

    @verb(Capability.SELF, "Let the other consultant go on, as the member (同意转介).")
    async def consent_to_handover(
        self, info: Info, input: Annotated[inputs.ConsentToHandoverInput, _INPUT]
    ) -> inputs.CasePayload:
        async with info.context.work() as w:
            row = await handovers.consent_to_handover(
                w, row_id(input.handover_id, Handover), shares_past=input.shares_past
            )
        return inputs.CasePayload(case=of_row(Case, row))

    @verb(Capability.SELF, "Refuse it as the member, or take it back as the consultant (不转介).")
    async def refuse_handover(
        self, info: Info, input: Annotated[inputs.HandoverInput, _INPUT]
    ) -> inputs.HandoverPayload:
        async with info.context.work() as w:
            row = await handovers.refuse_handover(w, row_id(input.handover_id, Handover))
        return inputs.HandoverPayload(handover=of_row(Handover, row))


@strawberry.type
class ConsultationsSubscription:
    """What can be followed live."""

    @streamed(Capability.SELF, "What happens in a conversation of the caller's (会话动态).")
    def conversation_events(
        context: Context, conversation_id: _Id
    ) -> Annotated[ConversationFeed, ConversationEvent]:
        return ConversationFeed(row_id(conversation_id, Conversation))

    @streamed(Capability.CONSULT, "What comes into and leaves the queue (队列动态).")
    def queue_events(
        context: Context,
        service: Annotated[Service, strawberry.argument(description="The own service (服务).")],
    ) -> Annotated[QueueFeed, QueueEvent]:
        return QueueFeed(service, queries.ensure_consultant(context.actor))
