"""Texts of clients, read where they lie (RFC 6455 §5.2).

Nearly all that clients send is one whole masked text frame a packet. Reading these here, and not by
the library's coroutines byte by byte, saves a twentieth of what a message costs. Promises: what is
taken here, the library would have heard alike. Refuses: to judge; whatever else it is (a fragment,
a ping, a part, a mistake), the library sees it from its first byte on.
"""

from __future__ import annotations

from typing import Any, Final

from websockets.frames import apply_mask  # type: ignore[attr-defined]  # C or Python, as it chose
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.streams import StreamReader

from realtime.frames import FIN_TEXT

HEAD_BYTES: Final = 8
"""At least so many are there: a head of two and a mask of four, or a head of four. Shorter frames
(of one byte or none) are left to the library."""
MASKED: Final = 0x80
"""The bit that each frame of a client has."""


def next_text(data: bytes, at: int) -> tuple[bytes, int] | None:
    """The text of the frame that begins at ``at``, and where the next begins; None: not for us."""
    if len(data) - at < HEAD_BYTES or data[at] != FIN_TEXT:
        return None
    size, begin = data[at + 1] - MASKED, at + 6
    if size == 126:
        size, begin = int.from_bytes(data[at + 2 : at + 4], "big"), at + 8
    elif size == 127:
        return None
    end = begin + size
    if size < 0 or end > len(data):
        return None
    text: bytes = apply_mask(data[begin:end], data[begin - 4 : begin])
    return (text, end) if is_utf8(text) else None


def is_between_messages(conn: ServerProtocol) -> bool:
    """Whether the library waits for a message to begin: no part of one has been taken by it, and
    neither side has said farewell."""
    if conn.state is not State.OPEN or conn.current_size is not None:
        return False
    waiting: Any = conn.parser
    while waiting.gi_yieldfrom is not None:
        waiting = waiting.gi_yieldfrom
    return waiting.gi_code is StreamReader.at_eof.__code__


def is_utf8(data: bytes | bytearray | memoryview) -> bool:
    """Whether the bytes are UTF-8."""
    try:
        data.decode() if isinstance(data, bytes) else bytes(data).decode()
    except UnicodeDecodeError:
        return False
    return True
