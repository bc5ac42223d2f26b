"""Paths, credit codes, places, seats: no loop, no database."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.kernel.actor import path_end
from domain.org import rules
from domain.org.models import Level


@pytest.mark.parametrize(
    "text",
    [
        "91110000600037341L",
        "81320585MC0000012D",
        " 91110000-600037341l ",
        "９１１１００００６０００３７３４１Ｌ",
    ],
)
def test_a_right_credit_code_is_accepted_in_any_spelling(text: str) -> None:
    assert len(rules.clean_credit_code(text, "uscc")) == 18


@pytest.mark.parametrize(
    "text",
    [
        "91350100M000100Y4Z",  # a worked example of the web, whose check character should be 3
        "911100006000373410",
        "91110000600037341",
        "91110000600037341LL",
        "9111000060003734IL",
        "9135010OM000100Y43",
        "٩١110000600037341L",
        "",
    ],
)
def test_a_wrong_credit_code_is_refused(text: str) -> None:
    with pytest.raises(rules.BadCreditCode):
        rules.clean_credit_code(text, "uscc")


def test_a_sum_divisible_by_31_gives_the_check_character_0() -> None:
    found = [
        first
        for n in range(200)
        if rules.credit_check_character(first := f"81320585MC{n:06d}1"[:17]) == "0"
    ]

    assert found
    for first in found:
        total = sum(
            "0123456789ABCDEFGHJKLMNPQRTUWXY".index(char) * pow(3, place, 31)
            for place, char in enumerate(first)
        )
        assert total % 31 == 0


def test_a_wrong_organisation_code_inside_is_refused_though_the_whole_sums_up() -> None:
    first = "81320585MC0000013"  # the organisation code's own check character is 2

    with pytest.raises(rules.BadCreditCode):
        rules.clean_credit_code(first + rules.credit_check_character(first), "uscc")


def test_the_prefix_of_a_unions_code_fits_its_level() -> None:
    assert rules.clean_union_credit_code("81320585MC0000012D", Level.GRASSROOTS, "uscc")
    with pytest.raises(rules.BadCreditCode):
        rules.clean_union_credit_code("81320585MC0000012D", Level.ZONE, "uscc")


@given(st.integers(1, 2**40), st.integers(1, 2**40))
def test_a_path_range_holds_exactly_the_paths_below(one: int, other: int) -> None:
    parent = rules.path_below("/", rules.path_segment(one))
    below = rules.path_below(parent, rules.path_segment(other))
    beside = rules.path_below("/", rules.path_segment(other))

    assert parent <= below < path_end(parent)
    assert (parent <= beside < path_end(parent)) == (one == other)
    assert rules.own_segment(below) == rules.path_segment(other)


def test_a_path_that_would_not_fit_its_column_is_refused() -> None:
    with pytest.raises(rules.BadParent):
        rules.path_below("/" + "abcd/" * 80, "0001")


@pytest.mark.parametrize(
    ("level", "territory", "line", "fits"),
    [
        (Level.ZONE, Level.FEDERATION, None, True),
        (Level.ZONE, Level.GRASSROOTS, None, False),
        (Level.ZONE, Level.FEDERATION, Level.LINE, False),
        (Level.LINE, Level.FEDERATION, Level.FEDERATION, True),
        (Level.LINE, Level.FEDERATION, None, False),
        (Level.GRASSROOTS, Level.ZONE, None, True),
        (Level.GRASSROOTS, Level.ZONE, Level.LINE, True),
        (Level.GRASSROOTS, Level.ZONE, Level.FEDERATION, False),
        (Level.GRASSROOTS, Level.GRASSROOTS, None, True),
        (Level.GRASSROOTS, Level.LINE, None, False),
        (Level.FEDERATION, Level.FEDERATION, None, False),
    ],
)
def test_each_level_stands_only_under_its_own_kinds_of_parent(
    level: Level, territory: Level, line: Level | None, fits: bool
) -> None:
    with nullcontext() if fits else pytest.raises(rules.BadParent):
        rules.ensure_fits(level, territory=territory, line=line)


def test_nothing_stands_below_itself() -> None:
    rules.ensure_no_cycle("/1/5/", "/1/57/")
    rules.ensure_no_cycle(None, "/1/")
    for parent in ("/1/5/", "/1/5/9/"):
        with pytest.raises(rules.MatrixCycle):
            rules.ensure_no_cycle("/1/5/", parent)


def test_a_seat_is_held_from_its_first_day_and_no_longer_on_its_end() -> None:
    first, end = date(2026, 3, 1), date(2026, 3, 3)

    held = [rules.is_in_force(first, end, date(2026, 3, day)) for day in (1, 2, 3)]

    assert held == [True, True, False]
    assert not rules.is_in_force(first, None, date(2026, 2, 28))
    assert not rules.is_in_force(first, first, first)


def test_the_day_turns_at_midnight_in_the_federations_zone() -> None:
    assert rules.federation_day(datetime(2026, 11, 23, 15, 59, tzinfo=UTC)) == date(2026, 11, 23)
    assert rules.federation_day(datetime(2026, 11, 23, 16, 0, tzinfo=UTC)) == date(2026, 11, 24)
