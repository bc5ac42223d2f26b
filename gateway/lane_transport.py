"""Frames straight to a socket whose protocol is the lane's (``gateway.lane``).

Hundreds at a time go past the event loop (``gateway.outlet``). What is written to one socket in one
turn of the loop (an event, an answer, its completion) goes out by one call at the turn's end.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from gateway.lane import LaneProtocol

HELD_MAX_BYTES: Final = 16_384
"""Of frames held for the turn's end; above it they go at once, so that what a socket does not take
is seen as soon as it matters."""


class LaneTransport:
    """Frames straight to the socket, past the event loop's transport where nothing waits there.

    Whoever else writes to that transport, or closes it, does so under this one's eyes.
    """

    __slots__ = ("_descriptor", "_held", "_held_bytes", "_lane", "_transport", "ready")

    def __init__(self, lane: LaneProtocol) -> None:
        self._lane = lane
        self._transport = lane.transport  # at hand: a fan-out would find the lane's cold each time
        self._descriptor = _descriptor(lane.transport)
        self._held: list[bytes] | None = None
        self._held_bytes = 0
        self.ready = -1
        """The socket's descriptor where nothing has been written, or closed, since
        ``ready_descriptor`` said that a frame may go past the transport; else -1: ask that."""
        lane.out = self
        lane.transport = cast(asyncio.Transport, _Watched(lane.transport, self))

    def ready_descriptor(self) -> int:
        """The socket's own, where a frame may go past the transport at this moment; else -1.

        It may not when the transport is closing (the number may soon be another socket's), when
        bytes wait that must go first, or when the transport encrypts.
        """
        is_free = not (self._transport.is_closing() or self.buffered_bytes())
        self.ready = self._descriptor if is_free else -1
        return self.ready

    def write_frame(self, frame: bytes) -> int:
        """Write one text frame as it is: no extension was negotiated, nothing is masked."""
        transport = self._transport
        if transport.is_closing():
            return 0
        if self._held is not None:
            self.flush()
        self.ready = -1
        transport.write(frame)
        return transport.get_write_buffer_size()

    def write_soon(self, frame: bytes) -> int:
        """Write one text frame with all others of this turn of the loop, at its end."""
        if self._held_bytes + len(frame) > HELD_MAX_BYTES:
            return self.write_frame(frame)
        if self._transport.is_closing():
            return 0
        self.ready = -1
        self._held_bytes += len(frame)
        if self._held is None:
            self._held = [frame]
            self._lane.loop.call_soon(self.flush)
        else:
            self._held.append(frame)
        return self.buffered_bytes()

    def flush(self) -> None:
        """Write what is held."""
        held, self._held, self._held_bytes = self._held, None, 0
        if held is not None and not self._transport.is_closing():
            self._transport.write(held[0] if len(held) == 1 else b"".join(held))

    def close(self, code: int, reason: str) -> None:
        """Write a close frame; the peer's echo or uvicorn's own timer ends the connection."""
        self._lane.end_with(code, reason)

    def abort(self) -> None:
        """Cut the connection."""
        self.ready = -1
        self._transport.abort()

    def lost(self) -> None:
        """The connection is gone: its number is another's from now on."""
        self.ready = self._descriptor = -1

    def buffered_bytes(self) -> int:
        """Bytes that the socket has not taken, those held included."""
        return self._transport.get_write_buffer_size() + self._held_bytes


class _Watched:
    """The event loop's transport as uvicorn and the library use it: the lane's learns of it."""

    __slots__ = ("_out", "_transport")

    def __init__(self, transport: asyncio.Transport, out: LaneTransport) -> None:
        self._transport = transport
        self._out = out

    def __getattr__(self, name: str) -> Any:
        """All else, as the transport has it."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Pongs and close frames, after what is held."""
        self._out.flush()
        self._out.ready = -1
        self._transport.write(data)

    def close(self) -> None:
        """Once all is sent."""
        self._out.flush()
        self._out.ready = -1
        self._transport.close()

    def abort(self) -> None:
        """At once."""
        self._out.abort()


def _descriptor(transport: asyncio.Transport) -> int:
    raw = transport.get_extra_info("socket")
    if raw is None or transport.get_extra_info("sslcontext") is not None:
        return -1
    number: int = raw.fileno()
    return number
