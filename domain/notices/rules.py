"""What holds for notices (通知) and receipts (回执), as pure functions over values and ``now``."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import ClassVar
from uuid import UUID

import nh3
from markdown_it import MarkdownIt

from domain.kernel.actor import Actor, Place
from domain.kernel.capabilities import Capability
from domain.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from domain.kernel.texts import clean_text
from domain.notices.models import (
    BODY_CHARS_MAX,
    REASON_CHARS_MAX,
    TITLE_CHARS_MAX,
    NoticeState,
    ReceiptKind,
    Step,
)
from domain.org.models import Ownership

RECIPIENTS_MAX = 5_000
"""Unions of one notice: two and a half times this federation; one statement appends them all."""
NAMED_UNIONS_MAX = 2_000
"""Unions named one by one; ids of 36 characters, so at most some 80 kB of a request."""
REPLY_BY_DAYS_MAX = 366
"""A reply is asked for within a year; a later day is a slip of the year."""
RECEIVE_NOTICES_MAX = 100
"""Notices received at once: one page of the inbox."""
RENDERED_MAX = 256
"""Rendered bodies kept: what is being read today, at most some 10 MB."""


class AudienceUnclear(Invalid):
    """Not exactly one of zone, line and named unions."""

    code: ClassVar[str] = "notices.audience_unclear"


class AudienceEmpty(Conflict):
    """Nobody is addressed."""

    code: ClassVar[str] = "notices.audience_empty"


class AudienceTooLarge(Conflict):
    """More unions than one notice may address; ``max`` says how many it may."""

    code: ClassVar[str] = "notices.audience_too_large"


class BadReplyBy(Invalid):
    """No instant, or past, or too far, or for a notice that asks for no confirmation."""

    code: ClassVar[str] = "notices.bad_reply_by"


class ClientKeyReused(Conflict):
    """The key of an earlier notice with other words: not a repetition, a mistake."""

    code: ClassVar[str] = "notices.client_key_reused"


class NotPublisher(Forbidden):
    """An upper union sees the notice, but only the publishing union may change it."""

    code: ClassVar[str] = "notices.not_publisher"


class Withdrawn(Conflict):
    """The notice has been withdrawn (已撤回)."""

    code: ClassVar[str] = "notices.withdrawn"


class VersionOutdated(Conflict):
    """A newer version exists; ``current`` is its number. Read that one first."""

    code: ClassVar[str] = "notices.version_outdated"


class VersionUnknown(Invalid):
    """A version number that this notice does not have."""

    code: ClassVar[str] = "notices.version_unknown"


class ConfirmationNotWanted(Conflict):
    """The notice asks for no confirmation."""

    code: ClassVar[str] = "notices.confirmation_not_wanted"


class ReceiptClosed(Conflict):
    """A withdrawn notice can no longer be confirmed."""

    code: ClassVar[str] = "notices.receipt_closed"


class TooManyNotices(Invalid):
    """More ids at once than ``max``."""

    code: ClassVar[str] = "notices.too_many"


@dataclass(frozen=True, slots=True)
class Audience:
    """A part of the matrix: exactly one of zone, line, named unions; then narrowed by employer."""

    zone_id: UUID | None = None
    """Everything at and below this union in the territory hierarchy."""
    line_id: UUID | None = None
    """Everything at and below this union in the line hierarchy."""
    union_ids: tuple[UUID, ...] = ()
    ownership: Ownership | None = None
    investor_country: str | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """Title and Markdown body, clean."""

    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What is asked of the recipients."""

    reply_by: datetime | None = None
    wants_confirmation: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a notice stands when a receipt for it comes in."""

    state: NoticeState
    current_no: int
    terms: Terms


def ensure_clear(audience: Audience) -> None:
    """Pass, or raise AudienceUnclear, AudienceTooLarge."""
    chosen = [audience.zone_id is not None, audience.line_id is not None, bool(audience.union_ids)]
    if sum(chosen) != 1:
        raise AudienceUnclear("audience")
    if len(audience.union_ids) > NAMED_UNIONS_MAX:
        raise AudienceTooLarge(max=NAMED_UNIONS_MAX)


def ensure_addressable(recipients: int) -> None:
    """Pass for 1 … RECIPIENTS_MAX unions, or raise AudienceEmpty, AudienceTooLarge."""
    if recipients == 0:
        raise AudienceEmpty
    if recipients > RECIPIENTS_MAX:
        raise AudienceTooLarge(max=RECIPIENTS_MAX)


def ensure_terms(terms: Terms, now: datetime) -> None:
    """Pass, or raise BadReplyBy: the due instant lies after ``now`` and within a year."""
    if terms.reply_by is None:
        return
    is_instant = terms.reply_by.tzinfo is not None
    if not is_instant or not terms.wants_confirmation or terms.reply_by <= now:
        raise BadReplyBy("replyBy")
    if terms.reply_by > now + timedelta(days=REPLY_BY_DAYS_MAX):
        raise BadReplyBy("replyBy", max_days=REPLY_BY_DAYS_MAX)


def clean_words(title: str, body: str) -> Words:
    """The words as they are kept; the title is one line. Raises the errors of ``clean_text``."""
    one_line = " ".join(clean_text(title, field="title", max_chars=TITLE_CHARS_MAX).split())
    return Words(one_line, clean_text(body, field="body", max_chars=BODY_CHARS_MAX))


def clean_reason(reason: str) -> str:
    """Why a notice is corrected or withdrawn; never empty."""
    return clean_text(reason, field="reason", max_chars=REASON_CHARS_MAX)


def in_office(actor: Actor, publisher_id: UUID) -> Actor:
    """The actor with nothing but what it may publish in the name of this union.

    A cadre of two unions doesn't reach the one's unions in the other's name. Raises NotFound.
    """
    held = tuple(
        reach
        for reach in actor.reaches
        if reach.union_id == publisher_id and Capability.NOTICE_PUBLISH in reach.capabilities
    )
    if not held:
        raise NotFound
    return replace(actor, reaches=held)


def may_watch(actor: Actor, publisher: Place) -> bool:
    """Whether the actor sees the board: the publishing union's cadres, and upper unions' above."""
    return actor.may(Capability.NOTICE_PUBLISH, at=publisher)


def may_read(actor: Actor, publisher: Place, recipients: Collection[UUID]) -> bool:
    """Whether the actor sees the notice: current officers of a recipient, and who may watch."""
    return not actor.offices.isdisjoint(recipients) or may_watch(actor, publisher)


def ensure_may_change(actor: Actor, publisher_id: UUID, publisher: Place) -> None:
    """Pass for the publishing union's own cadres. Raises NotFound, NotPublisher."""
    if not may_watch(actor, publisher):
        raise NotFound
    try:
        in_office(actor, publisher_id)
    except NotFound:
        raise NotPublisher from None


