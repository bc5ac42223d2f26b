"""What a socket offers the live layer; the gateway brings one for each kind of server."""

from __future__ import annotations

from typing import Protocol


class Transport(Protocol):
    """One open WebSocket. No call blocks; calls on a dead socket do nothing."""

    def write_frame(self, frame: bytes) -> int:
        """Write one whole text frame (``realtime.frames``). Bytes that wait to be sent now."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Write a close frame and await the peer's."""
        ...

    def abort(self) -> None:
        """Cut the connection at once, without a close frame (the peer sees 1006)."""
        ...

    def buffered_bytes(self) -> int:
        """Bytes that the peer has not taken yet."""
        ...
