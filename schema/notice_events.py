"""Notices live (通知动态): a union's inbox on ``ou:``, a notice's board on ``nt:``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import ClassVar
from uuid import UUID

import strawberry

from domain.kernel.actor import Actor
from domain.kernel.capabilities import Capability
from domain.kernel.errors import NotFound
from domain.kernel.streams import LoggedEvent
from domain.notices import rules, watching
from domain.notices.facts import notice_stream
from domain.org.facts import union_stream
from schema.declare import choice, column, computed, given, of_row, payload, row_type
from schema.live import CURSOR, cursor_of
from schema.nodes import global_id
from schema.notice_types import ReceiptCounts


class InboxEventKind(Enum):
    """The facts of a union's stream that are about notices."""

    PUBLISHED = "notices.published"
    CORRECTED = "notices.corrected"
    WITHDRAWN = "notices.withdrawn"
    NUDGED = "notices.nudged"


class BoardEventKind(Enum):
    """The facts of a notice's own stream."""

    COUNTED = "notices.board_changed"
    CORRECTED = "notices.corrected"
    WITHDRAWN = "notices.withdrawn"
    NUDGED = "notices.nudged"


choice(
    InboxEventKind,
    "What happened to a notice (通知动态).",
    published="A new notice (新通知).",
    corrected="It has new words (已更正).",
    withdrawn="It no longer holds (已撤回).",
    nudged="One's union has not answered and is reminded (催办).",
)
choice(
    BoardEventKind,
    "What happened to a notice, for its publisher (回执动态).",
    counted="The counts have changed (回执更新); at most twice a second.",
    corrected="It has new words (已更正).",
    withdrawn="It no longer holds (已撤回).",
    nudged="Those who had not answered were reminded (已催办).",
)


def _notice_id(raw: str) -> strawberry.ID:
    return global_id("Notice", UUID(raw))


def _union_id(raw: str | None) -> strawberry.ID | None:
    return None if raw is None else global_id("Union", UUID(raw))


def _html(text: str | None) -> str | None:
    return None if text is None else rules.render_markdown(text)


@row_type(
    needs=Capability.NOTICE_RECEIVE, description="Something about a notice to a union (通知动态)."
)
class InboxEvent:
    """One fact of a union's stream; what its kind does not carry is null."""

    cursor: str = column("cursor", CURSOR)
    kind: InboxEventKind = column("kind", "What happened (类别).", as_=InboxEventKind)
    at: datetime = column("at", "When it was committed (时间).")
    notice_id: strawberry.ID = computed(("notice_id",), _notice_id, "The notice (通知).")
    publisher_id: strawberry.ID | None = computed(
        ("publisher_id",), _union_id, "The union in whose name it was published (发布工会)."
    )
    version_no: int | None = column("version_no", "Number of the version (版本号).")
    title: str | None = column("title", "Title, one line (标题).")
    body: str | None = column(
        "text", "Text in Markdown (正文); null above 2 kB: fetch the notice then."
    )
    body_html: str | None = computed(("text",), _html, "The text as safe HTML (网页正文).")
    wants_confirmation: bool | None = column(
        "wants_confirmation", "Whether a confirmation is asked for (是否要求确认)."
    )
    reply_by: datetime | None = column(
        "reply_by",
        "Confirm up to and including this instant (回复期限).",
        as_=datetime.fromisoformat,
    )
    reason: str | None = column("reason", "Why it was corrected or withdrawn (原因).")


_INBOX_FIELDS = (
    *("notice_id", "publisher_id", "version_no", "title", "text"),
    *("wants_confirmation", "reply_by", "reason"),
)
_INBOX_KINDS = frozenset(kind.value for kind in InboxEventKind)
_BOARD_KINDS = frozenset(kind.value for kind in BoardEventKind)


@payload(
    needs=Capability.NOTICE_PUBLISH, description="Something about one's own notice (回执动态)."
)
class ReceiptBoardEvent:
    """One fact of a notice's stream."""

    cursor: str = given(CURSOR)
    kind: BoardEventKind = given("What happened (类别).")
    at: datetime = given("When it was committed (时间).")
    notice_id: strawberry.ID = given("The notice (通知).")
    counts: ReceiptCounts | None = given("The counts in total (合计), when they were counted.")


@dataclass(frozen=True, slots=True)
class InboxFeed:
    """A union's stream, for its current officers; what is pushed to them counts as delivered."""

    shared_by: ClassVar[tuple[str, ...]] = ()
    union_id: UUID
    receipts_of: UUID | None
    presence_scopes: tuple[str, ...] = ()

    @property
    def streams(self) -> tuple[str, ...]:
        """The union's stream."""
        return (union_stream(self.union_id),)

    async def authorise(self, actor: Actor) -> Mapping[str, int]:
        """Everything, while one holds a seat in the union: a successor inherits its history."""
        if self.union_id not in actor.offices:
            raise NotFound
        return {self.streams[0]: 1}

    async def project(self, event: LoggedEvent) -> InboxEvent | None:
        """The fact as it lies in the log; other slices' facts about the union are not for it."""
        if event.kind not in _INBOX_KINDS:
            return None
        fields = {name: event.body.get(name) for name in _INBOX_FIELDS}
        of = {"cursor": cursor_of(event), "kind": event.kind, "at": event.at}
        return of_row(InboxEvent, of | fields)


@dataclass(frozen=True, slots=True)
class BoardFeed:
    """A notice's stream, for whoever may watch its receipts."""

    shared_by: ClassVar[tuple[str, ...]] = ()
    notice_id: UUID
    presence_scopes: tuple[str, ...] = ()
    receipts_of: UUID | None = None

    @property
    def streams(self) -> tuple[str, ...]:
        """The notice's stream."""
        return (notice_stream(self.notice_id),)

    async def authorise(self, actor: Actor) -> Mapping[str, int]:
        """Everything, while the publishing union lies in the actor's scope."""
        await watching.ensure_may_follow(actor, self.notice_id)
        return {self.streams[0]: 1}

    async def project(self, event: LoggedEvent) -> ReceiptBoardEvent | None:
        """The fact as it lies in the log."""
        if event.kind not in _BOARD_KINDS:
            return None
        kind = BoardEventKind(event.kind)
        return ReceiptBoardEvent(
            cursor=cursor_of(event),
            kind=kind,
            at=event.at,
            notice_id=_notice_id(event.body["notice_id"]),
            counts=_counts(event) if kind is BoardEventKind.COUNTED else None,
        )


def _counts(event: LoggedEvent) -> ReceiptCounts:
    return of_row(ReceiptCounts, {"union_id": None, **event.body})
