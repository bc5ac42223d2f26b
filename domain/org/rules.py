"""Rules of the organisation: paths of the matrix, who may stand under whom, credit codes, seats."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import ClassVar

from domain.kernel.clock import FEDERATION_ZONE
from domain.kernel.errors import Conflict, Invalid
from domain.kernel.fields import PATH_CHARS_MAX
from domain.kernel.texts import fold_identifier
from domain.org.models import Level

_SEGMENT_DIGITS = "0123456789abcdefghijklmnopqrstuv"
SEGMENT_CHARS_MIN = 4
"""A million unions before segments grow: until then paths sort in the order of founding."""

TERRITORY_PARENTS = {
    Level.FEDERATION: frozenset[Level](),
    Level.ZONE: frozenset({Level.FEDERATION, Level.ZONE}),
    Level.LINE: frozenset({Level.FEDERATION}),
    Level.GRASSROOTS: frozenset({Level.FEDERATION, Level.ZONE, Level.GRASSROOTS}),
}
"""A grassroots union may stand under a village or zone association (工会联合会)."""
LINE_PARENTS = {
    Level.FEDERATION: frozenset[Level](),
    Level.ZONE: frozenset[Level](),
    Level.LINE: frozenset({Level.FEDERATION, Level.LINE}),
    Level.GRASSROOTS: frozenset({Level.LINE, Level.GRASSROOTS}),
}


class BadParent(Invalid):
    """A union of this level cannot stand under that one."""

    code: ClassVar[str] = "org.bad_parent"


class MatrixCycle(Conflict):
    """The union would stand below itself."""

    code: ClassVar[str] = "org.cycle"


class BadCreditCode(Invalid):
    """Not a unified social credit code (统一社会信用代码), GB 32100."""

    code: ClassVar[str] = "org.bad_credit_code"


class BadPeriod(Invalid):
    """The last day lies before the first."""

    code: ClassVar[str] = "org.bad_period"


class BadCount(Invalid):
    """A count below zero, or signed contracts above the head count."""

    code: ClassVar[str] = "org.bad_count"


class BadCountry(Invalid):
    """Not a two-letter country code (ISO 3166-1)."""

    code: ClassVar[str] = "org.bad_country"


def path_segment(seq: int) -> str:
    """A union's own segment: its number in base 32, which sorts as the number does."""
    assert seq > 0, seq
    digits = ""
    while seq:
        seq, digit = divmod(seq, 32)
        digits = _SEGMENT_DIGITS[digit] + digits
    return digits.rjust(SEGMENT_CHARS_MIN, "0")


def path_below(parent: str, segment: str) -> str:
    """The path of a union with this segment under ``parent`` ("/" for the root)."""
    path = f"{parent}{segment}/"
    if len(path) > PATH_CHARS_MAX:
        raise BadParent("parent")
    return path


def own_segment(path: str) -> str:
    """The last segment of a path."""
    return path.rsplit("/", 2)[1]


def ensure_fits(level: Level, *, territory: Level | None, line: Level | None) -> None:
    """Pass if a union of this level may stand under parents of those. Raises BadParent."""
    if level is Level.FEDERATION:
        # There is one, and it is founded with the database.
        raise BadParent("level")
    if territory not in TERRITORY_PARENTS[level]:
        raise BadParent("territoryParent")
    if line is None and level is Level.LINE:
        raise BadParent("lineParent")
    if line is not None and line not in LINE_PARENTS[level]:
        raise BadParent("lineParent")


def ensure_no_cycle(path: str | None, parent_path: str | None) -> None:
    """Pass if the new parent is neither the union itself nor below it. Raises MatrixCycle."""
    if path is not None and parent_path is not None and parent_path.startswith(path):
        raise MatrixCycle


# GB 32100-2015: no I, O, S, V, Z; the value of a character is its place.
_CREDIT_CHARS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT_WEIGHTS = tuple(pow(3, place, 31) for place in range(17))
_CREDIT_CODE = re.compile(rf"[{_CREDIT_CHARS}]{{2}}[0-9]{{6}}[{_CREDIT_CHARS}]{{10}}")
# GB 11714: the organisation code inside it (characters 9 to 17) has a check character of its own,
# over the full alphabet.
_ORGANISATION_CHARS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
GRASSROOTS_CREDIT_PREFIX = "81"
"""Authority 8 (trade unions), kind 1 (grassroots union); other union bodies have 89."""


def credit_check_character(first_17: str) -> str:
    """The 18th character of a credit code. Σ mod 31 = 0 gives "0": 31 wraps around."""
    total = sum(
        _CREDIT_CHARS.index(char) * weight
        for char, weight in zip(first_17, _CREDIT_WEIGHTS, strict=True)
    )
    return _CREDIT_CHARS[(31 - total % 31) % 31]


def organisation_check_character(first_8: str) -> str:
    """The 9th character of an organisation code."""
    total = sum(
        _ORGANISATION_CHARS.index(char) * weight
        for char, weight in zip(first_8, _ORGANISATION_WEIGHTS, strict=True)
    )
    return "0123456789X0"[11 - total % 11]


def clean_credit_code(text: str, field: str) -> str:
    """The code in its canonical spelling. Raises BadCreditCode."""
    code = fold_identifier(text, field=field)
    if _CREDIT_CODE.fullmatch(code) is None:
        raise BadCreditCode(field)
    if credit_check_character(code[:17]) != code[17]:
        raise BadCreditCode(field)
    if organisation_check_character(code[8:16]) != code[16]:
        raise BadCreditCode(field)
    return code


def clean_union_credit_code(text: str, level: Level, field: str) -> str:
    """A union's own code, whose prefix must fit its level. Raises BadCreditCode."""
    code = clean_credit_code(text, field)
    if (level is Level.GRASSROOTS) != code.startswith(GRASSROOTS_CREDIT_PREFIX):
        raise BadCreditCode(field)
    return code


def clean_country(text: str | None, field: str) -> str | None:
    """A country code in upper case, or None. Raises BadCountry."""
    if text is None:
        return None
    country = fold_identifier(text, field=field)
    if re.fullmatch(r"[A-Z]{2}", country) is None:
        raise BadCountry(field)
    return country


def ensure_counts(head_count: int, contracts_signed: int) -> None:
    """Pass if 0 ≤ signed ≤ head count. Raises BadCount."""
    if head_count < 0:
        raise BadCount("headCount")
    if not 0 <= contracts_signed <= head_count:
        raise BadCount("contractsSigned")


def ensure_period(from_on: date | None, to_on: date | None, field: str) -> None:
    """Pass if the period does not end before it begins. Raises BadPeriod."""
    if from_on is not None and to_on is not None and to_on < from_on:
        raise BadPeriod(field)


def federation_day(now: datetime) -> date:
    """The day it is where the federation is."""
    return now.astimezone(FEDERATION_ZONE).date()


def is_in_force(from_on: date, to_on: date | None, day: date) -> bool:
    """Whether a seat is held on the day: from its first day, no longer on ``to_on``."""
    return from_on <= day and (to_on is None or day < to_on)
