"""What people type arrives in one spelling, or nowhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.access.identifiers import (
    ID_NUMBER,
    PHONE,
    canonical_id_number,
    canonical_phone,
    id_number_check,
    parse_identifier,
)


@pytest.mark.parametrize(
    "typed",
    [
        "13800138000",
        " 138 0013 8000 ",
        "138-0013-8000",
        "+86 13800138000",
        "8613800138000",
        "0086-138-0013-8000",
        "１３８００１３８０００",
        "＋８６１３８００１３８０００",
    ],
)
def test_every_way_of_typing_a_phone_is_one(typed: str) -> None:
    assert canonical_phone(typed) == "13800138000"


@pytest.mark.parametrize(
    "typed", ["", "12000138000", "1380013800", "138001380000", "١٣٨٠٠١٣٨٠٠٠", "13800x38000"]
)
def test_what_is_no_phone_is_none(typed: str) -> None:
    assert canonical_phone(typed) is None


@pytest.mark.parametrize(
    "typed",
    [
        "11010519491231002X",
        "11010519491231002x",
        "１１０１０５１９４９１２３１００２Ｘ",
        "110105 19491231 002X",
        "110105491231002",
    ],
)
def test_every_way_of_typing_an_identity_number_is_one(typed: str) -> None:
    assert canonical_id_number(typed) == "11010519491231002X"


@pytest.mark.parametrize(
    "typed", ["110105194912310021", "11010519491231002", "01010519491231002X", "X10105194912310020"]
)
def test_a_wrong_identity_number_is_none(typed: str) -> None:
    assert canonical_id_number(typed) is None


def test_the_check_character_is_that_of_the_standard() -> None:
    assert id_number_check("11010519491231002") == "X"
    assert id_number_check("44052418800101001") == "4"


@given(st.text(max_size=80))
def test_anything_typed_becomes_something_to_look_for(typed: str) -> None:
    found = parse_identifier(typed)

    assert found.column in (PHONE, ID_NUMBER)
    is_real = canonical_phone(typed) or canonical_id_number(typed)
    assert found.canonical.startswith("?") != bool(is_real)
