"""Notices (通知) in GraphQL: a cadre publishes and watches, officers receive and confirm."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import strawberry

from domain.kernel.capabilities import Capability
from domain.kernel.errors import NotFound
from domain.kernel.streams import position_of
from domain.notices import nudging, queries, receipts, service
from domain.notices.rules import Terms, Words
from domain.org.facts import union_stream
from schema.context import Context, Info
from schema.declare import of_row, verb
from schema.live import streamed
from schema.nodes import row_id
from schema.notice_events import BoardFeed, InboxEvent, InboxFeed, ReceiptBoardEvent
from schema.notice_inputs import (
    ConfirmNoticeInput,
    ConfirmNoticePayload,
    CorrectNoticeInput,
    MarkNoticeReadInput,
    NoticePayload,
    NudgeNoticeInput,
    NudgeNoticePayload,
    PublishNoticeInput,
    ReceiveNoticesInput,
    ReceiveNoticesPayload,
    WithdrawNoticeInput,
    as_audience,
)
from schema.notice_lists import (
    NoticeId,
    UnionId,
    select_inbox,
    select_preview,
    select_published,
    select_receipts,
    select_silent,
)
from schema.notice_types import (
    AddressedUnion,
    InboxNotice,
    Notice,
    Receipt,
    ReceiptBoard,
    ReceiptCounts,
)
from schema.org import Union
from schema.paging import Connection, connected


@strawberry.type
class NoticesQuery:
    """What can be read of notices."""

    inbox_notices: Connection[InboxNotice] | None = connected(
        select_inbox,
        lambda: InboxNotice,
        "What a union in which I hold a seat was sent (收件箱), newest first. Being shown here"
        " counts as delivered (自动回执).",
        needs=Capability.NOTICE_RECEIVE,
    )
    published_notices: Connection[Notice] | None = connected(
        select_published,
        lambda: Notice,
        "What was published in my scope (已发通知), newest first.",
        needs=Capability.NOTICE_PUBLISH,
    )
    silent_unions: Connection[AddressedUnion] | None = connected(
        select_silent,
        lambda: AddressedUnion,
        "Recipients that have not given a receipt (未回执工会), zone by zone.",
        needs=Capability.NOTICE_PUBLISH,
    )
    receipts: Connection[Receipt] | None = connected(
        select_receipts,
        lambda: Receipt,
        "The evidence of a notice (回执), as it came in.",
        needs=Capability.NOTICE_PUBLISH,
    )
    audience_preview: Connection[AddressedUnion] | None = connected(
        select_preview,
        lambda: AddressedUnion,
        "The unions that a notice would address (发送预览); `totalCount` says how many.",
        needs=Capability.NOTICE_PUBLISH,
    )

    @verb(Capability.SELF, "One notice (通知); `not_found` for whom it does not concern.")
    async def notice(self, info: Info, id: NoticeId) -> Notice | None:
        return of_row(Notice, await service.get_notice(info.context.actor, row_id(id, Notice)))

    @verb(Capability.NOTICE_PUBLISH, "The receipts of a notice by union (回执汇总).")
    async def receipt_board(self, info: Info, notice_id: NoticeId) -> ReceiptBoard | None:
        board = await queries.board(info.context.actor, row_id(notice_id, Notice))
        return ReceiptBoard(
            position=board.position,
            total=of_row(ReceiptCounts, board.total),
            by_zone=[of_row(ReceiptCounts, row) for row in board.by_zone],
            by_line=[of_row(ReceiptCounts, row) for row in board.by_line],
        )

    @verb(
        Capability.NOTICE_RECEIVE,
        "The place in a union's stream (位置) up to which an inbox read after it is true: ask it in"
        " a request of its own before the first page, and pass it to `inboxEvents` as `after`.",
    )
    async def inbox_position(
        self,
        info: Info,
        union_id: Annotated[
            strawberry.ID, strawberry.argument(description="A union in which one holds a seat.")
        ],
    ) -> str | None:
        id_ = row_id(union_id, Union)
        if id_ not in info.context.actor.offices:
            raise NotFound
        return await position_of(union_stream(id_))


_WHAT = strawberry.argument(description="What to do (内容).")


@strawberry.type
class NoticesMutation:
    """What can be done with notices."""

    @verb(
        Capability.NOTICE_PUBLISH,
        "Publish a notice (发布通知) to each union of the audience, at once. Repeating it with the"
        " same `clientKey` answers the first one.",
    )
    async def publish_notice(
        self, info: Info, input: Annotated[PublishNoticeInput, _WHAT]
    ) -> NoticePayload:
        async with info.context.work() as w:
            notice_id = await service.publish(
                w,
                row_id(input.publisher_id, Union),
                as_audience(input.audience),
                Words(input.title, input.body),
                terms=Terms(input.reply_by, input.wants_confirmation),
                client_key=input.client_key,
            )
        return await _payload(info, notice_id)

    @verb(
        Capability.NOTICE_PUBLISH,
        "Correct a notice of one's own union (更正通知). The old words and all receipts are kept.",
    )
    async def correct_notice(
        self, info: Info, input: Annotated[CorrectNoticeInput, _WHAT]
    ) -> NoticePayload:
        notice_id = row_id(input.notice_id, Notice)
        async with info.context.work() as w:
            await service.correct(
                w,
                notice_id,
                Words(input.title, input.body),
                reason=input.reason,
                based_on_no=input.based_on_no,
            )
        return await _payload(info, notice_id)

    @verb(Capability.NOTICE_PUBLISH, "Withdraw a notice of one's own union (撤回通知).")
    async def withdraw_notice(
        self, info: Info, input: Annotated[WithdrawNoticeInput, _WHAT]
    ) -> NoticePayload:
        notice_id = row_id(input.notice_id, Notice)
        async with info.context.work() as w:
            await service.withdraw(w, notice_id, reason=input.reason)
        return await _payload(info, notice_id)

    @verb(
        Capability.NOTICE_PUBLISH,
        "Remind the unions that have not answered a notice of one's own union (催办): not"
        " confirmed, or where no confirmation is asked for, not read. At most once in 24 hours.",
    )
    async def nudge_notice(
        self, info: Info, input: Annotated[NudgeNoticeInput, _WHAT]
    ) -> NudgeNoticePayload:
        notice_id = row_id(input.notice_id, Notice)
        async with info.context.work() as w:
            count = await nudging.nudge(w, notice_id)
        row = await service.get_notice(info.context.actor, notice_id)
        return NudgeNoticePayload(nudged_count=count, notice=of_row(Notice, row))

    @verb(
        Capability.NOTICE_RECEIVE,
        "Receive notices (送达), at most 100. The server does this itself for what it shows or"
        " pushes; it is for clients that got a notice otherwise.",
    )
    async def receive_notices(
        self, info: Info, input: Annotated[ReceiveNoticesInput, _WHAT]
    ) -> ReceiveNoticesPayload:
        ids = {row_id(each, Notice): each for each in input.notice_ids}
        async with info.context.work() as w:
            received = await receipts.receive(w, list(ids))
        return ReceiveNoticesPayload(received_ids=[ids[each] for each in ids if each in received])

    @verb(Capability.NOTICE_RECEIVE, "Mark a version of a notice read (已阅读). Repeatable.")
    async def mark_notice_read(
        self, info: Info, input: Annotated[MarkNoticeReadInput, _WHAT]
    ) -> NoticePayload:
        notice_id = row_id(input.notice_id, Notice)
        async with info.context.work() as w:
            await receipts.mark_read(w, notice_id, version_no=input.version_no)
        return await _payload(info, notice_id)

    @verb(
        Capability.NOTICE_RECEIVE,
        "Confirm the newest version of a notice for a union in which I hold a seat (确认回执)."
        " Repeating it answers the first receipt.",
    )
    async def confirm_notice(
        self, info: Info, input: Annotated[ConfirmNoticeInput, _WHAT]
    ) -> ConfirmNoticePayload:
        async with info.context.work() as w:
            receipt = await receipts.confirm(
                w,
                row_id(input.notice_id, Notice),
                row_id(input.union_id, Union),
                version_no=input.version_no,
            )
        return ConfirmNoticePayload(receipt=of_row(Receipt, receipt))


async def _payload(info: Info, notice_id: UUID) -> NoticePayload:
    row = await service.get_notice(info.context.actor, notice_id)
    return NoticePayload(notice=of_row(Notice, row))


@strawberry.type
class NoticesSubscription:
    """What can be followed of notices."""

    @streamed(
        Capability.NOTICE_RECEIVE,
        "Notices to a union in which I hold a seat (通知推送); being pushed counts as delivered.",
    )
    def inbox_events(context: Context, union_id: UnionId) -> Annotated[InboxFeed, InboxEvent]:
        return InboxFeed(row_id(union_id, Union), context.actor.account_id)

    @streamed(Capability.NOTICE_PUBLISH, "The receipts of a notice as they come in (回执动态).")
    def receipt_board_events(
        context: Context, notice_id: NoticeId
    ) -> Annotated[BoardFeed, ReceiptBoardEvent]:
        return BoardFeed(row_id(notice_id, Notice))
