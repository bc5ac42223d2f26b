"""The words of notices (通知): types that both sides read. The roots are in ``schema.notices``."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from domain.kernel.capabilities import Capability
from domain.kernel.pages import Selection
from domain.notices import queries, rules, service
from domain.notices.models import NoticeState, ReceiptKind
from schema.context import Context
from schema.declare import (
    Row,
    choice,
    column,
    computed,
    given,
    node,
    payload,
    row_type,
    to_one,
)
from schema.nodes import Node, global_id
from schema.org import Union
from schema.paging import Connection, connected

choice(
    NoticeState,
    "Where a notice stands (通知状态).",
    published="In force (已发布).",
    withdrawn="No longer holds; everything of it is kept (已撤回).",
)
choice(
    ReceiptKind,
    "What a receipt proves (回执类别), each more than the one before it.",
    delivered="It reached an officer's screen; given by the server itself (已送达).",
    read="An officer has opened it (已阅读).",
    confirmed="An officer has confirmed it for the union (已确认).",
)


def select_versions(_context: Context, row: Row | None) -> Selection:
    """Every version of the parent notice."""
    assert row is not None
    return queries.select_versions(row)


@row_type(needs=Capability.SELF, description="The words of a notice at a time (通知版本).")
class NoticeVersion:
    """One version; the first has no reason."""

    no: int = column("no", "Number, from 1 (版本号).")
    title: str = column("title", "Title, one line (标题).")
    body: str = column("body", "Text in Markdown, as written (正文).")
    body_html: str = computed(
        ("body",),
        rules.render_markdown,
        "The text as safe HTML: no images, no raw HTML (网页正文).",
    )
    at: datetime = column("at", "When it came into force (时间).")
    reason: str | None = column("reason", "Why it was corrected (更正原因); null of the first.")


@node(
    service.read_notices,
    needs=Capability.SELF,
    description="A notice (通知), to current officers of a recipient union and to its publisher.",
)
class Notice(Node):
    """A notice with its newest words."""

    publisher: Union = to_one(
        "publisher_id", lambda: Union, "The union in whose name it was published (发布工会)."
    )
    state: NoticeState = column("state", "Where it stands (状态).", as_=NoticeState)
    version_no: int = column("version_no", "Number of the newest version (版本号).")
    title: str = column("title", "Title, one line (标题).")
    body: str = column("body", "Text in Markdown, as written (正文).")
    body_html: str = computed(
        ("body",),
        rules.render_markdown,
        "The text as safe HTML: no images, no raw HTML (网页正文).",
    )
    published_at: datetime = column("published_at", "When it was published (发布时间).")
    corrected_at: datetime | None = column(
        "corrected_at", "When its newest version came, if it was ever corrected (更正时间)."
    )
    wants_confirmation: bool = column(
        "wants_confirmation", "Whether the publisher asks for a confirmation (是否要求确认)."
    )
    reply_by: datetime | None = column(
        "reply_by",
        "Confirm up to and including this instant; later ones are recorded as late (回复期限).",
    )
    nudged_at: datetime | None = column(
        "nudged_at", "When those who had not answered were last reminded (催办时间)."
    )
    withdrawn_at: datetime | None = column("withdrawn_at", "When it was withdrawn (撤回时间).")
    withdrawal_reason: str | None = column("withdrawal_reason", "Why it was withdrawn (撤回原因).")
    versions: Connection[NoticeVersion] = connected(
        select_versions, lambda: NoticeVersion, "Every version, newest first (历史版本)."
    )


@row_type(
    needs=Capability.NOTICE_RECEIVE,
    description="A notice in a union's inbox (收件箱), with the caller's own receipts.",
)
class InboxNotice:
    """A notice as its recipient sees it."""

    notice: Notice = to_one("id", lambda: Notice, "The notice (通知).")
    delivered_at: datetime | None = column(
        "delivered_at", "When it was first shown to the caller (送达时间)."
    )
    read_at: datetime | None = column("read_at", "When the caller marked it read (阅读时间).")
    confirmed_at: datetime | None = column(
        "confirmed_at", "When the caller confirmed it for this union (确认时间)."
    )


def _account_id(account_id: UUID) -> strawberry.ID:
    return global_id("Account", account_id)


@row_type(needs=Capability.SELF, description="Evidence (回执): who, for which union, what, when.")
class Receipt:
    """One receipt; never changed, never deleted."""

    union: Union = to_one("union_id", lambda: Union, "For which union (工会).")
    account_id: strawberry.ID = computed(("account_id",), _account_id, "Whose receipt (账号).")
    kind: ReceiptKind = column("kind", "What it proves (类别).", as_=ReceiptKind)
    version_no: int = column("version_no", "Of which version of the notice (版本号).")
    at: datetime = column("at", "When it was given (时间).")
    is_late: bool = column("is_late", "Confirmed after the day to reply by (逾期).")


@row_type(
    needs=Capability.NOTICE_PUBLISH,
    description="Unions with at least one receipt of a kind, or of one proving more (回执统计).",
)
class ReceiptCounts:
    """Counts of a notice, in total or of one zone or line."""

    union: Union | None = to_one(
        "union_id",
        lambda: Union,
        "The zone or line federation (镇区·条线); null in total and for those under none.",
    )
    recipients: int = column("recipients", "Unions addressed (发送数).")
    delivered: int = column("delivered", "Unions that it has reached (已送达).")
    read: int = column("read", "Unions where it has been read (已阅读).")
    confirmed: int = column("confirmed", "Unions that have confirmed, late ones too (已确认).")
    confirmed_late: int = column("confirmed_late", "Unions that confirmed late only (逾期确认).")


@payload(
    needs=Capability.NOTICE_PUBLISH,
    description="The receipts of a notice by union (回执汇总), exact at the moment of asking.",
)
class ReceiptBoard:
    """Counts in total, by zone and by line."""

    position: str = given(
        "The place in the board's stream (位置) up to which these counts are true: pass it to"
        " `receiptBoardEvents` as `after`."
    )
    total: ReceiptCounts = given("All recipients (合计).")
    by_zone: list[ReceiptCounts] = given("By zone of the day of publishing (按镇区).")
    by_line: list[ReceiptCounts] = given("By line of the day of publishing (按条线).")


@row_type(
    needs=Capability.NOTICE_PUBLISH,
    description="A union that a notice would address, or that has not given a receipt (工会).",
)
class AddressedUnion:
    """A union by name only: neither officers nor their numbers."""

    union: Union = to_one("id", lambda: Union, "The union (工会).")
    name: str = column("name", "Its name (名称).")
