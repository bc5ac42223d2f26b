"""Data keys by their owner: made, found, destroyed; blind indexes. The vault's public verbs.

A data key is looked up by purpose and owner (a member's record, a conversation). The caller has
authorised the access before: the vault knows no scopes.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap

from domain.kernel.database import Record, fetch
from domain.kernel.errors import Conflict, NotFound
from domain.kernel.ids import new_id
from domain.kernel.work import Work
from domain.vault.cache import KeyCache
from domain.vault.columns import INDEXED
from domain.vault.custody import (
    IS_UNCOMMITTED,
    district_key,
    init_keys,
    load_key,
    open_keyring,
)
from domain.vault.keyring import (
    AUDIT_CHAIN,
    FEDERATION,
    INDEX,
    KEY_BYTES,
    TOKENS,
    Keyring,
    WrappingKey,
    commitment_of,
)
from domain.vault.models import Purpose
from domain.vault.passwords import Profile, hash_password, needs_rehash, verify_password
from domain.vault.seals import DataKey, SealBroken, packed

__all__ = [
    "DATA_KEY_COLUMNS",
    "DataKey",
    "KeyDestroyed",
    "KeyExists",
    "Keyring",
    "NewKey",
    "Profile",
    "Purpose",
    "SealBroken",
    "blind_index",
    "chain_mac",
    "create_data_key",
    "create_data_keys",
    "data_key",
    "data_keys",
    "derived_secret",
    "destroy_data_key",
    "find_data_key",
    "hash_password",
    "init_keys",
    "install",
    "needs_rehash",
    "new_wrapped_keys",
    "open_keyring",
    "verify_password",
]

INDEX_BYTES = 16
"""128 bits: identity numbers are unique keys, and two people must never share an index."""
DATA_KEY_COLUMNS = ("id", "purpose", "owner_id", "key_id", "wrapped", "commitment")
"""Columns of ``vault_dek`` in the order of ``NewKey.row``, for COPY."""

_keyring: Keyring | None = None
_cache = KeyCache()


class KeyDestroyed(NotFound):
    """The owner's data key was destroyed (crypto-shredding), or never made: nothing opens."""

    code: ClassVar[str] = "vault.key_destroyed"


class KeyExists(Conflict):
    """The owner has, or had, a data key of this purpose. A destroyed one is not made anew."""

    code: ClassVar[str] = "vault.key_exists"


@dataclass(frozen=True, slots=True)
class NewKey:
    """A data key that no row stands for yet, and the row to insert."""

    owner: UUID
    key: DataKey
    row: tuple[UUID, str, UUID, int, bytes, bytes]


def install(keyring: Keyring) -> None:
    """Take this as the process's keyring (composition root and tests); forgets cached keys."""
    global _keyring
    _keyring = keyring
    _cache.clear()


async def create_data_key(
    w: Work, purpose: Purpose, *, owner: UUID, district: str = FEDERATION
) -> DataKey:
    """The owner has a data key from this commit on. Raises KeyExists."""
    return (await create_data_keys(w, purpose, owners=[owner], district=district))[owner]


async def create_data_keys(
    w: Work, purpose: Purpose, *, owners: Sequence[UUID], district: str = FEDERATION
) -> dict[UUID, DataKey]:
    """Each owner has a data key from this commit on: one statement. Raises KeyExists."""
    wrapping = await district_key(w, _current(), purpose, district)
    made = _wrap_new(purpose, owners, wrapping)
    # Not cached here: if this work rolls back, the keys must not outlive it.
    columns = zip(*[new.row for new in made], strict=True) if made else [[]] * 6
    count = await w.execute(
        f"INSERT INTO vault_dek ({', '.join(DATA_KEY_COLUMNS)})"
        " SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::int[], $5::bytea[],"
        " $6::bytea[]) ON CONFLICT DO NOTHING",
        *[list(column) for column in columns],
    )
    if count != len(made):
        raise KeyExists
    return {new.owner: new.key for new in made}


def new_wrapped_keys(
    purpose: Purpose, owners: Iterable[UUID], *, district: str = FEDERATION
) -> list[NewKey]:
    """Keys with their rows (DATA_KEY_COLUMNS), for COPY by import and seed; nothing is stored.

    The district must have its key already; the federation always has.
    """
    wrapping = _current().find_district(purpose, district)
    assert wrapping is not None, district
    return _wrap_new(purpose, owners, wrapping)


