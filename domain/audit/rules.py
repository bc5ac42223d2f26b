"""How entries hang together: the canonical bytes of one, its hash after the one before. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, ClassVar
from uuid import UUID

import orjson

from domain.kernel.actor import Actor
from domain.kernel.capabilities import Capability
from domain.kernel.errors import Forbidden, Unauthenticated
from domain.kernel.streams import to_json
from domain.vault.seals import packed

VERSION = 1
"""Of the canonical form; a change of its keys needs a new number."""
GENESIS = bytes(32)
"""What the first entry of a chain hangs on."""
SYSTEM_STREAM = "system"
FIELDS_MAX = 40
"""Names in one entry; no record has more fields."""
_ACTION = re.compile(r"[a-z_]+(\.[a-z_]+)+")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class AuditorOnly(Forbidden):
    """Reading the trail needs ``audit.read`` for the whole federation."""

    code: ClassVar[str] = "audit.auditor_only"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it is hashed."""

    id: UUID
    stream: str
    seq: int
    at: datetime
    account_id: UUID | None
    session_id: UUID | None
    action: str
    subject_kind: str
    subject_id: UUID | None
    fields: tuple[str, ...]
    reason: bytes | None

    def canonical(self) -> bytes:
        """The same bytes for the same entry, whoever makes them: sorted keys, no white space."""
        body: dict[str, Any] = {name: to_json(getattr(self, name)) for name in self.__slots__}
        return orjson.dumps({**body, "v": VERSION}, option=orjson.OPT_SORT_KEYS)


def linked(previous: bytes, entry: Entry) -> bytes:
    """The entry's hash: binds it to everything before it in its chain."""
    return sha256(packed(previous, entry.canonical())).digest()


def mac_message(entry: Entry, hash_: bytes) -> bytes:
    """What the vault's key authenticates."""
    return packed(b"audit", entry.stream.encode(), str(entry.seq).encode(), hash_)


def stream_of(actor: Actor) -> str:
    """The chain of this actor's deeds."""
    assert not actor.is_nobody, "somebody has done it"
    return SYSTEM_STREAM if actor.account_id is None else f"ac:{actor.account_id}"


def ensure_names(action: str, subject_kind: str, fields: tuple[str, ...]) -> None:
    """Bugs only: what is recorded are names, so that no value ever gets into the trail."""
    assert _ACTION.fullmatch(action), action
    assert _NAME.fullmatch(subject_kind), subject_kind
    assert len(fields) <= FIELDS_MAX, len(fields)
    assert all(_NAME.fullmatch(name) for name in fields), "field names, no values"


def ensure_auditor(actor: Actor) -> None:
    """Pass for the program itself and for auditors of the whole federation (its path has one
    segment). Raises Unauthenticated, AuditorOnly."""
    scope = actor.scope(Capability.AUDIT_READ)
    if actor.is_system or any(path.count("/") == 2 for path in scope.territory):
        return
    raise Unauthenticated if actor.is_nobody else AuditorOnly


def entry_of(row: Mapping[str, Any]) -> Entry:
    """A stored row as it was hashed."""
    return Entry(
        row["id"], row["stream"], row["seq"], row["at"], row["account_id"], row["session_id"],
        row["action"], row["subject_kind"], row["subject_id"], tuple(orjson.loads(row["fields"])),
        row["reason"],
    )  # fmt: skip
