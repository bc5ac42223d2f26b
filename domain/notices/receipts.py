"""The recipients' verbs (接收方): receive, read, confirm. Evidence is inserted, never changed.

A file of its own because this is the hot path: one round trip a confirmation, no fact. Officers of
one union wait for each other only while its first receipt of a kind is being committed, those of
two unions never. After commit a nudge asks for the board to be counted again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from domain.kernel.database import Record
from domain.kernel.errors import NotFound
from domain.kernel.work import Work
from domain.notices import rules
from domain.notices.models import NoticeState, ReceiptKind
from domain.notices.rules import Standing, Terms

BOARD_NUDGE = "notices.board"
"""``Work.nudge`` with this and a notice's id asks for its board to be counted again."""


def giving(rows_sql: str, steps_sql: str) -> str:
    """A statement that inserts these receipts and, with them, how far their unions have come.

    ``rows_sql``: a SELECT of notice, version, union, account, kind, instant, lateness;
    ``steps_sql``: the steps that they prove. It answers the receipts that are new. Rows are locked
    in one order, so that two such statements never wait for each other in a circle.
    """
    return f"""
WITH given AS (
    INSERT INTO notice_receipt (notice_id, version_no, union_id, account_id, kind, at, is_late)
    {rows_sql}
    ORDER BY 1, 3, 4
    ON CONFLICT (notice_id, union_id, account_id, kind) DO NOTHING
    RETURNING notice_id, version_no, union_id, account_id, kind, at, is_late
), reached AS (
    INSERT INTO notice_reached (notice_id, step, union_id)
    SELECT DISTINCT g.notice_id, s.step, g.union_id
      FROM given g CROSS JOIN unnest({steps_sql}::text[]) AS s(step)
     ORDER BY 1, 2, 3
    ON CONFLICT (notice_id, step, union_id) DO NOTHING
)
SELECT * FROM given
"""


_RECEIVE_SQL = giving(
    """
    SELECT n.id, n.current_no, r.union_id, $3::uuid, 'delivered', $4::timestamptz, false
      FROM notice_recipient r JOIN notice n ON n.id = r.notice_id
     WHERE r.notice_id = ANY($1::uuid[]) AND r.union_id = ANY($2::uuid[])""",
    "$5",
)
_GIVE_SQL = giving(
    """
    SELECT $1::uuid, $2::int, u.id, $4::uuid, $5::text, $6::timestamptz, $7::boolean
      FROM unnest($3::uuid[]) AS u(id)""",
    "$8",
)

_OWN_SQL = """
SELECT n.state, n.current_no, n.reply_by, n.wants_confirmation,
       r.union_id, $3::uuid AS account_id, $4::text AS kind, c.version_no, c.at, c.is_late
  FROM notice n
  JOIN notice_recipient r ON r.notice_id = n.id AND r.union_id = ANY($2::uuid[])
  LEFT JOIN notice_receipt c ON c.notice_id = n.id AND c.union_id = r.union_id
        AND c.account_id = $3 AND c.kind = $4
 WHERE n.id = $1
"""


async def receive(w: Work, notice_ids: Sequence[UUID]) -> frozenset[UUID]:
    """The automatic receipt (自动回执) of the actor for each notice addressed to its unions.

    Answers the notices that were new; what is not addressed to the actor is left out silently.
    One statement, idempotent. Raises TooManyNotices, Unauthenticated.
    """
    account_id = w.actor.account()
    if len(notice_ids) > rules.RECEIVE_NOTICES_MAX:
        raise rules.TooManyNotices("noticeIds", max=rules.RECEIVE_NOTICES_MAX)
    rows = await w.fetch(
        _RECEIVE_SQL,
        list(notice_ids),
        list(w.actor.offices),
        account_id,
        w.now,
        rules.steps_proved(ReceiptKind.DELIVERED),
    )
    new = frozenset(row["notice_id"] for row in rows)
    for notice_id in new:
        w.nudge(BOARD_NUDGE, str(notice_id))
    return new


