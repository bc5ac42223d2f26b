"""Texts at the door: what PostgreSQL or a reader cannot bear is refused; identifiers are folded.

Free text keeps every character its writer chose (``·``, four-byte characters); only identifiers
are normalised (NFKC: full-width digits become ASCII).
"""

from __future__ import annotations

import re
import unicodedata
from typing import ClassVar

from domain.kernel.errors import Invalid

_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SEPARATORS = re.compile(r"[\s\-\u2010-\u2015\u00a0]+")


class BadText(Invalid):
    """A text with NUL, a lone surrogate or another control character."""

    code: ClassVar[str] = "text.bad_character"


class TextTooLong(Invalid):
    """A text over its bound; ``max`` says how many characters are allowed."""

    code: ClassVar[str] = "text.too_long"


class TextMissing(Invalid):
    """A text that is empty or white space only."""

    code: ClassVar[str] = "text.missing"


def is_storable(value: str) -> bool:
    """Whether PostgreSQL can store it: neither NUL nor a lone surrogate."""
    return _UNSTORABLE.search(value) is None


def clean_text(value: str, *, field: str, max_chars: int, required: bool = True) -> str:
    """The text without white space around it. Raises BadText, TextTooLong, TextMissing."""
    if _UNSTORABLE.search(value) or _CONTROLS.search(value):
        raise BadText(field)
    text = value.strip()
    if len(text) > max_chars:
        raise TextTooLong(field, max=max_chars)
    if required and not text:
        raise TextMissing(field)
    return text


def fold_identifier(value: str, *, field: str, max_chars: int = 64) -> str:
    """An identifier in its canonical spelling: NFKC, upper case, no spaces or hyphens."""
    if len(value) > max_chars:
        raise TextTooLong(field, max=max_chars)
    if _UNSTORABLE.search(value):
        raise BadText(field)
    return _SEPARATORS.sub("", unicodedata.normalize("NFKC", value)).upper()
