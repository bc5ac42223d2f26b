"""What people type to say who they are: phone and identity numbers in one canonical spelling.

The canonical spelling is what blind indexes are made of: full-width digits, spaces, +86 and the
fifteen-digit numbers of before 1999 (GB 11643) all meet in one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from domain.kernel.errors import DomainError
from domain.kernel.texts import fold_identifier

_PHONE = re.compile(r"1[3-9][0-9]{9}")
_ID_18 = re.compile(r"[1-9][0-9]{16}[0-9X]")
_ID_15 = re.compile(r"[1-9][0-9]{14}")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
PHONE = "account.phone"
ID_NUMBER = "account.id_number"


@dataclass(frozen=True, slots=True)
class Identifier:
    """A folded identifier and the index column in which it would be found."""

    column: str
    canonical: str


def canonical_phone(text: str) -> str | None:
    """A mainland mobile number as eleven ASCII digits, else None."""
    folded = _folded(text)
    for prefix in ("+86", "0086", "86"):
        if folded.startswith(prefix) and len(folded) == 11 + len(prefix):
            folded = folded[len(prefix) :]
    return folded if _PHONE.fullmatch(folded) else None


def canonical_id_number(text: str) -> str | None:
    """An identity number (公民身份号码) as eighteen characters, checksum right, else None."""
    folded = _folded(text)
    if _ID_15.fullmatch(folded):
        body = f"{folded[:6]}19{folded[6:]}"
        return body + id_number_check(body)
    if _ID_18.fullmatch(folded) and id_number_check(folded[:17]) == folded[17]:
        return folded
    return None


def id_number_check(body: str) -> str:
    """The check character of seventeen digits (GB 11643, ISO 7064 MOD 11-2)."""
    return _CHECKS[sum(int(d) * w for d, w in zip(body, _WEIGHTS, strict=True)) % 11]


def parse_identifier(text: str) -> Identifier:
    """Whatever was typed, as something to look for; nonsense becomes a phone that nobody has."""
    if phone := canonical_phone(text):
        return Identifier(PHONE, phone)
    if id_number := canonical_id_number(text):
        return Identifier(ID_NUMBER, id_number)
    return Identifier(PHONE, f"?{_folded(text)}")


def _folded(text: str) -> str:
    try:
        return fold_identifier(text, field="identifier")
    except DomainError:
        return ""