async def data_key(purpose: Purpose, *, owner: UUID) -> DataKey:
    """The owner's data key, inside a Work or outside. Raises KeyDestroyed."""
    if cached := _cache.find((purpose, owner)):
        return cached
    found = await data_keys(purpose, owners=[owner])
    if owner not in found:
        raise KeyDestroyed
    return found[owner]


def find_data_key(purpose: Purpose, *, owner: UUID) -> DataKey | None:
    """The owner's data key, if it is remembered: without a statement, for a verb that has one."""
    return _cache.find((purpose, owner))


async def data_keys(purpose: Purpose, *, owners: Sequence[UUID]) -> dict[UUID, DataKey]:
    """The data keys of many owners in one read; an owner whose key was destroyed is left out."""
    found = {owner: key for owner in owners if (key := _cache.find((purpose, owner)))}
    missing = [owner for owner in owners if owner not in found]
    if not missing:
        return found
    rows = await fetch(
        f"SELECT id, owner_id, key_id, wrapped, commitment, {IS_UNCOMMITTED} AS is_uncommitted"
        " FROM vault_dek"
        " WHERE purpose = $1 AND owner_id = ANY($2::uuid[]) AND wrapped IS NOT NULL",
        purpose,
        missing,
    )
    for row in rows:
        key = await _unwrapped(purpose, row)
        found[row["owner_id"]] = key
        if not row["is_uncommitted"]:
            _cache.keep((purpose, row["owner_id"]), key)
    return found


async def destroy_data_key(w: Work, purpose: Purpose, *, owner: UUID) -> None:
    """Nothing sealed with the owner's key can be opened any more (crypto-shredding, 密钥销毁).

    Other processes may still hold it for the cache's few seconds. Backups of the key table
    end its life: see the retention rule of the operations guide. Raises KeyDestroyed.
    """
    count = await w.execute(
        "UPDATE vault_dek SET wrapped = NULL, destroyed_at = $3"
        " WHERE purpose = $1 AND owner_id = $2 AND wrapped IS NOT NULL",
        purpose,
        owner,
        w.now,
    )
    if count == 0:
        raise KeyDestroyed
    _cache.shun((purpose, owner))


def blind_index(column: str, canonical: str) -> bytes:
    """16 bytes by which equal values are found without being stored; names in ``columns``.

    ``canonical`` must be folded already: two spellings have two indexes.
    """
    assert column in INDEXED, f"add {column!r} to domain/vault/columns.py"
    message = packed(b"bidx", column.encode(), str(INDEXED[column]).encode(), canonical.encode())
    return _current().mac(INDEX, message)[:INDEX_BYTES]


def chain_mac(message: bytes) -> bytes:
    """HMAC-SHA256 under the audit chain's key, which nobody with only the database has."""
    return _current().mac(AUDIT_CHAIN, message)


def derived_secret(label: str, *parts: bytes) -> bytes:
    """32 bytes that follow from the parts and the token key, always the same."""
    return _current().mac(TOKENS, packed(label.encode(), *parts))


def _current() -> Keyring:
    assert _keyring is not None, "the wiring opens the keyring before anything is sealed"
    return _keyring


def _wrap_new(purpose: Purpose, owners: Iterable[UUID], wrapping: WrappingKey) -> list[NewKey]:
    made = []
    for owner in owners:
        id_, secret = new_id(), os.urandom(KEY_BYTES)
        commitment = commitment_of(secret, purpose, owner, id_)
        row = (id_, purpose.value, owner, wrapping.id, wrapping.wrap(secret), commitment)
        made.append(NewKey(owner, DataKey(id_, secret), row))
    return made


async def _unwrapped(purpose: Purpose, row: Record) -> DataKey:
    wrapping = _current().find(row["key_id"]) or await load_key(_current(), row["key_id"])
    try:
        secret = wrapping.unwrap(row["wrapped"])
    except (InvalidUnwrap, ValueError) as bad:
        raise SealBroken from bad
    expected = commitment_of(secret, purpose, row["owner_id"], row["id"])
    if not hmac.compare_digest(expected, row["commitment"]):
        raise SealBroken
    return DataKey(row["id"], secret)
