"""The publisher's verbs (发布方): publish, correct, withdraw; and the one access function.

Reminding is in ``nudging.py``, receipts are given in ``receipts.py``, lists and counts are read
in ``queries.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from domain.kernel.actor import Actor
from domain.kernel.capabilities import Capability
from domain.kernel.database import Record, fetch
from domain.kernel.errors import NotFound
from domain.kernel.ids import new_id
from domain.kernel.pages import Where
from domain.kernel.work import Work
from domain.notices import rules
from domain.notices.audience import ADDRESSED, select_addressed
from domain.notices.facts import NoticeCorrected, NoticePublished, NoticeWithdrawn, inline_body
from domain.notices.models import NoticeState
from domain.notices.rules import Audience, Terms, Words
from domain.notices.watching import place_of

COLUMNS: Mapping[str, str] = {
    "id": "n.id",
    "publisher_id": "n.publisher_id",
    "state": "n.state",
    "version_no": "n.current_no",
    "title": "v.title",
    "body": "v.body",
    "published_at": "n.published_at",
    "corrected_at": "CASE WHEN v.no > 1 THEN v.at END",
    "reply_by": "n.reply_by",
    "wants_confirmation": "n.wants_confirmation",
    "nudged_at": "n.nudged_at",
    "withdrawn_at": "n.withdrawn_at",
    "withdrawal_reason": "n.withdrawal_reason",
}
"""A notice as everybody who may see it sees it, by name in the row."""
TABLE = "notice n JOIN notice_version v ON v.notice_id = n.id AND v.no = n.current_no"

_READ_SQL = f"""
SELECT {", ".join(f"{sql} AS {name}" for name, sql in COLUMNS.items())},
       p.territory_path, p.line_path,
       ARRAY(SELECT r.union_id FROM notice_recipient r
              WHERE r.notice_id = n.id AND r.union_id = ANY($2::uuid[])) AS own_unions
  FROM {TABLE} JOIN org_union p ON p.id = n.publisher_id
 WHERE n.id = ANY($1::uuid[])
