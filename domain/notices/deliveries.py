"""Automatic receipts (自动回执) for what was pushed: many officers, unions and notices at once.

A file of its own because nobody asks for it: the program itself takes down what it has written to
open sockets. Its right is narrow, and row-level security says so too (``notices.sql``): as SYSTEM
it may insert receipts of the kind "delivered" and no other, and only for accounts that held a seat
in an addressed union on the day of delivery, looked up row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from domain.kernel.actor import SYSTEM
from domain.kernel.ports import Delivery
from domain.kernel.work import Work, Works
from domain.notices import rules
from domain.notices.facts import NoticeCorrected, NoticePublished, NoticeWithdrawn
from domain.notices.models import ReceiptKind
from domain.notices.receipts import BOARD_NUDGE, giving
from domain.org.rules import federation_day

_PUSHED = frozenset({NoticePublished.kind, NoticeCorrected.kind, NoticeWithdrawn.kind})

_RECEIVE_SQL = giving(
    """
    SELECT DISTINCT n.id, coalesce(p.version_no, n.current_no), r.union_id, p.account_id,
           'delivered', p.at, false
      FROM unnest($1::uuid[], $2::int[], $3::uuid[], $4::timestamptz[], $5::date[])
           AS p(notice_id, version_no, account_id, at, day)
      JOIN notice n ON n.id = p.notice_id
      JOIN org_seat s ON s.account_id = p.account_id AND s.from_on <= p.day
           AND (s.to_on IS NULL OR s.to_on > p.day)
      JOIN notice_recipient r ON r.notice_id = n.id AND r.union_id = s.union_id""",
    "$6",
)


class NoticeDeliveries:
    """The port ``Deliveries`` for notices: one unit of work a batch."""

    def __init__(self, works: Works) -> None:
        self._works = works

    async def record(self, deliveries: Sequence[Delivery]) -> None:
        """The receipts of those among these that pushed something about a notice."""
        pushed = [each for each in deliveries if each.event.kind in _PUSHED]
        if pushed:
            async with self._works.open(SYSTEM) as w:
                await receive_pushed(w, pushed)


async def receive_pushed(w: Work, pushed: Sequence[Delivery]) -> frozenset[UUID]:
    """Each account has received what was pushed to it, for each of its unions that was addressed.

    For the program itself only. The receipt names the version that was pushed and the instant of
    delivery. One statement, idempotent: the first receipt stays. Answers the notices with new ones.
    """
    assert w.actor.is_system, "nobody receives for others"
    first: dict[tuple[str, UUID], Delivery] = {}
    for each in pushed:
        first.setdefault((each.event.body["notice_id"], each.account_id), each)
    rows = await w.fetch(
        _RECEIVE_SQL,
        [UUID(notice_id) for notice_id, _ in first],
        [each.event.body.get("version_no") for each in first.values()],
        [account_id for _, account_id in first],
        [each.at for each in first.values()],
        [federation_day(each.at) for each in first.values()],
        rules.steps_proved(ReceiptKind.DELIVERED),
    )
    new = frozenset(row["notice_id"] for row in rows)
    for notice_id in new:
        w.nudge(BOARD_NUDGE, str(notice_id))
    return new
