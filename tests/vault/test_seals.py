"""A seal opens where it was made and nowhere else."""

from __future__ import annotations

import os
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.vault.seals import OVERHEAD_BYTES, DataKey, SealBroken, packed

ROW = uuid4()
KEY = DataKey(uuid4(), os.urandom(32))


def seal(text: str, *, row: UUID = ROW, extra: tuple[str, ...] = ()) -> bytes:
    return KEY.seal(text, table="member", column="name", row_id=row, extra=extra)


def unseal(blob: bytes, *, row: UUID = ROW, extra: tuple[str, ...] = ()) -> str:
    return KEY.open(blob, table="member", column="name", row_id=row, extra=extra)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_what_was_sealed_opens_unchanged(text: str) -> None:
    assert unseal(seal(text)) == text


def test_every_flipped_bit_of_a_blob_breaks_it() -> None:
    blob = seal("艾力·买买提")

    for place in range(len(blob)):
        for bit in range(8):
            bad = bytearray(blob)
            bad[place] ^= 1 << bit
            with pytest.raises(SealBroken):
                unseal(bytes(bad))


@pytest.mark.parametrize("length", range(40))
def test_a_blob_cut_short_breaks(length: int) -> None:
    with pytest.raises(SealBroken):
        unseal(seal("x")[:length])


def test_a_blob_moved_to_another_row_breaks() -> None:
    mine, other = uuid4(), uuid4()
    blobs = {mine: seal("甲", row=mine), other: seal("乙", row=other)}

    with pytest.raises(SealBroken):
        unseal(blobs[mine], row=other)
    with pytest.raises(SealBroken):
        unseal(blobs[other], row=mine)


def test_a_blob_moved_to_another_column_or_table_breaks() -> None:
    blob = seal("13800138000")

    with pytest.raises(SealBroken):
        KEY.open(blob, table="member", column="phone", row_id=ROW)
    with pytest.raises(SealBroken):
        KEY.open(blob, table="consultation_message", column="body", row_id=ROW)


def test_extra_parts_are_bound_and_cannot_be_regrouped() -> None:
    blob = seal("x", extra=("a", "bc"))

    assert unseal(blob, extra=("a", "bc")) == "x"
    for other in [(), ("ab", "c"), ("a", "bc", ""), ("abc",), ("bc", "a")]:
        with pytest.raises(SealBroken):
            unseal(blob, extra=other)


def test_another_key_does_not_open_it_even_with_the_same_id() -> None:
    impostor = DataKey(KEY.id, os.urandom(32))

    with pytest.raises(SealBroken):
        impostor.open(seal("x"), table="member", column="name", row_id=ROW)


def test_a_broken_seal_is_an_alarm_that_names_ids_only(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SealBroken) as caught:
        unseal(seal("秘密")[:-1] + b"\x00")

    (alarm,) = caplog.records
    assert alarm.levelname == "CRITICAL"
    assert str(ROW) in alarm.message
    assert "秘密" not in alarm.message + repr(caught.value)


def test_short_texts_of_one_column_have_one_length() -> None:
    lengths = {len(seal(name)) for name in ["", "王芳", "欧阳娜娜", "a" * 15]}

    assert lengths == {OVERHEAD_BYTES + 16}


def test_two_seals_of_one_text_differ() -> None:
    assert seal("x") != seal("x")


def test_an_unregistered_column_is_a_bug() -> None:
    with pytest.raises(AssertionError, match=r"columns\.py"):
        KEY.seal("x", table="member", column="nickname", row_id=ROW)


def test_a_key_shows_nothing_of_itself() -> None:
    secret = os.urandom(32)

    assert repr(DataKey(ROW, secret)) == f"<DataKey {ROW}>"


@given(st.lists(st.binary(max_size=4)), st.lists(st.binary(max_size=4)))
def test_no_two_tuples_pack_alike(one: list[bytes], other: list[bytes]) -> None:
    assert (packed(*one) == packed(*other)) == (one == other)