"""


async def read_notices(actor: Actor, notice_ids: Sequence[UUID]) -> dict[UUID, Record]:
    """Of these notices the ones that the actor may see: the only way to a notice's row.

    ``own_unions`` in the row names the recipient unions in which the actor holds a seat now.
    """
    actor.account()
    rows = await fetch(_READ_SQL, list(notice_ids), list(actor.offices))
    return {
        row["id"]: row
        for row in rows
        if rules.may_read(actor, place_of(row), frozenset(row["own_unions"]))
    }


async def get_notice(actor: Actor, notice_id: UUID) -> Record:
    """A notice the actor may see. Raises NotFound, Unauthenticated."""
    row = (await read_notices(actor, [notice_id])).get(notice_id)
    if row is None:
        raise NotFound
    return row


async def publish(
    w: Work, publisher_id: UUID, audience: Audience, words: Words, *, terms: Terms, client_key: UUID
) -> UUID:
    """The notice is published and on the stream of each recipient union; its id.

    Repeating the account's ``client_key`` answers the first notice and does nothing. A number of
    statements that does not depend on the number of unions. Raises what ``select_addressed`` does;
    AudienceEmpty, AudienceTooLarge, BadReplyBy, ClientKeyReused and the errors of the texts.
    """
    w.actor.ensure_has(Capability.NOTICE_PUBLISH)
    words = rules.clean_words(words.title, words.body)
    if (known := await _find_published(w, publisher_id, words, client_key)) is not None:
        return known
    addressed = await select_addressed(w.actor, publisher_id, audience)
    rules.ensure_terms(terms, w.now)
    notice_id = await _insert_notice(w, publisher_id, terms, client_key)
    if notice_id is None:
        # The same key came twice at once and the other one has just committed.
        known = await _find_published(w, publisher_id, words, client_key)
        assert known is not None, notice_id
        return known
    await _insert_version(w, notice_id, 1, words)
    recipients = await _insert_recipients(w, notice_id, addressed.where)
    rules.ensure_addressable(len(recipients))
    await _insert_board(w, notice_id, len(recipients))
    w.record(
        NoticePublished(
            notice_id=notice_id,
            recipients=recipients,
            publisher_id=publisher_id,
            version_no=1,
            title=words.title,
            text=inline_body(words.body),
            reply_by=terms.reply_by,
            wants_confirmation=terms.wants_confirmation,
        )
    )
    return notice_id


async def correct(w: Work, notice_id: UUID, words: Words, *, reason: str, based_on_no: int) -> int:
    """The notice has these words, as a new version on each recipient's stream; its number.

    Receipts stay with the version they were given for. Words equal to the newest version's change
    nothing, so a repetition is harmless. Raises NotFound, NotPublisher, Withdrawn, VersionOutdated.
    """
    words = rules.clean_words(words.title, words.body)
    reason = rules.clean_reason(reason)
    notice = await lock_own(w, notice_id)
    state, current_no = NoticeState(notice["state"]), int(notice["current_no"])
    if state is NoticeState.PUBLISHED and words == await _words(w, notice_id, current_no):
        return current_no
    rules.ensure_correctable(state, current_no, based_on_no)
    await _insert_version(w, notice_id, current_no + 1, words, reason)
    await w.execute("UPDATE notice SET current_no = $2 WHERE id = $1", notice_id, current_no + 1)
    w.record(
        NoticeCorrected(
            notice_id=notice_id,
            recipients=await _recipients(w, notice_id),
            version_no=current_no + 1,
            title=words.title,
            text=inline_body(words.body),
            reason=reason,
        )
    )
    return current_no + 1


async def withdraw(w: Work, notice_id: UUID, *, reason: str) -> None:
    """The notice no longer holds; its words, recipients and receipts are kept.

    Repeating it changes nothing. Raises NotFound, NotPublisher.
    """
    reason = rules.clean_reason(reason)
    notice = await lock_own(w, notice_id)
    if notice["state"] == NoticeState.WITHDRAWN:
        return
    await w.execute(
        "UPDATE notice SET state = $2, withdrawn_at = $3, withdrawn_by_account_id = $4,"
        " withdrawal_reason = $5 WHERE id = $1",
        notice_id,
        NoticeState.WITHDRAWN,
        w.now,
        w.actor.account(),
        reason,
    )
    w.record(NoticeWithdrawn(notice_id, await _recipients(w, notice_id), reason))


async def _find_published(
    w: Work, publisher_id: UUID, words: Words, client_key: UUID
) -> UUID | None:
    rows = await w.fetch(
        "SELECT n.id, n.publisher_id, v.title, v.body FROM notice n"
        " JOIN notice_version v ON v.notice_id = n.id AND v.no = 1"
        " WHERE n.publisher_account_id = $1 AND n.client_key = $2",
        w.actor.account(),
        client_key,
    )
    for row in rows:
        if (row["publisher_id"], row["title"], row["body"]) != (
            publisher_id,
            words.title,
            words.body,
        ):
            raise rules.ClientKeyReused
        return UUID(str(row["id"]))
    return None


async def _insert_notice(
    w: Work, publisher_id: UUID, terms: Terms, client_key: UUID
) -> UUID | None:
    rows = await w.fetch(
        "INSERT INTO notice (id, publisher_id, publisher_account_id, client_key, state, current_no,"
        " reply_by, wants_confirmation, published_at) VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8)"
        " ON CONFLICT (publisher_account_id, client_key) DO NOTHING RETURNING id",
        new_id(),
        publisher_id,
        w.actor.account(),
        client_key,
        NoticeState.PUBLISHED,
        terms.reply_by,
        terms.wants_confirmation,
        w.now,
    )
    return UUID(str(rows[0]["id"])) if rows else None


async def _insert_version(
    w: Work, notice_id: UUID, no: int, words: Words, reason: str | None = None
) -> None:
    await w.execute(
        "INSERT INTO notice_version (id, notice_id, no, title, body, at, by_account_id, reason)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        new_id(),
        notice_id,
        no,
        words.title,
        words.body,
        w.now,
        w.actor.account(),
        reason,
    )


async def _insert_recipients(w: Work, notice_id: UUID, where: Where) -> tuple[UUID, ...]:
    """The unions that the condition finds, with the zone and the line they stand under today."""
    slot = f"${len(where.args) + 1}"
    # Materialised: a planner without statistics would look for zones anew for each union (0.5 s).
    rows = await w.fetch(
        f"""
        WITH zone AS MATERIALIZED (
            SELECT id, territory_path FROM org_union WHERE level = 'zone'
        ), line AS MATERIALIZED (
            SELECT id, line_path FROM org_union WHERE level = 'line'
        )
        INSERT INTO notice_recipient (notice_id, union_id, zone_id, line_id)
        SELECT {slot}, u.id, zone.id, line.id
          FROM {ADDRESSED.table}
          LEFT JOIN zone ON starts_with(u.territory_path, zone.territory_path)
          LEFT JOIN line ON starts_with(u.line_path, line.line_path)
         WHERE {where.sql}
         LIMIT {rules.RECIPIENTS_MAX + 1}
        RETURNING union_id
        """,
        *where.args,
        notice_id,
    )
    return tuple(row["union_id"] for row in rows)


async def _insert_board(w: Work, notice_id: UUID, recipients: int) -> None:
    await w.execute(
        "INSERT INTO notice_board (notice_id, recipients, flushed_at, delivered, read, confirmed,"
        " confirmed_late) VALUES ($1, $2, $3, 0, 0, 0, 0)",
        notice_id,
        recipients,
        w.now,
    )


async def lock_own(w: Work, notice_id: UUID) -> Record:
    """The notice, locked until commit: corrections and withdrawals wait for each other.

    Without its version in the join: PostgreSQL checks a join anew with the row it waited for.
    """
    w.actor.account()
    rows = await w.fetch(
        "SELECT n.publisher_id, n.state, n.current_no, n.wants_confirmation, n.reply_by,"
        " n.nudged_at, p.territory_path, p.line_path FROM notice n"
        " JOIN org_union p ON p.id = n.publisher_id WHERE n.id = $1 FOR UPDATE OF n",
        notice_id,
    )
    if not rows:
        raise NotFound
    rules.ensure_may_change(w.actor, rows[0]["publisher_id"], place_of(rows[0]))
    return rows[0]


async def _words(w: Work, notice_id: UUID, no: int) -> Words:
    rows = await w.fetch(
        "SELECT title, body FROM notice_version WHERE notice_id = $1 AND no = $2", notice_id, no
    )
    return Words(rows[0]["title"], rows[0]["body"])


async def _recipients(w: Work, notice_id: UUID) -> tuple[UUID, ...]:
    rows = await w.fetch("SELECT union_id FROM notice_recipient WHERE notice_id = $1", notice_id)
    return tuple(row["union_id"] for row in rows)
