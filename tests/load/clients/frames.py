"""A WebSocket client small enough to load with: text frames, pings answered, nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import cast

TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A
"""First bytes of whole frames (RFC 6455 section 5.2, FIN set)."""
NO_MASK = b"\x00\x00\x00\x00"
"""A client must mask (section 5.3); with zeros the work of unmasking is the server's alone."""
HEAD_END = b"\r\n\r\n"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
"""The RFC's own example: nothing between us and the server could be misled by it."""


class Socket(asyncio.Protocol):
    """One connection. ``heard`` gets each text frame; ``ended`` the reason of an end, once."""

    def __init__(
        self,
        upgrade: bytes,
        heard: Callable[[bytes], None],
        ended: Callable[[str], None],
    ) -> None:
        self._upgrade = upgrade
        self._heard = heard
        self._ended = ended
        self._buffer = b""
        self._is_open = False

    def say(self, text: bytes) -> None:
        """Send a text frame."""
        self._transport.write(framed(TEXT, text))

    def close(self) -> None:
        """Leave without a word; the server must cope."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes, only of their shape.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._upgrade)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended("the connection is gone")

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        if not self._is_open:
            end = buffer.find(HEAD_END)
            if end < 0:
                self._buffer = buffer
                return
            if not buffer.startswith(b"HTTP/1.1 101"):
                self._ended(buffer[:end].decode(errors="replace"))
                return
            self._is_open = True
            buffer = buffer[end + len(HEAD_END) :]
            self._heard(b"")
        self._buffer = self._take_frames(buffer)

    def _take_frames(self, buffer: bytes) -> bytes:
        """Hand on every whole frame; what is left of the buffer."""
        at, size = 0, len(buffer)
        while size - at >= 2:
            length, head = buffer[at + 1], 2
            if length == 126:
                length, head = int.from_bytes(buffer[at + 2 : at + 4], "big"), 4
            elif length == 127:
                length, head = int.from_bytes(buffer[at + 2 : at + 10], "big"), 10
            end = at + head + length
            if size < end:
                break
            self._take(buffer[at], buffer[at + head : end])
            at = end
        return buffer[at:]

    def _take(self, first: int, payload: bytes) -> None:
        if first == TEXT:
            self._heard(payload)
        elif first == PING:
            self._transport.write(framed(PONG, payload))
        elif first == CLOSE:
            code = int.from_bytes(payload[:2], "big")
            self._ended(f"closed {code} {payload[2:].decode(errors='replace')}")
        elif first != PONG:
            self._ended(f"a frame this client does not know: {first:#x}")


def framed(first: int, payload: bytes) -> bytes:
    """A frame from a client."""
    size = len(payload)
    if size < 126:
        head = bytes((first, 0x80 | size))
    elif size < 65_536:
        head = bytes((first, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, 0x80 | 127)) + size.to_bytes(8, "big")
    return head + NO_MASK + payload


def upgrade(path: str, port: int, headers: Mapping[str, str]) -> bytes:
    """The request that turns a connection into a socket."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {KEY}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + HEAD_END
