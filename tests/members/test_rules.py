"""Identity numbers, phones, names: no loop, no database."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.access.identifiers import id_number_check
from domain.kernel.texts import BadText
from domain.members import rules
from domain.members.models import IdType
from domain.members.rules import BadIdNumber, BadPhone, clean_identity, clean_phone
from tests.support.members import an_id_number

TODAY = date(2026, 11, 23)


def number(text: str, id_type: IdType = IdType.RESIDENT) -> str:
    return clean_identity(id_type, text, today=TODAY, field="idNumber").number


@pytest.mark.parametrize(
    "text",
    [
        "11010519491231002X",
        "11010519491231002x",
        "１１０１０５１９４９１２３１００２Ｘ",
        "110105 19491231 002x",
        "110105-19491231-002Ⅹ",
    ],
)
def test_one_person_has_one_spelling(text: str) -> None:
    assert number(text) == "11010519491231002X"


@pytest.mark.parametrize("text", ["440524188001010014", "110101202311012176"])
def test_right_numbers_of_any_age_and_of_retired_counties_are_accepted(text: str) -> None:
    assert number(text) == text


def test_an_old_number_of_15_digits_is_upgraded() -> None:
    assert number("110105491231002") == "11010519491231002X"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("110101202311012171", "check"),
        ("11010519491231002", "form"),
        ("11010519491231002XX", "form"),
        ("1101051949123100AX", "form"),
        ("", "form"),
        ("110105194902310029", "date"),
        ("110105209912310029", "date"),
        ("990105194912310029", "region"),
        ("810000199408230021", "region"),  # a permit, not a resident's card
        ("110105490231002", "date"),
    ],
)
def test_a_wrong_number_says_what_to_look_at(text: str, reason: str) -> None:
    with pytest.raises(BadIdNumber) as refusal:
        number(text)

    assert refusal.value.params == {"field": "idNumber", "reason": reason}


def test_digits_of_other_scripts_that_nfkc_leaves_are_no_digits() -> None:
    with pytest.raises(BadIdNumber):
        number("١١٠١٠٥١٩٤٩١٢٣١٠٠٢X")
    with pytest.raises(BadText):
        number("11010519491231002\x00")


def test_permits_of_hong_kong_macau_and_taiwan_have_the_same_check() -> None:
    for region in rules.PERMIT_REGIONS:
        first = f"{region}19940823002"
        permit = first + id_number_check(first)
        assert number(permit, IdType.HMT_PERMIT) == permit
    with pytest.raises(BadIdNumber):
        number("11010519491231002X", IdType.HMT_PERMIT)


def test_foreigners_cards_and_passports_are_read_by_their_own_form() -> None:
    assert number("usa310012345678", IdType.FOREIGN_PERMANENT) == "USA310012345678"
    assert number(" e12345678 ", IdType.PASSPORT) == "E12345678"
    for text, id_type in (
        ("USA31001234567", IdType.FOREIGN_PERMANENT),
        ("E1", IdType.PASSPORT),
        ("E1234567Ж", IdType.PASSPORT),
    ):
        with pytest.raises(BadIdNumber):
            number(text, id_type)


def test_papers_of_different_kinds_never_share_an_index() -> None:
    passport = clean_identity(IdType.PASSPORT, "110105194912310", today=TODAY, field="f")

    assert passport.indexed == "passport:110105194912310"
    assert "110105" not in repr(passport)


@given(st.integers(0, 16), st.sampled_from("0123456789"), st.integers(0, 999))
def test_any_one_wrong_digit_is_found(place: int, digit: str, sequence: int) -> None:
    right = an_id_number(sequence)
    wrong = right[:place] + digit + right[place + 1 :]

    if wrong == right:
        assert number(wrong) == right
    else:
        with pytest.raises(BadIdNumber):
            number(wrong)


@pytest.mark.parametrize(
    "text",
    [
        "13812348000",
        "+86 138 1234 8000",
        "0086-13812348000",
        "8613812348000",
        "１３８１２３４８０００",
    ],
)
def test_one_phone_has_one_spelling(text: str) -> None:
    assert clean_phone(text, "phone") == "+8613812348000"


@pytest.mark.parametrize(
    "text",
    [
        "12012345678",
        "1381234800",
        "138123480001",
        "0512-53512345",
        "+1 2025550100",
        "",
        "1064812345678",
    ],
)
def test_what_is_no_mobile_of_a_person_is_refused(text: str) -> None:
    with pytest.raises(BadPhone):
        clean_phone(text, "phone")


def test_masks_show_what_the_issue_says_and_no_more() -> None:
    identity = clean_identity(IdType.RESIDENT, "11010519491231002X", today=TODAY, field="f")

    assert identity.masked == "110105********002X"
    assert clean_identity(IdType.PASSPORT, "E12345678", today=TODAY, field="f").masked == (
        "E******78"
    )
    assert rules.mask_phone("+8613812348000") == "138****8000"
    assert rules.mask_name("王小明") == rules.mask_name("王五") == "王**"
    assert rules.mask_name("阿卜杜拉·买买提") == "阿**"
    assert rules.mask_name("𠮷田") == "𠮷**"
