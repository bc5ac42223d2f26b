"""One data key an owner: made with the work, found fast, destroyed for good."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio

from domain.kernel.actor import NOBODY
from domain.kernel.database import connection, fetch
from domain.kernel.work import Works
from domain.vault import service as vault
from domain.vault.cache import KeyCache
from domain.vault.keyring import Keyring
from domain.vault.seals import DataKey
from domain.vault.service import Purpose
from tests.support.vault import TEST_ROOT, TEST_ROWS

pytestmark = pytest.mark.usefixtures("test_keyring")


@pytest_asyncio.fixture
async def table_owner(database: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    conn = await asyncpg.connect(database)
    yield conn
    await conn.close()


async def make_key(works: Works, owner: UUID, *, district: str = "federation") -> DataKey:
    async with works.open(NOBODY) as w:
        return await vault.create_data_key(w, Purpose.MEMBER_PII, owner=owner, district=district)


def sealed(key: DataKey, row: UUID) -> bytes:
    return key.seal("甲", table="member", column="name", row_id=row)


def opened(key: DataKey, blob: bytes, row: UUID) -> str:
    return key.open(blob, table="member", column="name", row_id=row)


async def test_a_key_found_again_opens_what_was_sealed_before(
    works: Works, test_keyring: Keyring
) -> None:
    owner = uuid4()
    blob = sealed(await make_key(works, owner), owner)
    vault.install(test_keyring)  # as after a restart

    assert opened(await vault.data_key(Purpose.MEMBER_PII, owner=owner), blob, owner) == "甲"


async def test_a_key_is_usable_inside_the_work_that_makes_it(works: Works) -> None:
    owner = uuid4()
    async with works.open(NOBODY) as w:
        made = await vault.create_data_key(w, Purpose.COUNSELLING, owner=owner)
        found = await vault.data_key(Purpose.COUNSELLING, owner=owner)
    assert found.id == made.id


async def test_a_key_of_a_rolled_back_work_is_not_remembered(works: Works) -> None:
    owner = uuid4()

    async def fail() -> None:
        async with works.open(NOBODY) as w:
            await vault.create_data_key(w, Purpose.FILES, owner=owner, district="zone-3")
            await vault.data_key(Purpose.FILES, owner=owner)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    with pytest.raises(vault.KeyDestroyed):
        await vault.data_key(Purpose.FILES, owner=owner)
    # The rolled-back district key's id is given out again, to another key: none may linger.
    async with works.open(NOBODY) as w:
        await vault.create_data_key(w, Purpose.FILES, owner=owner, district="zone-4")
    await vault.data_key(Purpose.FILES, owner=owner)


async def test_purposes_of_one_owner_have_different_keys(works: Works) -> None:
    owner = uuid4()
    async with works.open(NOBODY) as w:
        one = await vault.create_data_key(w, Purpose.COUNSELLING, owner=owner)
        other = await vault.create_data_key(w, Purpose.LEGAL_AID, owner=owner)
    assert one.id != other.id


async def test_an_owner_gets_one_key_of_a_purpose(works: Works) -> None:
    owner = uuid4()
    await make_key(works, owner)

    with pytest.raises(vault.KeyExists):
        await make_key(works, owner)


async def test_a_destroyed_key_opens_nothing_and_is_not_made_anew(works: Works) -> None:
    owner = uuid4()
    await make_key(works, owner)
    await vault.data_key(Purpose.MEMBER_PII, owner=owner)

    async with works.open(NOBODY) as w:
        await vault.destroy_data_key(w, Purpose.MEMBER_PII, owner=owner)
        with pytest.raises(vault.KeyDestroyed):
            await vault.data_key(Purpose.MEMBER_PII, owner=owner)

    with pytest.raises(vault.KeyDestroyed):
        await vault.data_key(Purpose.MEMBER_PII, owner=owner)
    with pytest.raises(vault.KeyExists):
        await make_key(works, owner)
    async with works.open(NOBODY) as w:
        with pytest.raises(vault.KeyDestroyed):
            await vault.destroy_data_key(w, Purpose.MEMBER_PII, owner=owner)
    (row,) = await fetch("SELECT wrapped, destroyed_at FROM vault_dek")
    assert row["wrapped"] is None
    assert row["destroyed_at"] is not None


async def test_many_keys_come_in_one_read_without_the_destroyed_ones(
    works: Works, test_keyring: Keyring
) -> None:
    owners = [uuid4() for _ in range(50)]
    async with works.open(NOBODY) as w:
        await vault.create_data_keys(w, Purpose.MEMBER_PII, owners=owners, district="zone-1")
    async with works.open(NOBODY) as w:
        await vault.destroy_data_key(w, Purpose.MEMBER_PII, owner=owners[0])
    vault.install(test_keyring)

    found = await vault.data_keys(Purpose.MEMBER_PII, owners=[*owners, uuid4()])

    assert set(found) == set(owners[1:])


async def test_a_district_has_one_wrapping_key_for_all_its_owners(works: Works) -> None:
    for _ in range(3):
        await make_key(works, uuid4(), district="zone-7")
    await make_key(works, uuid4(), district="zone-8")

    rows = await fetch("SELECT count(DISTINCT key_id) AS n FROM vault_dek")
    assert rows[0]["n"] == 2


async def test_a_district_key_made_elsewhere_is_loaded_when_met(works: Works) -> None:
    owner = uuid4()
    blob = sealed(await make_key(works, owner, district="zone-9"), owner)
    vault.install(Keyring(TEST_ROOT, TEST_ROWS))  # as a process that started before the district

    assert opened(await vault.data_key(Purpose.MEMBER_PII, owner=owner), blob, owner) == "甲"


async def test_a_wrapped_key_transplanted_to_another_owner_is_refused(
    works: Works, table_owner: asyncpg.Connection[asyncpg.Record], test_keyring: Keyring
) -> None:
    one, other = uuid4(), uuid4()
    await make_key(works, one)
    await make_key(works, other)
    await table_owner.execute(
        "UPDATE vault_dek a SET wrapped = b.wrapped, commitment = b.commitment"
        " FROM vault_dek b WHERE a.owner_id = $1 AND b.owner_id = $2",
        one,
        other,
    )
    vault.install(test_keyring)

    with pytest.raises(vault.SealBroken):
        await vault.data_key(Purpose.MEMBER_PII, owner=one)


async def test_an_altered_wrapped_key_is_refused(
    works: Works, table_owner: asyncpg.Connection[asyncpg.Record], test_keyring: Keyring
) -> None:
    owner = uuid4()
    await make_key(works, owner)
    await table_owner.execute(
        "UPDATE vault_dek SET wrapped = set_byte(wrapped, 9, get_byte(wrapped, 9) # 4)"
    )
    vault.install(test_keyring)

    with pytest.raises(vault.SealBroken):
        await vault.data_key(Purpose.MEMBER_PII, owner=owner)


async def test_twenty_thousand_keys_are_copied_in_seconds(test_keyring: Keyring) -> None:
    owners = [uuid4() for _ in range(20_000)]
    started = time.process_time()

    made = vault.new_wrapped_keys(Purpose.MEMBER_PII, owners)
    async with connection() as conn:
        await conn.copy_records_to_table(
            "vault_dek", records=[new.row for new in made], columns=vault.DATA_KEY_COLUMNS
        )

    assert time.process_time() - started < 5
    found = await vault.data_key(Purpose.MEMBER_PII, owner=owners[-1])
    assert opened(found, sealed(made[-1].key, owners[-1]), owners[-1]) == "甲"


def test_equal_values_share_a_blind_index_within_a_column_only() -> None:
    one = vault.blind_index("member.phone", "13800138000")

    assert len(one) == 16
    assert one == vault.blind_index("member.phone", "13800138000")
    assert one != vault.blind_index("member.phone", "13800138001")
    assert one != vault.blind_index("account.phone", "13800138000")


def test_an_unregistered_index_column_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        vault.blind_index("member.shoe_size", "42")


def test_the_cache_is_bounded_in_number_and_time() -> None:
    now_s = 0.0
    cache = KeyCache(keys_max=2, ttl_s=30, monotonic_s=lambda: now_s)
    owners = [(Purpose.FILES, uuid4()) for _ in range(3)]
    keys = [DataKey(uuid4(), bytes(32)) for _ in owners]
    for owner, key in zip(owners, keys, strict=True):
        cache.keep(owner, key)

    assert cache.find(owners[0]) is None
    assert cache.find(owners[2]) is keys[2]
    now_s = 31.0
    assert cache.find(owners[2]) is None


def test_a_shunned_key_does_not_come_back_through_a_late_reader() -> None:
    now_s = 0.0
    cache = KeyCache(ttl_s=30, monotonic_s=lambda: now_s)
    owner, key = (Purpose.FILES, uuid4()), DataKey(uuid4(), bytes(32))
    cache.keep(owner, key)

    cache.shun(owner)
    cache.keep(owner, key)

    assert cache.find(owner) is None
