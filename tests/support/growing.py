"""Tables filled with other people's rows, so that the planner sees a federation that has grown.

A row that is there stands as a model; copies differ in what identifies them, and point at each
other as real ones do. Written by the owner, without triggers (``tests/support/entering.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import asyncpg

from tests.support.entering import REBUILT_FROM_ROWS, Owner, enter, settle


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
    patch: Mapping[str, str]
    """What differs in the i-th copy: expressions by column."""
    count: str = "others"
    model: str = "true"
    """Which row is copied."""
    joined: str = ""


def _id(kind: str, number: str = "i") -> str:
    """The n-th's of a kind, the same wherever it is pointed at; grows with n, as our ids do."""
    return f"(left(md5('{kind}'), 20) || lpad(to_hex({number}), 12, '0'))::uuid"


def _digest(kind: str, number: str = "i") -> str:
    return f"sha256(('{kind}' || {number})::bytea)"


def _path(column: str) -> str:
    return f"regexp_replace(t.{column}, '[0-9]+/$', (1000000 + i) || '/')"


_PLACED = """
JOIN (SELECT id, territory_path, line_path, row_number() OVER (ORDER BY seq) - 1 AS place
        FROM org_union WHERE level = 'grassroots') u
  ON u.place = i % (SELECT count(*) FROM org_union WHERE level = 'grassroots')"""
_NOTICES = 20
"""So many unions get each notice."""
_OFFICIAL = _id("official", "(1 + i % 40)")
_WINDOW = _id("consultant", "(1 + i % 40)")
_NOTICE = {"notice_id": _id("notice", f"(i / {_NOTICES})"), "union_id": _id("union")}
_SERIAL = {"id": "10000000 + i"}
_CONVERSATION = {"conversation_id": _id("conversation")}


def _own(kind: str, **others: str) -> dict[str, str]:
    """An id of its own, and what else differs."""
    return {"id": _id(kind)} | others


_COPIES = (
    _Copies(
        "org_union",
        _own(
            "union",
            seq="1000000 + i",
            uscc="null",
            employer_id=_id("employer"),
            territory_path=_path("territory_path"),
            line_path=_path("line_path"),
        ),
        "unions",
        "level = 'grassroots' AND line_path IS NOT NULL",
    ),
    _Copies("org_employer", _own("employer", uscc="i"), "unions"),
    _Copies("org_seat", _own("seat", union_id=_id("union"), account_id=_id("account")), "unions"),
    _Copies(
        "member",
        _own(
            "member",
            id_number_index=_digest("n"),
            phone_index=_digest("p"),
            union_id="u.id",
            territory_path="u.territory_path",
            line_path="u.line_path",
        ),
        "members",
        joined=_PLACED,
    ),
    _Copies(
        "member_membership",
        _own("membership", member_id=_id("member"), union_id="u.id"),
        "members",
        joined=_PLACED,
    ),
    _Copies(
        "access_account",
        _own(
            "account",
            member_id=_id("member"),
            phone_index=_digest("p"),
            id_number_index=_digest("n"),
            consultant_id="null",
        ),
    ),
    _Copies("access_session", _own("session", token_hash=_digest("t"), account_id=_id("account"))),
    _Copies("access_refresh_token", {"session_id": _id("session"), "token_hash": _digest("r")}),
    _Copies("access_attempt", {"key": _digest("a")}),
    _Copies("access_grant", _own("grant", account_id=_id("account"), union_id=_id("union"))),
    _Copies("audit_entry", _own("audit", seq="1000000 + i", subject_id=_id("case"))),
    _Copies("consultation_consultant", _own("consultant", account_id=_id("official")), "40"),
    _Copies(
        "consultation_case",
        _own(
            "case",
            member_account_id=_id("account"),
            client_key=_id("key"),
            consultant_account_id=_OFFICIAL,
            taken_key=_id("key"),
            consultant_id=_WINDOW,
        ),
        model="consultant_id IS NOT NULL",
    ),
    _Copies(
        "consultation_queue_entry",
        {
            "case_id": _id("case"),
            "taken_by_id": _WINDOW,
            "state": "CASE WHEN i % 100 = 0 THEN 'requested' ELSE t.state END",
        },
        model="taken_by_id IS NOT NULL",
    ),
    _Copies(
        "consultation_conversation",
        _own(
            "conversation",
            case_id=_id("case"),
            member_account_id=_id("account"),
            consultant_account_id=_OFFICIAL,
        ),
    ),
    _Copies(
        "consultation_participant",
        _own("participant", account_id=_id("account")) | _CONVERSATION,
        model="role = 'member'",
    ),
    _Copies(
        "consultation_participant",
        _own("official participant", account_id=_OFFICIAL) | _CONVERSATION,
        model="role <> 'member'",
    ),
    _Copies("consultation_message", _own("message") | _CONVERSATION),
    _Copies("consultation_mark", _own("mark") | _CONVERSATION),
    _Copies("consultation_handover", _own("handover", case_id=_id("case")) | _CONVERSATION),
    _Copies("notice", _own("notice", client_key=_id("key"), publisher_id=_id("union"))),
    _Copies("notice_version", _own("version", notice_id=_id("notice"))),
    _Copies("notice_board", {"notice_id": _id("notice")}),
    _Copies("notice_recipient", _SERIAL | _NOTICE),
    _Copies("notice_receipt", _SERIAL | _NOTICE | {"account_id": _id("account")}, "many"),
    _Copies("notice_reached", _SERIAL | _NOTICE),
    _Copies("vault_dek", _own("dek", owner_id=_id("case")), "many"),
    _Copies("stream", {"id": f"'me:' || {_id('account')}", "top": "1"}),
    _Copies("event", {"stream_id": f"'me:' || {_id('account')}", '"offset"': "1"}),
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


async def grow(url: str, growth: Growth, tell: Callable[[str], object] = len) -> None:
    """Add rows to every table that grows, each of which must have one; as the owner.

    ``tell`` hears of each table that takes a while.
    """
    counts = {
        "members": growth.members,
        "others": growth.others,
        "many": 4 * growth.others,
        "unions": growth.unions,
    }
    owner = await asyncpg.connect(url, statement_cache_size=0)
    try:
        for copies in _COPIES:
            count = counts.get(copies.count) or int(copies.count)
            if count >= REBUILT_FROM_ROWS:
                tell(f"{count} rows of {copies.table}")
            sql = await _sql(owner, copies, count)
            await enter(owner, copies.table, count, sql)
        tell("vacuum and statistics")
        await settle(owner)
    finally:
        await owner.close()


async def _sql(owner: Owner, copies: _Copies, count: int) -> str:
    rows = await owner.fetch(
        "SELECT quote_ident(attname) AS name, format_type(atttypid, atttypmod) AS type"
        "  FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped"
        " ORDER BY attnum",
        copies.table,
    )
    types = {row["name"]: row["type"] for row in rows}
    assert copies.patch.keys() <= types.keys(), copies.table
    given = [
        f"({copies.patch[name]})::{type_}" if name in copies.patch else f"t.{name}"
        for name, type_ in types.items()
    ]
    return (
        f"INSERT INTO {copies.table} ({', '.join(types)}) SELECT {', '.join(given)}"
        f" FROM (SELECT * FROM {copies.table} WHERE {copies.model} LIMIT 1) t"
        f" CROSS JOIN generate_series(1, {count}) i {copies.joined}"
    )
