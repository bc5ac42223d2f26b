"""What the two sides see: inbox (收件箱), what was published, its board, who is silent (未回执)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.kernel.actor import Actor
from domain.kernel.capabilities import Capability
from domain.kernel.database import Record, fetch
from domain.kernel.errors import NotFound
from domain.kernel.pages import Key, Listing, Selection, Where
from domain.kernel.streams import position_sql
from domain.notices.models import ReceiptKind
from domain.notices.service import COLUMNS, TABLE
from domain.notices.watching import ensure_may_watch

# Ids grow with time, so the id alone is the order and no sort is needed.
PUBLISHED = Listing(
    table=f"{TABLE} JOIN org_union p ON p.id = n.publisher_id",
    columns=COLUMNS,
    key=(Key("n.id", "id", UUID),),
    is_descending=True,
)
_OWN_AT = (
    "(SELECT c.at FROM notice_receipt c WHERE c.notice_id = r.notice_id"
    " AND c.union_id = r.union_id AND c.kind = '{}'"
    " AND c.account_id = nullif(current_setting('app.account', true), '')::uuid)"
)
"""The reader's own receipt, by the unique key; every page is read under the reader's context."""
INBOX = Listing(
    table="notice_recipient r",
    columns={
        "id": "r.notice_id",
        "union_id": "r.union_id",
        **{f"{kind}_at": _OWN_AT.format(kind) for kind in ReceiptKind},
    },
    key=(Key("r.notice_id", "id", UUID),),
    is_descending=True,
)
VERSIONS = Listing(
    table="notice_version v",
    columns={
        "no": "v.no",
        "title": "v.title",
        "body": "v.body",
        "at": "v.at",
        "reason": "v.reason",
    },
    key=(Key("v.no", "no", int),),
    is_descending=True,
)
RECEIPTS = Listing(
    table="notice_receipt c",
    columns={
        "receipt_id": "c.id",
        "union_id": "c.union_id",
        "account_id": "c.account_id",
        "kind": "c.kind",
        "version_no": "c.version_no",
        "at": "c.at",
        "is_late": "c.is_late",
    },
    key=(Key("c.id", "receipt_id", int),),
)
SILENT = Listing(
    table="notice_recipient r JOIN org_union u ON u.id = r.union_id",
    columns={
        "id": "u.id",
        "name": "u.name",
        "zone_id": "r.zone_id",
        "line_id": "r.line_id",
        "territory_path": "u.territory_path",
    },
    # By path, so that a zone's unions stand together.
    key=(Key("u.territory_path", "territory_path", str), Key("u.id", "id", UUID)),
)


def select_inbox(actor: Actor, union_id: UUID) -> Selection:
    """What this union was sent, newest first, with the actor's own receipts.

    Raises NotFound unless the actor holds a seat in it now, Unauthenticated.
    """
    actor.account()
    if union_id not in actor.offices:
        raise NotFound
    return Selection(INBOX, Where().and_("r.union_id = {0}", union_id))


UNREAD_LOOKED_AT_MAX = 100
"""Newest notices of an inbox in which unread ones are counted; beyond it a client shows "99+"."""


async def unread_inboxes(actor: Actor) -> Sequence[Record]:
    """For each union in which the actor holds a seat now: notices that the actor has not read.

    Rows of ``union_id`` and ``unread_count``, of the newest hundred notices; none without any.
    """
    return await fetch(
        """
        SELECT o.union_id, count(*) AS unread_count
          FROM unnest($1::uuid[]) AS o(union_id)
         CROSS JOIN LATERAL (SELECT r.notice_id FROM notice_recipient r
                              WHERE r.union_id = o.union_id
                              ORDER BY r.notice_id DESC LIMIT $3) AS newest
         WHERE NOT EXISTS (SELECT 1 FROM notice_receipt c WHERE c.notice_id = newest.notice_id
                              AND c.union_id = o.union_id AND c.account_id = $2
                              AND c.kind IN ('read', 'confirmed'))
         GROUP BY o.union_id ORDER BY o.union_id
        """,
        list(actor.offices),
        actor.account(),
        UNREAD_LOOKED_AT_MAX,
    )


def select_published(actor: Actor) -> Selection:
    """What was published in the name of unions in the actor's scope, newest first."""
    actor.ensure_has(Capability.NOTICE_PUBLISH)
    scope = actor.scope(Capability.NOTICE_PUBLISH)
    where = Where().in_scope(scope, territory="p.territory_path", line="p.line_path")
    return Selection(PUBLISHED, where)


