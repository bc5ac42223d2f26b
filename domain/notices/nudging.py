"""Reminding those who have not answered (催办): the rule and the verb.

A file of its own because it is the one verb of the publisher whose recipients are not fixed: it
reaches whoever is silent at that moment.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

from domain.kernel.errors import Conflict
from domain.kernel.work import Work
from domain.notices.facts import NoticeNudged
from domain.notices.models import NoticeState, ReceiptKind
from domain.notices.rules import Withdrawn
from domain.notices.service import lock_own

NUDGE_EVERY = timedelta(hours=24)
"""Once a day: oftener, and officers stop reading what the federation sends."""


class NudgedRecently(Conflict):
    """Its silent unions were reminded less than ``hours`` hours ago."""

    code: ClassVar[str] = "notices.nudged_recently"


class NobodySilent(Conflict):
    """Every recipient has given what was asked for."""

    code: ClassVar[str] = "notices.nobody_silent"


def ensure_nudgeable(state: NoticeState, nudged_at: datetime | None, now: datetime) -> None:
    """Pass, or raise Withdrawn, NudgedRecently; a day later to the instant it may be done again."""
    if state is NoticeState.WITHDRAWN:
        raise Withdrawn
    if nudged_at is not None and now - nudged_at < NUDGE_EVERY:
        raise NudgedRecently(hours=NUDGE_EVERY // timedelta(hours=1))


def asked_for(*, wants_confirmation: bool) -> ReceiptKind:
    """What a recipient owes: the confirmation, or where none is asked for, to have read it."""
    return ReceiptKind.CONFIRMED if wants_confirmation else ReceiptKind.READ


async def nudge(w: Work, notice_id: UUID) -> int:
    """Each recipient union that has not given what was asked for is reminded; how many they are.

    One fact on each one's stream and one on the board's, in one statement. Of two at once one wins.
    Raises NotFound, NotPublisher, Withdrawn, NudgedRecently, NobodySilent.
    """
    notice = await lock_own(w, notice_id)
    ensure_nudgeable(NoticeState(notice["state"]), notice["nudged_at"], w.now)
    rows = await w.fetch(
        "SELECT r.union_id FROM notice_recipient r WHERE r.notice_id = $1 AND NOT EXISTS ("
        " SELECT 1 FROM notice_reached c WHERE c.notice_id = r.notice_id"
        " AND c.union_id = r.union_id AND c.step = $2)",
        notice_id,
        str(asked_for(wants_confirmation=notice["wants_confirmation"])),
    )
    if not rows:
        raise NobodySilent
    await w.execute("UPDATE notice SET nudged_at = $2 WHERE id = $1", notice_id, w.now)
    silent = tuple(row["union_id"] for row in rows)
    w.record(NoticeNudged(notice_id, silent, int(notice["current_no"]), notice["reply_by"]))
    return len(silent)
