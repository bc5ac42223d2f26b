"""The start fails closed: no, wrong or unsafe root key, or a broken key table, stops it."""

from __future__ import annotations

import asyncio
import base64
import os
import stat
from pathlib import Path

import asyncpg
import pytest

from domain.kernel.database import fetch
from domain.vault.custody import (
    KeysExist,
    RootKeyFile,
    RootKeyMissing,
    RootKeyUnsafe,
    RootKeyVariable,
    init_keys,
    open_keyring,
)
from domain.vault.keyring import (
    FEDERATION,
    Keyring,
    KeysNotInitialised,
    KeyTableBroken,
    RootKeyWrong,
    new_hierarchy,
)
from domain.vault.models import Purpose


@pytest.fixture
def root_file(tmp_path: Path) -> RootKeyFile:
    return RootKeyFile(tmp_path / "keys" / "root.key")


async def test_init_makes_the_root_once_and_opening_finds_the_same_keys(
    database: str, root_file: RootKeyFile
) -> None:
    made = await init_keys(root_file)
    opened = await open_keyring(root_file)

    assert stat.S_IMODE(root_file.path.stat().st_mode) == 0o600
    for purpose in Purpose:
        first, again = (ring.find_district(purpose, FEDERATION) for ring in (made, opened))
        assert first is not None
        assert again is not None
        assert again.unwrap(first.wrap(bytes(32))) == bytes(32)


async def test_opening_never_makes_a_root(database: str, root_file: RootKeyFile) -> None:
    with pytest.raises(RootKeyMissing):
        await open_keyring(root_file)

    assert not root_file.path.exists()
    assert not await fetch("SELECT 1 FROM vault_crypto_key")


async def test_opening_without_stored_keys_is_refused(
    database: str, root_file: RootKeyFile
) -> None:
    root_file.create()

    with pytest.raises(KeysNotInitialised):
        await open_keyring(root_file)


async def test_a_second_init_is_refused_even_when_the_root_is_lost(
    database: str, root_file: RootKeyFile
) -> None:
    await init_keys(root_file)
    before = await fetch("SELECT id, kcv FROM vault_crypto_key ORDER BY id")
    root_file.path.unlink()

    with pytest.raises(KeysExist):
        await init_keys(root_file)

    assert not root_file.path.exists()
    assert await fetch("SELECT id, kcv FROM vault_crypto_key ORDER BY id") == before


async def test_two_inits_at_once_make_one_hierarchy(database: str, root_file: RootKeyFile) -> None:
    root_file.create()

    outcomes = await asyncio.gather(
        init_keys(root_file), init_keys(root_file), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes if isinstance(outcome, Exception)] == [KeysExist]
    await open_keyring(root_file)


async def test_a_wrong_root_key_stops_the_start(database: str, root_file: RootKeyFile) -> None:
    await init_keys(root_file)
    wrong = RootKeyVariable({"ROOT": base64.b64encode(os.urandom(32)).decode()}, "ROOT")

    with pytest.raises(RootKeyWrong):
        await open_keyring(wrong)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o700, 0o644])
def test_a_file_that_others_may_read_is_refused(root_file: RootKeyFile, mode: int) -> None:
    root_file.create()
    root_file.path.chmod(mode)

    with pytest.raises(RootKeyUnsafe):
        root_file.load()


@pytest.mark.parametrize("content", [b"", b"short", base64.b64encode(bytes(31)), b"\xff" * 44])
def test_a_file_that_is_no_key_is_refused(root_file: RootKeyFile, content: bytes) -> None:
    root_file.create()
    root_file.path.write_bytes(content)

    with pytest.raises(RootKeyUnsafe):
        root_file.load()


def test_an_existing_file_is_never_overwritten(root_file: RootKeyFile) -> None:
    root_file.create()

    with pytest.raises(KeysExist):
        root_file.create()


def test_a_variable_gives_a_key_but_makes_none() -> None:
    text = base64.b64encode(bytes(range(32))).decode()

    assert RootKeyVariable({"ROOT": text}, "ROOT").load() == bytes(range(32))
    with pytest.raises(RootKeyMissing):
        RootKeyVariable({}, "ROOT").load()
    with pytest.raises(RootKeyMissing):
        RootKeyVariable({}, "ROOT").create()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE vault_crypto_key SET wrapped = set_byte(wrapped, 3, get_byte(wrapped, 3) # 1)"
        " WHERE id = 5",
        "UPDATE vault_crypto_key SET kcv = set_byte(kcv, 0, get_byte(kcv, 0) # 1) WHERE id = 5",
        "UPDATE vault_crypto_key SET wrapped = NULL WHERE id = 5",
        # A key moved to another purpose's place is not taken for that purpose's.
        "UPDATE vault_crypto_key SET purpose = 'export' WHERE id = 5",
        "UPDATE vault_crypto_key a SET wrapped = b.wrapped, kcv = b.kcv FROM vault_crypto_key b"
        " WHERE a.id = 4 AND b.id = 6",
    ],
)
async def test_a_damaged_key_table_stops_the_start(
    database: str, root_file: RootKeyFile, damage: str
) -> None:
    await init_keys(root_file)
    owner = await asyncpg.connect(database)
    await owner.execute(damage)
    await owner.close()

    with pytest.raises(KeyTableBroken):
        await open_keyring(root_file)


async def test_a_purpose_that_a_new_version_brings_gets_its_key_at_the_start(
    database: str, root_file: RootKeyFile
) -> None:
    await init_keys(root_file)
    owner = await asyncpg.connect(database)
    await owner.execute("DELETE FROM vault_crypto_key WHERE purpose = 'files'")
    await owner.close()

    await asyncio.gather(*(open_keyring(root_file) for _ in range(3)))

    rows = await fetch("SELECT level FROM vault_crypto_key WHERE purpose = 'files' ORDER BY level")
    assert [row["level"] for row in rows] == [1, 2]


def test_keys_out_of_use_are_not_loaded() -> None:
    rows = list(new_hierarchy(bytes(32)))

    ring = Keyring(bytes(32), rows)

    assert ring.find(rows[-1].id) is not None
    assert ring.find(10_000) is None
    assert "0" * 16 not in repr(ring)