def select_versions(notice: Mapping[str, Any] | Record) -> Selection:
    """Every version of a notice that the actor was given, newest first."""
    return Selection(VERSIONS, Where().and_("v.notice_id = {0}", notice["id"]))


async def select_receipts(actor: Actor, notice_id: UUID) -> Selection:
    """The evidence as it came in, for who may watch the notice. Raises NotFound."""
    await ensure_may_watch(actor, notice_id)
    return Selection(RECEIPTS, Where().and_("c.notice_id = {0}", notice_id))


async def select_silent(
    actor: Actor, notice_id: UUID, kind: ReceiptKind, under_id: UUID | None = None
) -> Selection:
    """The recipient unions none of whose officers has given such a receipt, or one proving more.

    ``under_id`` leaves those of one zone or line of the day of publishing, as the board counts
    them. For who may watch the notice; names of unions only. Raises NotFound.
    """
    await ensure_may_watch(actor, notice_id)
    where = Where().and_("r.notice_id = {0}", notice_id)
    where = where.and_(
        "NOT EXISTS (SELECT 1 FROM notice_reached c WHERE c.notice_id = r.notice_id"
        " AND c.union_id = r.union_id AND c.step = {0})",
        str(kind),
    )
    if under_id is not None:
        where = where.and_("(r.zone_id = {0} OR r.line_id = {0})", under_id)
    return Selection(SILENT, where)


_TALLY = """count(*) AS recipients, count(f.union_id) AS delivered,
       count(*) FILTER (WHERE f.is_read) AS read,
       count(*) FILTER (WHERE f.is_confirmed) AS confirmed,
       count(*) FILTER (WHERE f.is_confirmed AND NOT f.is_in_time) AS confirmed_late"""
_TALLIED = """notice_recipient r LEFT JOIN (
    SELECT union_id, bool_or(step = 'read') AS is_read, bool_or(step = 'confirmed') AS is_confirmed,
           bool_or(step = 'in_time') AS is_in_time
      FROM notice_reached WHERE notice_id = (SELECT id FROM watched) GROUP BY union_id
) f ON f.union_id = r.union_id WHERE r.notice_id = (SELECT id FROM watched)"""
"""Unions by how far they have come, whatever the number of their receipts."""


@dataclass(frozen=True, slots=True)
class Board:
    """The receipts of a notice by union (回执汇总): in total, by zone, by line.

    Each row holds recipients, delivered, read, confirmed, confirmed_late; those of a part also
    ``union_id``, the zone or line, None for recipients under none.
    """

    total: Record
    by_zone: Sequence[Record]
    by_line: Sequence[Record]
    position: str
    """Where the notice's stream stood when this was counted."""


async def board(actor: Actor, notice_id: UUID) -> Board:
    """The counts at this moment, exact to the last receipt committed. Raises NotFound.

    One statement, in which nothing is counted for whom it does not concern.
    """
    actor.account()
    scope = actor.scope(Capability.NOTICE_PUBLISH)
    where = Where().and_("n.id = {0}", notice_id)
    where = where.in_scope(scope, territory="p.territory_path", line="p.line_path")
    rows = await fetch(
        f"""
        WITH watched AS MATERIALIZED (
            SELECT n.id, {position_sql("'nt:' || n.id")} AS position
              FROM notice n JOIN org_union p ON p.id = n.publisher_id WHERE {where.sql}
        )
        SELECT grouping(r.zone_id, r.line_id) AS part,
               coalesce(r.zone_id, r.line_id) AS union_id, {_TALLY},
               (SELECT position FROM watched) AS position
          FROM {_TALLIED}
         GROUP BY GROUPING SETS ((), (r.zone_id), (r.line_id))
         ORDER BY part, union_id
        """,
        *where.args,
    )
    by_part = {
        part: [row for row in rows if row["part"] == part]
        for part in (_BY_ZONE, _BY_LINE, _IN_TOTAL)
    }
    (total,) = by_part[_IN_TOTAL]
    if total["position"] is None:
        raise NotFound
    return Board(total, by_part[_BY_ZONE], by_part[_BY_LINE], total["position"])


# What PostgreSQL's grouping() says: a bit set for each column that the row is not grouped by.
_BY_ZONE, _BY_LINE, _IN_TOTAL = 0b01, 0b10, 0b11
