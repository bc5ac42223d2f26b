"""From a token or a session to the Actor: one statement, as the database stands now.

Many at once are as many answers of the same statement, and nobody's answer depends on another's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from uuid import UUID

import orjson

from domain.access import pledges
from domain.access.models import AccountKind, SessionKind
from domain.access.roles import PLEDGED, ROLES
from domain.access.rules import SEEN_EVERY, idle_until
from domain.access.tokens import parse_token
from domain.kernel.actor import Actor, Hierarchy, Reach
from domain.kernel.clock import FEDERATION_ZONE
from domain.kernel.database import Record, fetch
from domain.kernel.streams import StreamState, account_stream

_ACTOR_SQL = """
SELECT s.id, s.token_hash, s.kind, s.seen_at, s.token_expires_at, s.expires_at,
       a.id AS account_id, a.kind AS account_kind, a.member_id, a.consultant_id,
       a.authority_version, g.roles, g.hierarchies, g.union_ids, g.paths, g.changes_at,
       o.unions AS offices, o.changes_on,
       EXISTS (SELECT 1 FROM access_pledge p
                WHERE p.account_id = a.id AND p.version = $4) AS is_pledged,
       me.epoch, me.top, me.floor
  FROM access_session s
  JOIN access_account a ON a.id = s.account_id AND a.state = 'active'
  LEFT JOIN stream_state me ON me.id = 'me:' || a.id
  CROSS JOIN LATERAL (
    SELECT array_agg(role::text) FILTER (WHERE is_now) AS roles,
           array_agg(hierarchy::text) FILTER (WHERE is_now) AS hierarchies,
           array_agg(union_id) FILTER (WHERE is_now) AS union_ids,
           array_agg(path) FILTER (WHERE is_now) AS paths,
           least(min(valid_from) FILTER (WHERE valid_from > $3),
                 min(valid_to) FILTER (WHERE valid_to > $3)) AS changes_at
      FROM (SELECT gr.role, gr.hierarchy, gr.union_id, gr.valid_from, gr.valid_to, u.path,
                   gr.valid_from <= $3 AND (gr.valid_to IS NULL OR gr.valid_to > $3) AS is_now
              FROM access_grant gr JOIN LATERAL (
                SELECT CASE gr.hierarchy WHEN 'line' THEN line_path ELSE territory_path END AS path
                  FROM org_union WHERE id = gr.union_id) u ON u.path IS NOT NULL
             WHERE gr.account_id = a.id AND gr.revoked_at IS NULL
             ORDER BY gr.id) grant_) g
  CROSS JOIN LATERAL (
    SELECT array_agg(DISTINCT seat.union_id) FILTER (
             WHERE seat.from_on <= $2 AND (seat.to_on IS NULL OR seat.to_on > $2)) AS unions,
           least(min(seat.from_on) FILTER (WHERE seat.from_on > $2),
                 min(seat.to_on) FILTER (WHERE seat.to_on > $2)) AS changes_on
      FROM org_seat seat WHERE seat.account_id = a.id) o
 WHERE s.ended_at IS NULL AND """
# Keys come as one document because its length is no part of the plan: this is planned once, where
# a statement with an array is planned for each array, which costs as much as fifteen of its rows.
_BY_SQL = {
    column: f"""
SELECT r.* FROM jsonb_array_elements_text($1::jsonb) AS k(key)
 CROSS JOIN LATERAL ({_ACTOR_SQL}s.{column} = {key} OFFSET 0) r"""
    for column, key in {"token_hash": "decode(k.key, 'hex')", "id": "k.key::uuid"}.items()
}
# What others hold locked is passed over: whoever ends or uses that session says more than this.
_USED_SQL = """
UPDATE access_session SET seen_at = $2
 WHERE id IN (SELECT id FROM access_session
               WHERE id = ANY($1) AND seen_at < $2 FOR UPDATE SKIP LOCKED)"""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A session in force: its actor, and when it ends unless it is refreshed or used."""

    actor: Actor
    expires_at: datetime
    changes_at: datetime | None
    """When a grant or a seat next begins or ends by its date; None: none does."""
    watched: StreamState
    """Where the account's own stream stood when this was read: what comes after may change it."""


async def admit_token(token: str, now: datetime) -> Admitted | None:
    """The session of an access or cookie token, used at ``now``; None: there is none in force."""
    return (await admit_tokens([token], now))[0]


