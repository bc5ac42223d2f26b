"""The upper levels of the key hierarchy (多层面密钥), in memory: root → purpose → district.

Pure: rows in, keys out. Every key is checked against its key check value, which also binds it to
its place in the hierarchy; one that fails stops the start. A key id selects exactly one key.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import ClassVar
from uuid import UUID

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from domain.kernel.errors import Unavailable
from domain.vault.models import KeyStatus, Purpose
from domain.vault.seals import packed

KEY_BYTES = 32
KCV_BYTES = 8
COMMITMENT_BYTES = 16
FEDERATION = "federation"
"""The district of whatever no smaller district has a key for."""
INDEX = "index"
"""Purpose of the key of blind indexes: independent, so that it can be rotated alone."""
AUDIT_CHAIN = "audit-chain"
"""Purpose of the key that authenticates the audit chain."""
TOKENS = "tokens"
"""Purpose of the key from which a refresh token's successors are derived."""
_MACS = (INDEX, AUDIT_CHAIN, TOKENS)
_READABLE = (KeyStatus.PRE_ACTIVE, KeyStatus.PRIMARY, KeyStatus.DECRYPT_ONLY)


class RootKeyWrong(Unavailable):
    """The provider's root key is not the one that the stored keys are wrapped with."""

    code: ClassVar[str] = "vault.root_key_wrong"


class KeyTableBroken(Unavailable):
    """A stored key does not unwrap to what it should be; ``key`` is its id."""

    code: ClassVar[str] = "vault.key_table_broken"


class KeysNotInitialised(Unavailable):
    """The database has no keys yet: run the explicit init verb once."""

    code: ClassVar[str] = "vault.not_initialised"


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One row of ``vault_crypto_key``."""

    id: int
    level: int
    purpose: str
    district: str
    version: int
    status: KeyStatus
    wrapped: bytes | None
    kcv: bytes
    wrap_parent_id: int | None


class WrappingKey:
    """A key that wraps others (AES-256-KW, RFC 3394). Shows nothing of itself."""

    __slots__ = ("_secret", "id")

    def __init__(self, id_: int, secret: bytes) -> None:
        self.id = id_
        self._secret = secret

    def __repr__(self) -> str:
        return f"<WrappingKey {self.id}>"

    def wrap(self, secret: bytes) -> bytes:
        """The secret, 8 bytes longer, safe to store."""
        return aes_key_wrap(self._secret, secret)

    def unwrap(self, wrapped: bytes) -> bytes:
        """The secret. Raises InvalidUnwrap."""
        return aes_key_unwrap(self._secret, wrapped)


class Keyring:
    """Every usable key above the data keys."""

    def __init__(self, root: bytes, rows: Iterable[KeyRow]) -> None:
        ordered = sorted(rows, key=lambda row: (row.level, row.id))
        if not ordered:
            raise KeysNotInitialised
        self._keys: dict[int, WrappingKey] = {}
        self._districts: dict[tuple[str, str], WrappingKey] = {}
        self._purposes: dict[str, WrappingKey] = {}
        self._macs: dict[str, hmac.HMAC] = {}
        self._root = root
        self.root: WrappingKey
        for row in ordered:
            self.admit(row)

    def __repr__(self) -> str:
        return f"<Keyring of {len(self._keys)} keys>"

    def admit(self, row: KeyRow) -> WrappingKey | None:
        """Check one committed row and keep its key; None when its status keeps it out of use."""
        if row.status not in _READABLE:
            return None
        key = self._keys[row.id] = self.check(row)
        if row.status is not KeyStatus.PRIMARY:
            return key
        if row.level == 0:
            self.root = key
        elif row.level == 1:
            self._purposes[row.purpose] = key
            if row.purpose in _MACS:
                self._macs[row.purpose] = hmac.new(self._secret_of(row), digestmod=sha256)
        elif row.level == 2:
            self._districts[row.purpose, row.district] = key
        return key

    def check(self, row: KeyRow) -> WrappingKey:
        """The row's key, unwrapped and verified, not kept. Raises RootKeyWrong, KeyTableBroken."""
        return WrappingKey(row.id, self._secret_of(row))

    def find(self, key_id: int) -> WrappingKey | None:
        """The key of this id, if it is loaded."""
        return self._keys.get(key_id)

    def find_district(self, purpose: Purpose, district: str) -> WrappingKey | None:
        """The key that wraps new data keys of the purpose in the district, if it is loaded."""
        return self._districts.get((purpose, district))

    def purpose(self, purpose: str) -> WrappingKey:
        """The key of a purpose, which wraps its district keys."""
        return self._purposes[purpose]

    def has_purpose(self, purpose: str) -> bool:
        """Whether the purpose has its key yet."""
        return purpose in self._purposes

    def mac(self, purpose: str, message: bytes) -> bytes:
        """HMAC-SHA256 under one of the authentication keys (INDEX, AUDIT_CHAIN, TOKENS)."""
        mac = self._macs[purpose].copy()
        mac.update(message)
        return mac.digest()

    def _secret_of(self, row: KeyRow) -> bytes:
        if row.level == 0:
            if not hmac.compare_digest(kcv_of(self._root, row), row.kcv):
                raise RootKeyWrong
            return self._root
        parent = self._keys.get(row.wrap_parent_id or 0)
        if parent is None or row.wrapped is None:
            raise KeyTableBroken(key=row.id)
        try:
            secret = parent.unwrap(row.wrapped)
        except (InvalidUnwrap, ValueError) as bad:
            raise KeyTableBroken(key=row.id) from bad
        if not hmac.compare_digest(kcv_of(secret, row), row.kcv):
            raise KeyTableBroken(key=row.id)
        return secret


