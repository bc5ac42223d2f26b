"""Opaque tokens: 256 random bits behind ``u1_``. The database keeps their SHA-256 only.

A refresh token's successors are derived from it with a key of the vault: whoever retries after a
lost answer gets the same ones again, and neither the database nor the key alone gives any.
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import UUID

from domain.vault import service as vault

PREFIX = "u1_"
SECRET_BYTES = 32
TOKEN_CHARS = len(PREFIX) + 43
DEVICE_CHARS_MAX = 100
"""A client makes its device's name itself; 22 random characters would do."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token as its holder has it."""

    secret: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """What the client sends."""
        return PREFIX + base64.urlsafe_b64encode(self.secret).decode().rstrip("=")

    @property
    def hash(self) -> bytes:
        """What the database knows. Unsalted: 256 random bits can't be guessed."""
        return sha256(self.secret).digest()


def new_token() -> Token:
    """A fresh random token."""
    return Token(os.urandom(SECRET_BYTES))


def parse_token(text: str) -> Token | None:
    """The token in canonical spelling, else None."""
    if len(text) != TOKEN_CHARS or not text.startswith(PREFIX):
        return None
    try:
        secret = base64.b64decode(text[len(PREFIX) :] + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    token = Token(secret)
    return token if token.text == text else None


def successors(refresh: Token, session_id: UUID) -> tuple[Token, Token]:
    """The access and refresh token that this refresh token is exchanged for, always the same."""
    return (
        Token(vault.derived_secret("access", session_id.bytes, refresh.secret)),
        Token(vault.derived_secret("refresh", session_id.bytes, refresh.secret)),
    )


def device_hash(device: str | None) -> bytes | None:
    """The digest under which a device is known; None for none or a nonsensical one."""
    if not device or len(device) > DEVICE_CHARS_MAX:
        return None
    return sha256(b"device\x00" + device.encode("utf-8", "surrogatepass")).digest()
