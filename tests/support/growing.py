"""Tables filled with other people's rows, so that the planner sees a federation that has grown.

A row that is there stands as a model; copies differ in what identifies them, and point at each
other as real ones do. Written by the owner, without triggers: a million rows in a minute.
"""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg


@dataclass(frozen=True, slots=True)
class Growth:
    """How many rows are added."""

    members: int
    others: int
    """Of every other table that grows with use."""
    unions: int = 1_000


@dataclass(frozen=True, slots=True)
class _Copies:
    table: str
    patch: str
    """What differs in the i-th copy, as arguments of ``jsonb_build_object``."""
    count: str = "others"
    model: str = "true"
    """Which row is copied."""
    joined: str = ""


def _id(kind: str, number: str = "i") -> str:
    """The id of the n-th of a kind, the same wherever it is pointed at."""
    return f"md5('{kind}' || {number})::uuid"


def _digest(kind: str, number: str = "i") -> str:
    return f"sha256(('{kind}' || {number})::bytea)"


def _path(column: str) -> str:
    return f"regexp_replace((t).{column}, '[0-9]+/$', (1000000 + i) || '/')"


_PLACED = """
JOIN (SELECT id, territory_path, line_path, row_number() OVER (ORDER BY seq) - 1 AS place
        FROM org_union WHERE level = 'grassroots') u
  ON u.place = i % (SELECT count(*) FROM org_union WHERE level = 'grassroots')"""
