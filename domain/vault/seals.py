"""Sealed text: its bytes, what they are bound to, and the data key that seals and opens.

Blob: ``0x01 | suite(1) | key_ref(4) | nonce(12) | ciphertext | tag(16)``. The authenticated data
is a length-prefixed tuple, because joining with a separator is ambiguous. A blob in another row,
another column or under another key does not open. SQL NULL is "no value"; a sealed empty text is
a value.
"""

from __future__ import annotations

import logging
import os
from functools import cache
from typing import ClassVar
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.kernel.errors import Unavailable
from domain.vault.columns import SEALED

_log = logging.getLogger("unionhall.vault")

FORMAT = 0x01
SUITE_AES_256_GCM = 0x01
SCHEMA_VERSION = 1
"""Of the authenticated tuple; a change of its members needs a new number."""
NONCE_BYTES = 12
HEADER_BYTES = 6
OVERHEAD_BYTES = HEADER_BYTES + NONCE_BYTES + 16
TENANT = b"unionhall"
_PAD_MARK = b"\x80"


class SealBroken(Unavailable):
    """Sealed bytes that don't open here: altered, moved, or sealed under another key. An alarm."""

    code: ClassVar[str] = "vault.seal_broken"


def packed(*parts: bytes) -> bytes:
    """The tuple as bytes, each part with its length before it: no two tuples look alike."""
    return b"".join([_length(part) + part for part in parts])


def _length(part: bytes) -> bytes:
    size = len(part)
    return _LENGTHS[size] if size < 256 else size.to_bytes(4, "big")


_LENGTHS = [size.to_bytes(4, "big") for size in range(256)]
"""Nearly all parts are ids and names, and each message has sixteen of them."""


class DataKey:
    """The key of one record or conversation, unwrapped. Holds no text; shows nothing of itself."""

    __slots__ = ("_aead", "_prefix", "_suffix", "id")

    def __init__(self, id_: UUID, secret: bytes) -> None:
        self.id = id_
        self._aead = AESGCM(secret)
        self._prefix = bytes((FORMAT, SUITE_AES_256_GCM)) + id_.bytes[-4:]
        self._suffix = packed(
            id_.bytes, bytes((SUITE_AES_256_GCM,)), SCHEMA_VERSION.to_bytes(2, "big")
        )

    def __repr__(self) -> str:
        return f"<DataKey {self.id}>"

    def seal(
        self, text: str, *, table: str, column: str, row_id: UUID, extra: tuple[str, ...] = ()
    ) -> bytes:
        """The text as bytes that open only under the same names, row and ``extra``."""
        context, pad_bytes = _column(table, column)
        plain = text.encode() + _PAD_MARK
        plain += bytes(-len(plain) % pad_bytes)
        nonce = os.urandom(NONCE_BYTES)
        bound = context + packed(row_id.bytes) + self._suffix + _packed_texts(extra)
        return self._prefix + nonce + self._aead.encrypt(nonce, plain, bound)

    def open(
        self, blob: bytes, *, table: str, column: str, row_id: UUID, extra: tuple[str, ...] = ()
    ) -> str:
        """The text that was sealed. Raises SealBroken."""
        context, _ = _column(table, column)
        bound = context + packed(row_id.bytes) + self._suffix + _packed_texts(extra)
        try:
            if blob[:HEADER_BYTES] != self._prefix:
                raise InvalidTag
            body_at = HEADER_BYTES + NONCE_BYTES
            plain = self._aead.decrypt(blob[HEADER_BYTES:body_at], blob[body_at:], bound)
        except (InvalidTag, ValueError):
            _log.critical(
                "seal broken: key %s table %s column %s row %s", self.id, table, column, row_id
            )
            raise SealBroken from None
        return plain[: plain.rindex(_PAD_MARK)].decode()


@cache
def _column(table: str, column: str) -> tuple[bytes, int]:
    # Bounded by the registry: an unknown name raises and is not kept.
    assert (table, column) in SEALED, f"add ({table!r}, {column!r}) to domain/vault/columns.py"
    return packed(b"u1", TENANT, table.encode(), column.encode()), SEALED[table, column]


def _packed_texts(texts: tuple[str, ...]) -> bytes:
    return packed(*[text.encode() for text in texts]) if texts else b""
