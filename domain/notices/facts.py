"""What happens to notices, and where it is told: ``ou:`` a union's officers, ``nt:`` the publisher.

A notice is one fact on the stream of each recipient union, whatever number of officers it has;
receipts are no facts at all, only their counts are (``notices.board_changed``).
"""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from domain.kernel.streams import Fact, Json, to_json
from domain.org.facts import union_stream

BODY_INLINE_BYTES_MAX = 2_048
"""A longer text is fetched by query: two thousand streams times this stay a few megabytes."""


def notice_stream(notice_id: UUID) -> str:
    """The stream of a notice's board, for its publisher."""
    return f"nt:{notice_id}"


def inline_body(body: str) -> str | None:
    """The text as a fact may carry it, or None when it has to be fetched."""
    return body if len(body.encode()) <= BODY_INLINE_BYTES_MAX else None


@dataclasses.dataclass(frozen=True, slots=True)
class ToRecipients(Fact):
    """A fact on each recipient union's stream; the list of recipients stays out of its body."""

    notice_id: UUID
    recipients: tuple[UUID, ...]

    def streams(self) -> tuple[str, ...]:
        return tuple(map(union_stream, self.recipients))

    def body(self) -> dict[str, Json]:
        names = (field.name for field in dataclasses.fields(self) if field.name != "recipients")
        return {name: to_json(getattr(self, name)) for name in names}


@dataclasses.dataclass(frozen=True, slots=True)
class NoticePublished(ToRecipients):
    """A notice has been published to these unions."""

    kind: ClassVar[str] = "notices.published"
    publisher_id: UUID
    version_no: int
    title: str
    text: str | None
    reply_by: datetime | None
    wants_confirmation: bool


@dataclasses.dataclass(frozen=True, slots=True)
class NoticeCorrected(ToRecipients):
    """A notice has new words; its receipts stay, each with the version it was given for."""

    kind: ClassVar[str] = "notices.corrected"
    version_no: int
    title: str
    text: str | None
    reason: str

    def streams(self) -> tuple[str, ...]:
        return (*ToRecipients.streams(self), notice_stream(self.notice_id))


@dataclasses.dataclass(frozen=True, slots=True)
class NoticeWithdrawn(ToRecipients):
    """A notice no longer holds; nothing of it is deleted."""

    kind: ClassVar[str] = "notices.withdrawn"
    reason: str

    def streams(self) -> tuple[str, ...]:
        return (*ToRecipients.streams(self), notice_stream(self.notice_id))


@dataclasses.dataclass(frozen=True, slots=True)
class NoticeNudged(ToRecipients):
    """These unions, which had not answered, were reminded of a notice (催办)."""

    kind: ClassVar[str] = "notices.nudged"
    version_no: int
    reply_by: datetime | None

    def streams(self) -> tuple[str, ...]:
        return (*ToRecipients.streams(self), notice_stream(self.notice_id))


@dataclasses.dataclass(frozen=True, slots=True)
class BoardChanged(Fact):
    """The counts of a notice's receipts, at most twice a second."""

    kind: ClassVar[str] = "notices.board_changed"
    notice_id: UUID
    recipients: int
    delivered: int
    read: int
    confirmed: int
    confirmed_late: int

    def streams(self) -> tuple[str, ...]:
        return (notice_stream(self.notice_id),)
