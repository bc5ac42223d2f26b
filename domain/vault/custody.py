"""Who holds the root key (根密钥), and how a process opens its keyring at the start.

Fails closed: no root key, a wrong one, or one that others may read stops the start. A new root is
made by ``init_keys`` only, which a person runs once.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Protocol

from domain.kernel.database import Connection, Record, connection, fetch
from domain.kernel.errors import Conflict, Unavailable
from domain.kernel.work import Work
from domain.vault.keyring import (
    KEY_BYTES,
    Keyring,
    KeyRow,
    KeyTableBroken,
    WrappingKey,
    missing_rows,
    new_hierarchy,
    new_row,
)
from domain.vault.models import KeyStatus, Purpose

DISTRICT_CHARS_MAX = 64
"""Of a district's code in the key table."""
KEY_TABLE_LOCK = 7_318_002
"""Advisory lock under which key rows are added: their ids are given out by counting."""
IS_UNCOMMITTED = "coalesce(xmin = pg_current_xact_id_if_assigned()::xid, false)"
"""A row of our own open transaction may yet roll back: no process may remember it."""
_COLUMNS = "id, level, purpose, district, version, status, wrapped, kcv, wrap_parent_id"
_SELECT = f"SELECT {_COLUMNS} FROM vault_crypto_key"
_INSERT = (
    f"INSERT INTO vault_crypto_key ({_COLUMNS}, created_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now())"
)


class RootKeyMissing(Unavailable):
    """The provider has no root key. It is never made silently."""

    code: ClassVar[str] = "vault.root_key_missing"


class RootKeyUnsafe(Unavailable):
    """The root key's file may be read or written by others, or is not 32 bytes of base64."""

    code: ClassVar[str] = "vault.root_key_unsafe"


class KeysExist(Conflict):
    """The database has keys already; a second root would orphan all that is sealed."""

    code: ClassVar[str] = "vault.keys_exist"


class RootKeyProvider(Protocol):
    """Where the root key comes from: a file, the environment, later a KMS or 密码机."""

    def load(self) -> bytes:
        """The 32 bytes. Raises RootKeyMissing or RootKeyUnsafe."""
        ...

    def create(self) -> bytes:
        """A new root key, kept by the provider. Raises KeysExist or RootKeyMissing."""
        ...


class RootKeyFile:
    """One line of base64 in a file that its owner alone may read (mode 0600 or narrower)."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                # The open file is asked, not the path: nobody can swap it in between.
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o177:
                    raise RootKeyUnsafe
                return _decoded(file.read(200))
        except FileNotFoundError:
            raise RootKeyMissing from None

    def create(self) -> bytes:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        secret = os.urandom(KEY_BYTES)
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise KeysExist from None
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(secret) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return secret


class RootKeyVariable:
    """Base64 in an environment variable: the weakest place (visible in /proc, in crash dumps)."""

    def __init__(self, environ: Mapping[str, str], name: str) -> None:
        self._text = environ.get(name)

    def load(self) -> bytes:
        if not self._text:
            raise RootKeyMissing
        return _decoded(self._text.encode())

    def create(self) -> bytes:
        # A process cannot write its parent's environment; a person puts the key there.
        raise RootKeyMissing


async def init_keys(provider: RootKeyProvider) -> Keyring:
    """Make a new federation's keys, and the root key unless the provider has one. Once, by hand.

    Raises KeysExist when the database has keys, whatever the provider holds.
    """
    async with connection() as conn, conn.transaction():
        await conn.execute("SELECT pg_advisory_xact_lock($1)", KEY_TABLE_LOCK)
        if await load_rows(conn):
            raise KeysExist
        try:
            root = provider.load()
        except RootKeyMissing:
            root = provider.create()
        rows = new_hierarchy(root)
        await insert_rows(conn, rows)
    return Keyring(root, rows)


async def open_keyring(provider: RootKeyProvider) -> Keyring:
    """Every key, checked. Purposes that a new version of the program brings get their keys.

    Raises RootKeyMissing, RootKeyUnsafe, RootKeyWrong, KeyTableBroken, KeysNotInitialised: each
    of them stops the start.
    """
    root = provider.load()
    async with connection() as conn:
        stored = await load_rows(conn)
        if not list(missing_rows(Keyring(root, stored), first_id=0)):
            return Keyring(root, stored)
        async with conn.transaction():
            await conn.execute("SELECT pg_advisory_xact_lock($1)", KEY_TABLE_LOCK)
            stored = await load_rows(conn)
            top = max(row.id for row in stored)
            added = list(missing_rows(Keyring(root, stored), first_id=top + 1))
            await insert_rows(conn, added)
    return Keyring(root, [*stored, *added])


async def load_rows(conn: Connection) -> Sequence[KeyRow]:
    """All rows of the key table."""
    return [_key_row(row) for row in await conn.fetch(_SELECT)]


async def insert_rows(conn: Connection, rows: Sequence[KeyRow]) -> None:
    """Add rows to the key table; the caller holds ``KEY_TABLE_LOCK``."""
    await conn.executemany(_INSERT, [_values(row) for row in rows])


async def district_key(w: Work, keyring: Keyring, purpose: Purpose, district: str) -> WrappingKey:
    """The key that wraps the district's new data keys; a district's first is made here."""
    if loaded := keyring.find_district(purpose, district):
        return loaded
    assert 0 < len(district) <= DISTRICT_CHARS_MAX, district
    # One maker at a time: whoever waited finds the other's row below.
    await w.execute("SELECT pg_advisory_xact_lock($1)", KEY_TABLE_LOCK)
    rows = await w.fetch(
        f"SELECT {_COLUMNS}, {IS_UNCOMMITTED} AS is_uncommitted FROM vault_crypto_key"
        " WHERE level = 2 AND purpose = $1 AND district = $2 AND status = 'primary'",
        purpose,
        district,
    )
    if rows:
        return _admitted(keyring, rows[0])
    (top,) = await w.fetch("SELECT max(id) AS id FROM vault_crypto_key")
    parent = keyring.purpose(purpose)
    row = new_row(parent, top["id"] + 1, level=2, purpose=purpose, district=district)
    await w.execute(_INSERT, *_values(row))
    return keyring.check(row)


async def load_key(keyring: Keyring, key_id: int) -> WrappingKey:
    """A key that was made after this process had opened its keyring. Raises KeyTableBroken."""
    rows = await fetch(
        f"SELECT {_COLUMNS}, {IS_UNCOMMITTED} AS is_uncommitted FROM vault_crypto_key"
        " WHERE id = $1 AND status <> ALL('{disabled,destroyed}')",
        key_id,
    )
    if not rows:
        raise KeyTableBroken(key=key_id)
    return _admitted(keyring, rows[0])


def _admitted(keyring: Keyring, record: Record) -> WrappingKey:
    row = _key_row(record)
    if record["is_uncommitted"]:
        return keyring.check(row)
    return keyring.admit(row) or keyring.check(row)


def _key_row(record: Record) -> KeyRow:
    values = {name.strip(): record[name.strip()] for name in _COLUMNS.split(",")}
    return KeyRow(**{**values, "status": KeyStatus(values["status"])})


def _values(row: KeyRow) -> tuple[object, ...]:
    return tuple(getattr(row, name.strip()) for name in _COLUMNS.split(","))


def _decoded(text: bytes) -> bytes:
    try:
        secret = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise RootKeyUnsafe from None
    if len(secret) != KEY_BYTES:
        raise RootKeyUnsafe
    return secret
