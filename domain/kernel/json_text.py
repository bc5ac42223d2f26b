"""JSON from strangers: parsed within bounds, or refused with a stable code; never a bug.

Promises: at most ``DEPTH_MAX`` levels, finite numbers of at most ``DIGITS_MAX`` digits, UTF-8 only,
no key twice in an object, no lone surrogate and no NUL in any text. Every reader of what comes from
outside uses it, so that two doors never disagree on what a body says.
"""

from __future__ import annotations

import json
import math
import re
from typing import ClassVar, NoReturn

from domain.kernel.errors import Invalid
from domain.kernel.streams import Json

DEPTH_MAX = 32
"""Levels of arrays and objects. Inputs of ours nest six deep; far more is an attack."""
DIGITS_MAX = 40
"""Digits in a row of one number: doubles need 17; Python allows 4,300, which cost time."""


class BadJson(Invalid):
    """A body or frame that is no JSON text of ours; subclasses say why."""

    code: ClassVar[str] = "json.syntax"

    def __init__(self, **params: int) -> None:
        super().__init__("body", **params)


class JsonTooLarge(BadJson):
    """More bytes than the door allows; ``max`` says how many."""

    code: ClassVar[str] = "json.too_large"


class JsonNotUtf8(BadJson):
    """Bytes that are not UTF-8 (RFC 8259 §8.1)."""

    code: ClassVar[str] = "json.not_utf8"


class JsonTooDeep(BadJson):
    """More nested than ``max`` levels."""

    code: ClassVar[str] = "json.too_deep"


class JsonNumber(BadJson):
    """A number of too many digits, or beyond every double."""

    code: ClassVar[str] = "json.number"


class JsonDuplicateKey(BadJson):
    """An object with the same key twice: readers would disagree on its value (RFC 8259 §4)."""

    code: ClassVar[str] = "json.duplicate_key"


class JsonCharacter(BadJson):
    """A NUL or a lone surrogate in a text: neither can be stored nor sent on."""

    code: ClassVar[str] = "json.bad_character"


def parse_json(raw: bytes, *, bytes_max: int) -> Json:
    """The value that the bytes spell. Raises a ``BadJson`` for whatever else they are."""
    if len(raw) > bytes_max:
        raise JsonTooLarge(max=bytes_max)
    _ensure_bounded(raw)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise JsonNotUtf8 from None
    try:
        value: Json = _DECODER.decode(text)
    except ValueError:
        raise BadJson from None
    if "\\u" in text:
        _ensure_characters(value)
    return value


_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_LONG_NUMBER = re.compile(rb"[0-9]{%d}" % (DIGITS_MAX + 1))
_BAD_CHARACTER = re.compile("[\0\ud800-\udfff]")
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def _ensure_bounded(raw: bytes) -> None:
    # Counting is done in C and clears nearly every body; only a suspect one is looked at closely.
    is_deep = raw.count(b"[") + raw.count(b"{") > DEPTH_MAX
    is_long = _LONG_NUMBER.search(raw) is not None
    if not is_deep and not is_long:
        return
    structure = _STRING.sub(b'""', raw)
    if is_long and _LONG_NUMBER.search(structure):
        raise JsonNumber(max=DIGITS_MAX)
    depth = 0
    for byte in structure:
        depth += _STEP.get(byte, 0)
        if depth > DEPTH_MAX:
            raise JsonTooDeep(max=DEPTH_MAX)


def _ensure_characters(value: Json) -> None:
    if isinstance(value, str):
        if _BAD_CHARACTER.search(value):
            raise JsonCharacter
    elif isinstance(value, list):
        for item in value:
            _ensure_characters(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            _ensure_characters(key)
            _ensure_characters(item)


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise JsonDuplicateKey
    return found


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise JsonNumber(max=DIGITS_MAX)
    return value


def _refuse_constant(_text: str) -> NoReturn:
    raise BadJson  # NaN and Infinity are Python's, not JSON's


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_number, parse_constant=_refuse_constant
)
