"""Identifiers: UUIDv7 (RFC 9562 §5.7), made here so that a row's id exists before its insert."""

from __future__ import annotations

import os
import threading
import time
from uuid import UUID

_lock = threading.Lock()
_last_ms = 0
_sequence = 0
# 12 bits of rand_a serve as a counter within one millisecond (RFC 9562 §6.2, method 1).
_SEQUENCE_MAX = 0xFFF


def new_id() -> UUID:
    """A UUIDv7, strictly increasing within this process."""
    global _last_ms, _sequence
    with _lock:
        now_ms = time.time_ns() // 1_000_000
        if now_ms > _last_ms:
            _last_ms, _sequence = now_ms, int.from_bytes(os.urandom(1), "big")
        elif _sequence < _SEQUENCE_MAX:
            _sequence += 1
        else:
            _last_ms, _sequence = _last_ms + 1, 0
        ms, sequence = _last_ms, _sequence
    tail = int.from_bytes(os.urandom(8), "big") & ((1 << 62) - 1)
    return UUID(int=(ms << 80) | (0x7 << 76) | (sequence << 64) | (0b10 << 62) | tail)


def parse_id(text: str) -> UUID | None:
    """The UUID in canonical spelling, or None: braces, urn: and missing hyphens are refused."""
    try:
        value = UUID(text)
    except ValueError:
        return None
    return value if str(value) == text.lower() else None