async def mark_read(w: Work, notice_id: UUID, *, version_no: int) -> None:
    """The actor has read this version, for each of its unions that were addressed.

    Counts late and after withdrawal, for it happened. Idempotent: the first instant stays. Raises
    NotFound, VersionUnknown.
    """
    rows = await _find_own(w, notice_id, w.actor.offices, ReceiptKind.READ)
    rules.ensure_readable(_standing(rows[0]), version_no)
    unread = [row["union_id"] for row in rows if row["at"] is None]
    await _give(w, notice_id, version_no, unread, kind=ReceiptKind.READ)


async def confirm(
    w: Work, notice_id: UUID, union_id: UUID, *, version_no: int
) -> Record | Mapping[str, Any]:
    """The actor has confirmed the newest version for this union; the receipt.

    After ``reply_by`` the receipt says that it is late. Idempotent: the first receipt stays and is
    answered. Raises NotFound unless the actor holds a seat in this addressed union now;
    ConfirmationNotWanted, ReceiptClosed, VersionOutdated, VersionUnknown.
    """
    offices = w.actor.offices & {union_id}
    if offices and w.may_be_at_once(()):
        at_once = await _confirm_at_once(w, notice_id, union_id, version_no)
        if at_once is not None:
            return at_once
    (own,) = await _find_own(w, notice_id, offices, ReceiptKind.CONFIRMED)
    if own["at"] is not None:
        return own
    standing = _standing(own)
    rules.ensure_confirmable(standing, version_no)
    late = rules.is_late(standing.terms.reply_by, w.now)
    given = await _give(
        w, notice_id, version_no, [union_id], kind=ReceiptKind.CONFIRMED, is_late=late
    )
    # Empty when the same officer's other device was faster by a moment.
    (receipt,) = given or await _find_own(w, notice_id, offices, ReceiptKind.CONFIRMED)
    return receipt


async def _confirm_at_once(
    w: Work, notice_id: UUID, union_id: UUID, version_no: int
) -> Mapping[str, Any] | None:
    """The receipt, given and committed in one round trip, where nothing is special about it.

    None: it is late, or there already, or not allowed; nothing has happened, and the ordinary way
    finds out which.
    """
    receipt = {
        "union_id": union_id,
        "account_id": w.actor.account(),
        "kind": ReceiptKind.CONFIRMED,
        "version_no": version_no,
        "at": w.now,
        "is_late": False,
    }
    steps = rules.steps_proved(ReceiptKind.CONFIRMED)
    given = (notice_id, union_id, receipt["account_id"], version_no, steps)
    if not await w.at_once("notice_confirm", (), *given):
        return None
    w.nudge(BOARD_NUDGE, str(notice_id))
    return receipt


async def _find_own(
    w: Work, notice_id: UUID, offices: frozenset[UUID], kind: ReceiptKind
) -> Sequence[Record]:
    """The notice for each addressed union of these, with the actor's receipt. Raises NotFound."""
    rows = await w.fetch(_OWN_SQL, notice_id, list(offices), w.actor.account(), kind)
    if not rows:
        raise NotFound
    return rows


async def _give(
    w: Work,
    notice_id: UUID,
    version_no: int,
    union_ids: Sequence[UUID],
    *,
    kind: ReceiptKind,
    is_late: bool = False,
) -> Sequence[Record]:
    given = await w.fetch(
        _GIVE_SQL,
        notice_id,
        version_no,
        union_ids,
        w.actor.account(),
        kind,
        w.now,
        is_late,
        rules.steps_proved(kind, is_late=is_late),
    )
    if given:
        w.nudge(BOARD_NUDGE, str(notice_id))
    return given


def _standing(row: Record) -> Standing:
    terms = Terms(row["reply_by"], row["wants_confirmation"])
    return Standing(NoticeState(row["state"]), row["current_no"], terms)