def ensure_correctable(state: NoticeState, current_no: int, based_on_no: int) -> None:
    """Pass, or raise Withdrawn, VersionOutdated: two cadres never overwrite each other."""
    if state is NoticeState.WITHDRAWN:
        raise Withdrawn
    if based_on_no != current_no:
        raise VersionOutdated(current=current_no)


def ensure_readable(standing: Standing, version_no: int) -> None:
    """Pass if there is such a version to have read. Reading counts late and after withdrawal."""
    if not 1 <= version_no <= standing.current_no:
        raise VersionUnknown("versionNo", current=standing.current_no)


def ensure_confirmable(standing: Standing, version_no: int) -> None:
    """Pass, or raise why it can't be confirmed: wanted, in force, and the newest text."""
    ensure_readable(standing, version_no)
    if not standing.terms.wants_confirmation:
        raise ConfirmationNotWanted
    if standing.state is NoticeState.WITHDRAWN:
        raise ReceiptClosed
    if version_no != standing.current_no:
        raise VersionOutdated(current=standing.current_no)


def is_late(reply_by: datetime | None, now: datetime) -> bool:
    """Whether a confirmation comes after the due instant; at that very instant it is in time.

    A late one is still recorded: a confirmed receipt is when a message counts as received
    (电子签名法 §10), and evidence says when it came, not whether it pleases.
    """
    return reply_by is not None and now > reply_by


def steps_proved(kind: ReceiptKind, *, is_late: bool = False) -> list[str]:
    """How far a union has come by such a receipt: who confirmed has read."""
    upto = Step.IN_TIME if kind is ReceiptKind.CONFIRMED and not is_late else Step(kind)
    steps = list(Step)
    return [str(each) for each in steps[: steps.index(upto) + 1]]


_LINK_SCHEMES = ("https:", "mailto:")
_TAGS = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "code"),
    *("em", "strong", "s", "ul", "ol", "li", "a"),
}


def _markdown() -> MarkdownIt:
    # No tables: rows of missing cells make 20,000 characters into 680 kB and a second of work.
    reader = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough"])
    reader.disable(["image", "html_block", "html_inline"])
    reader.validateLink = lambda url: url.strip().lower().startswith(_LINK_SCHEMES)  # type: ignore[method-assign]  # its documented way to allow fewer schemes
    return reader


_reader = _markdown()
_cleaner = nh3.Cleaner(
    tags=_TAGS,
    attributes={"a": {"href"}, "ol": {"start"}},
    url_schemes={"https", "mailto"},
    url_relative="deny",
    link_rel="noopener nofollow",
)


@lru_cache(maxsize=RENDERED_MAX)
def render_markdown(text: str) -> str:
    """The text as safe HTML: no raw HTML, no images, links to https and mailto only.

    The sanitiser runs over what the renderer made, so one mistake in either is not enough.
    """
    return _cleaner.clean(_reader.render(text))