def kcv_of(secret: bytes, row: KeyRow) -> bytes:
    """The check value: binds the key to its level, purpose, district and version."""
    place = (str(row.level), row.purpose, row.district, str(row.version))
    message = packed(b"kcv", *[part.encode() for part in place])
    return hmac.digest(secret, message, sha256)[:KCV_BYTES]


def commitment_of(secret: bytes, purpose: Purpose, owner: UUID, id_: UUID) -> bytes:
    """Binds a data key to its row; AES-KW itself authenticates no context."""
    message = packed(b"commit", purpose.encode(), owner.bytes, id_.bytes)
    return hmac.digest(secret, message, sha256)[:COMMITMENT_BYTES]


def new_row(parent: WrappingKey, id_: int, *, level: int, purpose: str, district: str) -> KeyRow:
    """A fresh random key of version 1, wrapped by its parent."""
    secret = os.urandom(KEY_BYTES)
    draft = KeyRow(
        id_, level, purpose, district, 1, KeyStatus.PRIMARY, parent.wrap(secret), b"", parent.id
    )
    return _checked(secret, draft)


def new_hierarchy(root: bytes) -> Sequence[KeyRow]:
    """The rows of a new federation's keys, ids from 1: root, then each purpose and its district."""
    draft = KeyRow(1, 0, "root", "", 1, KeyStatus.PRIMARY, None, b"", None)
    rows = [_checked(root, draft)]
    rows += missing_rows(Keyring(root, rows), first_id=2)
    return rows


def missing_rows(keyring: Keyring, *, first_id: int) -> Iterator[KeyRow]:
    """Rows for purposes without a key: all at first, later those that a new version brings."""
    id_ = first_id
    for purpose in (*_MACS, *Purpose):
        if keyring.has_purpose(purpose):
            continue
        row = new_row(keyring.root, id_, level=1, purpose=purpose, district="")
        id_ += 1
        yield row
        key = keyring.admit(row)
        if isinstance(purpose, Purpose) and key is not None:
            yield new_row(key, id_, level=2, purpose=purpose, district=FEDERATION)
            id_ += 1


def _checked(secret: bytes, row: KeyRow) -> KeyRow:
    return replace(row, kcv=kcv_of(secret, row))
