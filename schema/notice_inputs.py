"""What mutations of notices take and answer (通知的输入与结果)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from domain.kernel.capabilities import Capability
from domain.notices import rules
from domain.org.models import Ownership
from schema.declare import given, payload
from schema.nodes import row_id
from schema.notice_types import Notice, Receipt
from schema.org import Union


@strawberry.input(
    description="A part of the matrix (发送范围): exactly one of zone, line and unions, which may"
    " then be narrowed by employer."
)
class AudienceInput:
    """See ``domain.notices.rules.Audience``."""

    zone_id: strawberry.ID | None = strawberry.field(
        default=None, description="Every union at and below this one by territory (镇区)."
    )
    line_id: strawberry.ID | None = strawberry.field(
        default=None, description="Every union at and below this one by line (条线)."
    )
    union_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="These unions, at most 2,000 (指定工会)."
    )
    ownership: Ownership | None = strawberry.field(
        default=None, description="Only where the employer is owned so (所有制)."
    )
    investor_country: str | None = strawberry.field(
        default=None, description="Only where the investor is from here, as `DE` (投资国)."
    )


def as_audience(input: AudienceInput) -> rules.Audience:
    """The domain's value. Raises NotFound for texts that are no union's id, AudienceTooLarge."""
    named = input.union_ids or []
    if len(named) > rules.NAMED_UNIONS_MAX:
        raise rules.AudienceTooLarge(max=rules.NAMED_UNIONS_MAX)
    return rules.Audience(
        zone_id=None if input.zone_id is None else row_id(input.zone_id, Union),
        line_id=None if input.line_id is None else row_id(input.line_id, Union),
        union_ids=tuple(row_id(each, Union) for each in named),
        ownership=input.ownership,
        investor_country=input.investor_country,
    )


@strawberry.input(description="A notice to publish (发布通知).")
class PublishNoticeInput:
    """See ``domain.notices.service.publish``."""

    publisher_id: strawberry.ID = strawberry.field(
        description="The union in whose name, one in which the caller may publish (发布工会)."
    )
    audience: AudienceInput = strawberry.field(description="Whom (发送范围).")
    title: str = strawberry.field(description="One line, at most 120 characters (标题).")
    body: str = strawberry.field(description="Markdown, at most 20,000 characters (正文).")
    wants_confirmation: bool = strawberry.field(
        default=False, description="Whether to ask for a confirmation (要求确认)."
    )
    reply_by: datetime | None = strawberry.field(
        default=None,
        description="By when to confirm (回复期限): in the future, within a year; only with"
        " `wantsConfirmation`.",
    )
    client_key: UUID = strawberry.field(
        description="Made by the client, once for each notice: a repetition with it is harmless."
    )


@strawberry.input(description="New words for a notice (更正).")
class CorrectNoticeInput:
    """See ``domain.notices.service.correct``."""

    notice_id: strawberry.ID = strawberry.field(description="The notice (通知).")
    based_on_no: int = strawberry.field(
        description="The version that the caller has corrected; `notices.version_outdated` if"
        " somebody else was faster (依据版本)."
    )
    title: str = strawberry.field(description="One line, at most 120 characters (标题).")
    body: str = strawberry.field(description="Markdown, at most 20,000 characters (正文).")
    reason: str = strawberry.field(description="Why, at most 500 characters (更正原因).")


@strawberry.input(description="A notice to withdraw (撤回).")
class WithdrawNoticeInput:
    """See ``domain.notices.service.withdraw``."""

    notice_id: strawberry.ID = strawberry.field(description="The notice (通知).")
    reason: str = strawberry.field(description="Why, at most 500 characters (撤回原因).")


@strawberry.input(description="A notice whose silent recipients are reminded (催办).")
class NudgeNoticeInput:
    """See ``domain.notices.nudging.nudge``."""

    notice_id: strawberry.ID = strawberry.field(description="The notice (通知).")


@strawberry.input(description="Notices that have reached the caller (送达).")
class ReceiveNoticesInput:
    """See ``domain.notices.receipts.receive``."""

    notice_ids: list[strawberry.ID] = strawberry.field(description="At most 100 notices (通知).")


@strawberry.input(description="A version of a notice that the caller has read (阅读).")
class MarkNoticeReadInput:
    """See ``domain.notices.receipts.mark_read``."""

    notice_id: strawberry.ID = strawberry.field(description="The notice (通知).")
    version_no: int = strawberry.field(description="The version that was shown (版本号).")


@strawberry.input(description="A version of a notice that the caller confirms (确认).")
class ConfirmNoticeInput:
    """See ``domain.notices.receipts.confirm``."""

    notice_id: strawberry.ID = strawberry.field(description="The notice (通知).")
    union_id: strawberry.ID = strawberry.field(description="For which union (工会).")
    version_no: int = strawberry.field(
        description="The version that was shown; it must still be the newest (版本号)."
    )


@payload(needs=Capability.SELF, description="The notice as it is now (通知).")
class NoticePayload:
    """Answer of the verbs about one notice."""

    notice: Notice = given("The notice (通知).")


@payload(needs=Capability.NOTICE_PUBLISH, description="Who was reminded (催办).")
class NudgeNoticePayload:
    """Answer of ``nudgeNotice``."""

    nudged_count: int = given("Unions that were reminded (催办数).")
    notice: Notice = given("The notice as it is now (通知).")


@payload(needs=Capability.SELF, description="What was received (送达).")
class ReceiveNoticesPayload:
    """Answer of ``receiveNotices``."""

    received_ids: list[strawberry.ID] = given(
        "The notices that were new to the caller; what is not addressed to it is left out."
    )


@payload(needs=Capability.SELF, description="The evidence (回执).")
class ConfirmNoticePayload:
    """Answer of ``confirmNotice``."""

    receipt: Receipt = given("The caller's receipt (回执); the first one, if repeated.")
