"""Text frames of a WebSocket (RFC 6455 §5.2), built whole so that many sockets can share one.

A server's frames are unmasked, and no extension is ever negotiated here: the header depends on the
length alone, and the same bytes are right on every socket.
"""

from __future__ import annotations

FIN_TEXT = 0x81
"""A whole text message in one frame."""
_SHORT = [bytes((FIN_TEXT, length)) for length in range(126)]


def header(length: int) -> bytes:
    """What stands before ``length`` bytes of UTF-8 text."""
    if length < 126:
        return _SHORT[length]
    if length < 65_536:
        return b"\x81\x7e" + length.to_bytes(2, "big")
    return b"\x81\x7f" + length.to_bytes(8, "big")


def text_frame(text: bytes) -> bytes:
    """One text frame."""
    return header(len(text)) + text


def text_of(frame: bytes) -> bytes:
    """The text in a frame of ours, for a server that makes its own frames."""
    length = frame[1]
    return frame[2 if length < 126 else 4 if length == 126 else 10 :]