_UNIONS = _Copies(
    "org_union",
    f"'id', {_id('union')}, 'seq', 1000000 + i, 'uscc', null, 'employer_id', {_id('employer')},"
    f" 'territory_path', {_path('territory_path')}, 'line_path', {_path('line_path')}",
    "unions",
    "level = 'grassroots' AND line_path IS NOT NULL",
)
_CONVERSATION = f"'conversation_id', {_id('conversation')}"
_NOTICES = 20
"""So many unions get each notice."""
_NOTICE = f"'notice_id', {_id('notice', f'(i / {_NOTICES})')}, 'union_id', {_id('union', 'i')}"
_COPIES = (
    _UNIONS,
    _Copies("org_employer", f"'id', {_id('employer')}, 'uscc', i", "unions"),
    _Copies(
        "org_seat",
        f"'id', {_id('seat')}, 'union_id', {_id('union')}, 'account_id', {_id('account')}",
        "unions",
    ),
    _Copies(
        "member",
        f"'id', {_id('member')}, 'id_number_index', {_digest('n')}, 'phone_index', {_digest('p')},"
        " 'union_id', u.id, 'territory_path', u.territory_path, 'line_path', u.line_path",
        "members",
        joined=_PLACED,
    ),
    _Copies(
        "member_membership",
        f"'id', {_id('membership')}, 'member_id', {_id('member')}, 'union_id', u.id",
        "members",
        joined=_PLACED,
    ),
    _Copies(
        "access_account",
        f"'id', {_id('account')}, 'member_id', {_id('member')}, 'phone_index', {_digest('p')},"
        f" 'id_number_index', {_digest('n')}, 'consultant_id', null",
    ),
    _Copies(
        "access_session",
        f"'id', {_id('session')}, 'token_hash', {_digest('t')}, 'account_id', {_id('account')}",
    ),
    _Copies(
        "access_refresh_token", f"'session_id', {_id('session')}, 'token_hash', {_digest('r')}"
    ),
    _Copies("access_attempt", f"'key', {_digest('a')}"),
    _Copies(
        "access_grant",
        f"'id', {_id('grant')}, 'account_id', {_id('account')}, 'union_id', {_id('union')}",
    ),
    _Copies(
        "audit_entry", f"'id', {_id('audit')}, 'seq', 1000000 + i, 'subject_id', {_id('case')}"
    ),
    _Copies(
        "consultation_consultant",
        f"'id', {_id('consultant')}, 'account_id', {_id('official')}",
        "40",
    ),
    _Copies(
        "consultation_case",
        f"'id', {_id('case')}, 'member_account_id', {_id('account')}, 'client_key', {_id('key')},"
        f" 'consultant_account_id', {_id('official', '(1 + i % 40)')}, 'taken_key', {_id('key')},"
        f" 'consultant_id', {_id('consultant', '(1 + i % 40)')}",
        model="consultant_id IS NOT NULL",
    ),
    _Copies(
        "consultation_queue_entry",
        f"'case_id', {_id('case')}, 'taken_by_id', {_id('consultant', '(1 + i % 40)')},"
        " 'state', CASE WHEN i % 100 = 0 THEN 'requested' ELSE (t).state END",
        model="taken_by_id IS NOT NULL",
    ),
    _Copies(
        "consultation_conversation",
        f"'id', {_id('conversation')}, 'case_id', {_id('case')},"
        f" 'member_account_id', {_id('account')},"
        f" 'consultant_account_id', {_id('official', '(1 + i % 40)')}",
    ),
    _Copies(
        "consultation_participant",
        f"'id', {_id('participant')}, {_CONVERSATION}, 'account_id', {_id('account')}",
        model="role = 'member'",
    ),
    _Copies(
        "consultation_participant",
        f"'id', {_id('official participant')}, {_CONVERSATION},"
        f" 'account_id', {_id('official', '(1 + i % 40)')}",
        model="role <> 'member'",
    ),
    _Copies("consultation_message", f"'id', {_id('message')}, {_CONVERSATION}"),
    _Copies("consultation_mark", f"'id', {_id('mark')}, {_CONVERSATION}"),
    _Copies(
        "consultation_handover",
        f"'id', {_id('handover')}, 'case_id', {_id('case')}, {_CONVERSATION}",
    ),
    _Copies(
        "notice",
        f"'id', {_id('notice')}, 'client_key', {_id('key')}, 'publisher_id', {_id('union')}",
    ),
    _Copies(
        "notice_version",
        f"'id', {_id('version')}, 'notice_id', {_id('notice')}",
    ),
    _Copies("notice_board", f"'notice_id', {_id('notice')}"),
    _Copies("notice_recipient", f"'id', 10000000 + i, {_NOTICE}"),
    _Copies(
        "notice_receipt",
        f"'id', 10000000 + i, {_NOTICE}, 'account_id', {_id('account')}",
        "many",
    ),
    _Copies("notice_reached", f"'id', 10000000 + i, {_NOTICE}"),
    _Copies("vault_dek", f"'id', {_id('dek')}, 'owner_id', {_id('case')}", "many"),
    _Copies("stream", f"'id', 'me:' || {_id('account')}, 'top', 1"),
    _Copies("event", f"'stream_id', 'me:' || {_id('account')}, 'offset', 1"),
)
SMALL = {
    "consultation_consultant": "forty have a window",
    "org_union": "two thousand in a county, in 60 pages; read whole when most of it is asked for",
    "org_employer": "five thousand in a county; a zone's are most of a table that fits 100 pages",
    "org_seat": "one or two a union",
}
"""Tables that grow with neither members nor use, however long the program runs, and why."""
GROWING = frozenset(copies.table for copies in _COPIES) - SMALL.keys()
"""Tables that grow with members, messages, notices, receipts, events, sessions, audit."""


async def grow(url: str, growth: Growth) -> None:
    """Add rows to every table that grows, each of which must have one; as the owner."""
    counts = {
        "members": growth.members,
        "others": growth.others,
        "many": 4 * growth.others,
        "unions": growth.unions,
    }
    owner = await asyncpg.connect(url, statement_cache_size=0)
    try:
        await owner.execute("SET session_replication_role = replica")
        for copies in _COPIES:
            count = counts.get(copies.count) or int(copies.count)
            done = await owner.execute(_sql(copies, count))
            assert done == f"INSERT 0 {count}", (copies.table, done)
        await owner.execute("ANALYZE")
    finally:
        await owner.close()


def _sql(copies: _Copies, count: int) -> str:
    return (
        f"INSERT INTO {copies.table} SELECT r.*"
        f" FROM (SELECT t FROM {copies.table} t WHERE {copies.model} LIMIT 1) model"
        f" CROSS JOIN generate_series(1, {count}) i {copies.joined}"
        f" CROSS JOIN LATERAL jsonb_populate_record(t, jsonb_build_object({copies.patch})) r"
    )