async def admit_tokens(
    tokens: Sequence[str], now: datetime, *, used: Collection[str] | None = None
) -> list[Admitted | None]:
    """As ``admit_token`` for each, in their order; ``used``: whose users are there (None: all)."""
    hashes = [_hash(token) for token in tokens]
    counted = set(hashes) if used is None else {_hash(token) for token in used}
    rows = await _find("token_hash", {hash_.hex() for hash_ in hashes if hash_ is not None}, now)
    written = await _used([row for key, row in rows.items() if key in counted], now)
    found = {
        key: _admitted(row, now if row["id"] in written else None) for key, row in rows.items()
    }
    return [found.get(hash_) for hash_ in hashes]


async def admit_session(
    session_id: UUID, now: datetime, *, is_used: bool = False
) -> Admitted | None:
    """The session as it stands; None: it has ended. ``is_used``: its user has just acted."""
    return (await admit_sessions([session_id], now, used={session_id} if is_used else ()))[0]


async def admit_sessions(
    session_ids: Sequence[UUID], now: datetime, *, used: Collection[UUID] = ()
) -> list[Admitted | None]:
    """As ``admit_session`` for each, in their order; ``used``: whose users have just acted."""
    rows = await _find("id", {str(id_) for id_ in session_ids}, now)
    written = await _used([row for id_, row in rows.items() if id_ in used], now)
    found = {id_: _admitted(row, now if id_ in written else None) for id_, row in rows.items()}
    return [found.get(id_) for id_ in session_ids]


async def actor_of_token(token: str, now: datetime) -> Actor | None:
    """The actor of an access or cookie token; counts as use of the session."""
    admitted = await admit_token(token, now)
    return admitted.actor if admitted else None


async def actor_of_session(session_id: UUID, now: datetime) -> Actor | None:
    """The actor of a session, as of now; does not count as use."""
    admitted = await admit_session(session_id, now)
    return admitted.actor if admitted else None


async def _find(column: str, keys: Collection[str], now: datetime) -> Mapping[object, Record]:
    """The rows of sessions in force, by what they were asked for."""
    if not keys:
        return {}
    today = now.astimezone(FEDERATION_ZONE).date()
    asked = orjson.dumps(list(keys)).decode()
    rows = await fetch(_BY_SQL[column], asked, today, now, pledges.VERSION)
    return {row[column]: row for row in rows if _ends_at(row) > now}


def _hash(token: str) -> bytes | None:
    parsed = parse_token(token)
    return parsed.hash if parsed is not None else None


async def _used(rows: Collection[Record], now: datetime) -> Collection[UUID]:
    """Their idle time starts anew, and whose it does; written at most once in ``SEEN_EVERY``."""
    due = [row["id"] for row in rows if now - row["seen_at"] >= SEEN_EVERY]
    if due:
        await fetch(_USED_SQL, due, now)
    return frozenset(due)


def _ends_at(row: Record, seen_at: datetime | None = None) -> datetime:
    ends: datetime = min(row["token_expires_at"], row["expires_at"])
    if row["kind"] == SessionKind.APP:
        return ends
    return min(ends, idle_until(AccountKind(row["account_kind"]), seen_at or row["seen_at"]))


def _admitted(row: Record, seen_at: datetime | None = None) -> Admitted:
    actor = Actor(
        account_id=row["account_id"],
        member_id=row["member_id"],
        session_id=row["id"],
        consultant_id=row["consultant_id"],
        offices=frozenset(row["offices"] or ()),
        reaches=tuple(_reaches(row)),
        authority_version=row["authority_version"],
    )
    me = account_stream(actor.account())
    watched = StreamState(me, row["epoch"], row["top"], row["floor"]) if row["epoch"] else None
    return Admitted(actor, _ends_at(row, seen_at), _changes_at(row), watched or StreamState(me))


def _changes_at(row: Record) -> datetime | None:
    """Seats change with the federation's day."""
    at: datetime | None = row["changes_at"]
    if row["changes_on"] is None:
        return at
    day = datetime.combine(row["changes_on"], time(), FEDERATION_ZONE).astimezone(UTC)
    return day if at is None else min(at, day)


def _reaches(row: Record) -> Iterator[Reach]:
    columns: Sequence[Sequence[str]] = [
        row[name] or () for name in ("roles", "hierarchies", "union_ids", "paths")
    ]
    known = _PLEDGED if row["is_pledged"] else _UNPLEDGED
    for role, hierarchy, union_id, path in zip(*columns, strict=True):
        if role in known:  # a role that this version no longer has allows nothing
            yield Reach(role, known[role], _HIERARCHIES[hierarchy], path, UUID(str(union_id)))


_PLEDGED = {role.value: capabilities for role, capabilities in ROLES.items()}
_UNPLEDGED = {name: capabilities - PLEDGED for name, capabilities in _PLEDGED.items()}
"""What a role allows, before and after the pledge: made once, not for each who signs in."""
_HIERARCHIES = {hierarchy.value: hierarchy for hierarchy in Hierarchy}
