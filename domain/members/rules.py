"""Rules of members: identity numbers, phones, names, and how each is masked. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from typing import ClassVar

from domain.access.identifiers import id_number_check
from domain.kernel.errors import Invalid
from domain.kernel.texts import clean_text, fold_identifier
from domain.members.models import IdType

NAME_CHARS_MAX = 50
"""Names of minorities with ``·`` and foreigners' names fit."""
# ASCII only: \d and int() would accept every script's digits.
_ID_18 = re.compile(r"[0-9]{17}[0-9X]")
_ID_15 = re.compile(r"[0-9]{15}")
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_COUNTRY_CODE = re.compile(r"(?:\+|00)?86(?=1[0-9]{10}$)")
_PASSPORT = re.compile(r"[A-Z0-9]{5,15}")
_FOREIGN_OLD = re.compile(r"[A-Z]{3}[0-9]{12}")
PROVINCES = frozenset(
    {11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46}
    | {50, 51, 52, 53, 54, 61, 62, 63, 64, 65, 71, 81, 82}
)
"""First two digits. Nothing finer: county codes were retired, their numbers live on."""
PERMIT_REGIONS = ("810000", "820000", "830000")


class BadIdNumber(Invalid):
    """Not a number of this paper; ``reason`` says what to look at: form, region, date, check."""

    code: ClassVar[str] = "members.bad_id_number"


class BadPhone(Invalid):
    """Not a mobile number of mainland China (11 digits)."""

    code: ClassVar[str] = "members.bad_phone"


@dataclass(frozen=True, slots=True)
class Identity:
    """An identity number in its canonical spelling."""

    id_type: IdType
    number: str = field(repr=False)

    @property
    def indexed(self) -> str:
        """What the blind index is made of: only residents' numbers go without their type."""
        return self.number if self.id_type is IdType.RESIDENT else f"{self.id_type}:{self.number}"

    @property
    def masked(self) -> str:
        """``320585********1234``; other papers show their first and last two characters."""
        if _ID_18.fullmatch(self.number):
            return f"{self.number[:6]}********{self.number[14:]}"
        return f"{self.number[0]}{'*' * (len(self.number) - 3)}{self.number[-2:]}"


def clean_identity(id_type: IdType, text: str, *, today: date, field: str) -> Identity:
    """The number in its canonical spelling: NFKC, ``X`` in upper case, 18 characters.

    A number of 15 digits is accepted only to be upgraded. Raises BadIdNumber.
    """
    number = fold_identifier(text, field=field)
    if id_type is IdType.PASSPORT:
        if _PASSPORT.fullmatch(number) is None:
            raise BadIdNumber(field, reason="form")
        return Identity(id_type, number)
    if id_type is IdType.FOREIGN_PERMANENT and _FOREIGN_OLD.fullmatch(number):
        return Identity(id_type, number)
    if id_type is IdType.RESIDENT and _ID_15.fullmatch(number):
        longer = f"{number[:6]}19{number[6:]}"
        number = longer + id_number_check(longer)
    _ensure_gb_11643(id_type, number, today, field)
    return Identity(id_type, number)


def clean_phone(text: str, field: str) -> str:
    """The mobile number in E.164 (``+86…``). Raises BadPhone."""
    number = _COUNTRY_CODE.sub("", fold_identifier(text, field=field))
    if _MOBILE.fullmatch(number) is None:
        raise BadPhone(field)
    return f"+86{number}"


def clean_name(text: str, field: str) -> str:
    """The name as its bearer writes it."""
    return clean_text(text, field=field, max_chars=NAME_CHARS_MAX)


def mask_name(name: str) -> str:
    """``王**``: the first character and two stars, so that the length does not tell either."""
    return f"{name[0]}**"


def mask_phone(phone: str) -> str:
    """``138****8000``."""
    number = phone.removeprefix("+86")
    return f"{number[:3]}****{number[-4:]}"


def _ensure_gb_11643(id_type: IdType, number: str, today: date, field: str) -> None:
    if _ID_18.fullmatch(number) is None:
        raise BadIdNumber(field, reason="form")
    if not _is_region_of(id_type, number):
        raise BadIdNumber(field, reason="region")
    try:
        birth_on = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise BadIdNumber(field, reason="date") from None
    if birth_on > today:
        raise BadIdNumber(field, reason="date")
    if id_number_check(number[:17]) != number[17]:
        raise BadIdNumber(field, reason="check")


def _is_region_of(id_type: IdType, number: str) -> bool:
    if id_type is IdType.HMT_PERMIT:
        return number.startswith(PERMIT_REGIONS)
    if id_type is IdType.FOREIGN_PERMANENT:
        # The card of 2023: 9, then province and country (unchecked beyond its check character).
        return number[0] == "9"
    return int(number[:2]) in PROVINCES and not number.startswith(PERMIT_REGIONS)
