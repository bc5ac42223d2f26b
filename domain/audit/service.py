"""Record, verify, read: the trail's verbs."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import orjson

from domain.audit import rules
from domain.audit.rules import Entry
from domain.kernel.actor import Actor
from domain.kernel.database import Record, fetch
from domain.kernel.errors import NotFound
from domain.kernel.ids import new_id
from domain.kernel.texts import clean_text
from domain.kernel.work import Work
from domain.vault import service as vault
from domain.vault.service import Purpose

REASON_CHARS_MAX = 500
"""A paragraph: why somebody looked."""
VERIFY_ROWS = 1_000
"""Entries read at a time while verifying."""
STREAMS_MAX = 1_000
"""Chains listed at a time."""
_SYSTEM_OWNER = UUID(int=0)
"""Owner of the data key for reasons that the program itself gives."""
_COLUMNS = (
    "id, stream, seq, at, account_id, session_id, action, subject_kind, subject_id, fields, reason,"
    " hash, mac"
)


async def record(
    w: Work,
    action: str,
    *,
    subject_kind: str,
    subject_id: UUID | None,
    fields: tuple[str, ...] = (),
    reason: str | None = None,
) -> UUID:
    """The deed is in the actor's chain from this commit on; the entry's id.

    ``action`` is ``slice.verb``; ``fields`` are names. Call it before what it tells of leaves the
    server. The actor's chain stays locked until the work ends. Raises BadText, TextTooLong.
    """
    rules.ensure_names(action, subject_kind, fields)
    stream, id_ = rules.stream_of(w.actor), new_id()
    (head,) = await w.fetch(
        "INSERT INTO audit_stream AS s (id, top, head) VALUES ($1, 1, $2)"
        " ON CONFLICT (id) DO UPDATE SET top = s.top + 1 RETURNING top, head",
        stream,
        rules.GENESIS,
    )
    entry = Entry(
        id=id_,
        stream=stream,
        seq=head["top"],
        at=w.now,
        account_id=w.actor.account_id,
        session_id=w.actor.session_id,
        action=action,
        subject_kind=subject_kind,
        subject_id=subject_id,
        fields=fields,
        reason=await _sealed(w, id_, reason) if reason is not None else None,
    )
    await _append(w, entry, rules.linked(head["head"], entry))
    return id_


async def verify(actor: Actor, stream: str) -> int | None:
    """The number of the first entry of the chain that isn't what was written, or None.

    One past the last means that the newest entries are gone. Raises AuditorOnly.
    """
    rules.ensure_auditor(actor)
    # The head first: entries that come while we read are beyond it, and not looked for.
    head = await _head(stream)
    previous, seq = rules.GENESIS, 0
    async for row in _entries(stream, head["top"] if head else None):
        seq += 1
        entry = rules.entry_of(dict(row))
        hash_ = rules.linked(previous, entry)
        mac = vault.chain_mac(rules.mac_message(entry, hash_))
        if entry.seq != seq or hash_ != row["hash"] or not hmac.compare_digest(mac, row["mac"]):
            return seq
        previous = hash_
    if head is None:
        # Either nobody has done anything, or the head was taken away, or it has just come.
        return seq if seq and await _head(stream) is None else None
    if seq < head["top"]:
        return seq + 1
    return None if head["head"] == previous else seq


async def verify_all(actor: Actor) -> AsyncIterator[tuple[str, int]]:
    """Each broken chain with its first bad number. Raises AuditorOnly."""
    rules.ensure_auditor(actor)
    after = ""
    while rows := await fetch(
        # Chains whose head was taken away still have entries.
        "SELECT id FROM (SELECT id FROM audit_stream UNION SELECT stream FROM audit_entry) s"
        " WHERE id > $1 ORDER BY id LIMIT $2",
        after,
        STREAMS_MAX,
    ):
        for row in rows:
            if (bad := await verify(actor, row["id"])) is not None:
                yield row["id"], bad
        after = rows[-1]["id"]


async def list_heads(actor: Actor, *, after: str = "") -> Sequence[Record]:
    """Chain, number, hash and mac of each newest entry, to be kept elsewhere; by chain, at most
    ``STREAMS_MAX``. Raises AuditorOnly."""
    rules.ensure_auditor(actor)
    return await fetch(
        "SELECT s.id, s.top, s.head, e.mac, e.at FROM audit_stream s"
        " JOIN audit_entry e ON e.stream = s.id AND e.seq = s.top"
        " WHERE s.id > $1 ORDER BY s.id LIMIT $2",
        after,
        STREAMS_MAX,
    )


async def open_reason(actor: Actor, entry_id: UUID) -> str | None:
    """The reason that was given. Raises AuditorOnly, NotFound, SealBroken."""
    rules.ensure_auditor(actor)
    rows = await fetch("SELECT account_id, reason FROM audit_entry WHERE id = $1", entry_id)
    if not rows:
        raise NotFound
    if rows[0]["reason"] is None:
        return None
    owner = rows[0]["account_id"] or _SYSTEM_OWNER
    key = await vault.data_key(Purpose.AUDIT, owner=owner)
    return key.open(rows[0]["reason"], table="audit_entry", column="reason", row_id=entry_id)


async def _sealed(w: Work, entry_id: UUID, reason: str) -> bytes:
    text = clean_text(reason, field="reason", max_chars=REASON_CHARS_MAX)
    owner = w.actor.account_id or _SYSTEM_OWNER
    try:
        key = await vault.data_key(Purpose.AUDIT, owner=owner)
    except vault.KeyDestroyed:
        # The first reason of this chain; the chain's lock lets only one writer come here.
        key = await vault.create_data_key(w, Purpose.AUDIT, owner=owner)
    return key.seal(text, table="audit_entry", column="reason", row_id=entry_id)


async def _append(w: Work, entry: Entry, hash_: bytes) -> None:
    await w.execute(
        f"WITH put AS (INSERT INTO audit_entry ({_COLUMNS}) VALUES"
        " ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13))"
        " UPDATE audit_stream SET head = $12 WHERE id = $2",
        entry.id,
        entry.stream,
        entry.seq,
        entry.at,
        entry.account_id,
        entry.session_id,
        entry.action,
        entry.subject_kind,
        entry.subject_id,
        orjson.dumps(entry.fields).decode(),
        entry.reason,
        hash_,
        vault.chain_mac(rules.mac_message(entry, hash_)),
    )


async def _head(stream: str) -> Record | None:
    rows = await fetch("SELECT top, head FROM audit_stream WHERE id = $1", stream)
    return rows[0] if rows else None


async def _entries(stream: str, top: int | None) -> AsyncIterator[Record]:
    """The chain's entries in order, up to ``top``; whatever numbers they have."""
    after = -(2**62)
    while rows := await fetch(
        f"SELECT {_COLUMNS} FROM audit_entry WHERE stream = $1 AND seq > $2"
        " AND ($3::bigint IS NULL OR seq <= $3) ORDER BY seq LIMIT $4",
        stream,
        after,
        top,
        VERIFY_ROWS,
    ):
        for row in rows:
            yield row
        after = rows[-1]["seq"]
