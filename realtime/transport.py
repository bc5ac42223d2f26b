"""What a socket offers the live layer; the gateway brings one for each kind of server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

FEW: Final = 12
"""Fewer frames cost less one by one than by a call for many, which is no dearer from some eight on;
and who talks in a small circle is often answered in the same turn of the loop."""


class Transport(Protocol):
    """One open WebSocket. No call blocks; calls on a dead socket do nothing."""

    def write_frame(self, frame: bytes) -> int:
        """Write one whole text frame (``realtime.frames``). Bytes that wait to be sent now."""
        ...

    def write_soon(self, frame: bytes) -> int:
        """As ``write_frame``, in the same order, but it may wait for the end of the loop's turn."""
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


class Outlet(Protocol):
    """Where a fan-out's frames go out, many at a time."""

    def write(self, transports: Sequence[Transport], frames: Sequence[bytes]) -> dict[int, int]:
        """Write to each transport its frame, in this order where one has several.

        Answers where bytes wait to be sent now, and how many; by place.
        """
        ...


class OneByOne:
    """An outlet for any transport."""

    def write(self, transports: Sequence[Transport], frames: Sequence[bytes]) -> dict[int, int]:
        """Write each frame by its transport; a few with what else their sockets get this turn."""
        unsent, is_soon = {}, len(frames) < FEW
        for place, (transport, frame) in enumerate(zip(transports, frames, strict=True)):
            write = transport.write_soon if is_soon else transport.write_frame
            if waiting := write(frame):
                unsent[place] = waiting
        return unsent


ONE_BY_ONE: Final = OneByOne()
