"""The lists of notices (通知): which rows a connection shows to whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import strawberry

from domain.kernel.actor import Actor
from domain.kernel.pages import Join, Page, PageRequest, Selection
from domain.notices import queries, receipts
from domain.notices.audience import select_addressed
from domain.notices.models import ReceiptKind
from schema.context import Context
from schema.declare import Row
from schema.nodes import row_id
from schema.notice_inputs import AudienceInput, as_audience
from schema.notice_types import Notice
from schema.org import Union

UnionId = Annotated[strawberry.ID, strawberry.argument(description="A union's global id (工会).")]
NoticeId = Annotated[strawberry.ID, strawberry.argument(description="A notice's global id (通知).")]


@dataclass(frozen=True, slots=True)
class ReceivedOnSight(Selection):
    """An inbox whose rows count as delivered (自动回执) once they are on a page."""

    context: Context = field(kw_only=True)

    async def page(
        self, actor: Actor, request: PageRequest, columns: Any = None, joins: Sequence[Join] = ()
    ) -> Page:
        """One page, with the receipts that showing it has just made."""
        page = await Selection.page(self, actor, request, None, joins)
        if unseen := [row["id"] for row in page.rows if row["delivered_at"] is None]:
            async with self.context.work() as w:
                await receipts.receive(w, unseen)
            page = await Selection.page(self, actor, request, None, joins)
        return page


def select_inbox(context: Context, row: Row | None, *, union_id: UnionId) -> Selection:
    """What the union was sent."""
    inbox = queries.select_inbox(context.actor, row_id(union_id, Union))
    return ReceivedOnSight(inbox.listing, inbox.where, context=context)


def select_published(context: Context, row: Row | None) -> Selection:
    """What was published in the caller's scope."""
    return queries.select_published(context.actor)


async def select_silent(
    context: Context,
    row: Row | None,
    *,
    notice_id: NoticeId,
    kind: Annotated[
        ReceiptKind, strawberry.argument(description="Who has not given this or more (类别).")
    ],
    under: Annotated[
        strawberry.ID | None,
        strawberry.argument(
            description="Only those of this zone or line of the day of publishing (镇区·条线)."
        ),
    ] = None,
) -> Selection:
    """The unions without such a receipt."""
    under_id = None if under is None else row_id(under, Union)
    return await queries.select_silent(context.actor, row_id(notice_id, Notice), kind, under_id)


async def select_receipts(context: Context, row: Row | None, *, notice_id: NoticeId) -> Selection:
    """The evidence of a notice."""
    return await queries.select_receipts(context.actor, row_id(notice_id, Notice))


async def select_preview(
    context: Context,
    row: Row | None,
    *,
    publisher_id: UnionId,
    audience: Annotated[AudienceInput, strawberry.argument(description="Whom (发送范围).")],
) -> Selection:
    """The unions that would be addressed."""
    return await select_addressed(context.actor, row_id(publisher_id, Union), as_audience(audience))
