"""What comes from outside is JSON within bounds, or a stable code."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.kernel.json_text import DEPTH_MAX, DIGITS_MAX, BadJson, parse_json

BYTES_MAX = 65_536

REFUSED = {
    "json.syntax": [
        *(b"", b"{", b"nul", b"{} {}", b"NaN", b"[Infinity]", b'"\\', b"'a'", b"[1,]"),
        *(b"\xef\xbb\xbf{}", b'"\x00"', '{"a":1}'.encode("utf-16")[2:]),
    ],
    "json.too_large": [b'"' + b"x" * BYTES_MAX + b'"'],
    "json.not_utf8": [b'"\xff"', '{"a":1}'.encode("utf-16"), b'"\xed\xa0\x80"'],
    "json.too_deep": [b"[" * 30_000, b"[" * 33 + b"]" * 33, b'{"a":' * 33 + b"1" + b"}" * 33],
    "json.number": [b"1" * 5_000, b"-" + b"9" * 41, b"1e999", b'{"a":[1e-1,1e400]}'],
    "json.duplicate_key": [b'{"a":1,"a":2}', b'[{"b":{"a":1,"\\u0061":1}}]'],
    "json.bad_character": [b'"\\ud800"', b'{"a":["\\u0000"]}', b'{"\\udc00":1}'],
}


@pytest.mark.parametrize(
    ("code", "raw"), [(code, raw) for code, raws in REFUSED.items() for raw in raws]
)
def test_what_is_out_of_bounds_has_a_stable_code(code: str, raw: bytes) -> None:
    with pytest.raises(BadJson) as refusal:
        parse_json(raw, bytes_max=BYTES_MAX)

    assert refusal.value.code == code


@pytest.mark.parametrize(
    "value",
    [
        *(None, 1, "x", [], {}, [[]], {"a": {"b": [1.5, -2, True]}}, "·𠮷１３８", "\\u0000"),
        *("1" * 99, "{[" * 500, '"' * 99),
    ],
)
def test_what_is_in_bounds_is_what_it_says(value: object) -> None:
    assert parse_json(json.dumps(value).encode(), bytes_max=BYTES_MAX) == value
    assert parse_json(json.dumps(value, ensure_ascii=False).encode(), bytes_max=BYTES_MAX) == value


def test_the_edges_themselves_are_in_bounds() -> None:
    deepest = b"[" * DEPTH_MAX + b"]" * DEPTH_MAX
    assert parse_json(deepest, bytes_max=len(deepest)) is not None
    assert parse_json(b"9" * DIGITS_MAX, bytes_max=BYTES_MAX) == int("9" * DIGITS_MAX)


@given(st.binary(max_size=200))
def test_no_bytes_whatever_are_a_bug(raw: bytes) -> None:
    try:
        value = parse_json(raw, bytes_max=BYTES_MAX)
    except BadJson:
        return
    assert json.loads(raw) == value


@pytest.mark.parametrize(
    "piece", [b"[", b'{"a":', b'"', b'\\"', b'"\\', b"1", b'"\\u0041",', b"\\"]
)
def test_hostile_repetition_costs_milliseconds_at_most(piece: bytes) -> None:
    raw = piece * (BYTES_MAX // len(piece))
    started = time.perf_counter()
    with pytest.raises(BadJson):
        parse_json(raw, bytes_max=BYTES_MAX)

    assert time.perf_counter() - started < 0.2
