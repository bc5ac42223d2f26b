"""What one socket gets in one turn of the loop goes out once, in its order."""

from __future__ import annotations

import asyncio

from websockets.frames import Opcode

from gateway.lane_transport import HELD_MAX_BYTES, LaneTransport
from realtime.frames import text_frame
from tests.gateway.test_handshake import Wire
from tests.gateway.test_incoming import framed, taken_over


class Writes(Wire):
    """A transport that keeps each write."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        super().write(data)
        self.pieces.append(data)


async def opened() -> tuple[LaneTransport, Writes]:
    """A socket's transport, and what it has been told to write since its handshake."""
    wire = Writes()
    lane, _, _ = await taken_over(wire)
    wire.pieces.clear()
    assert lane.out is not None
    return lane.out, wire


async def test_an_event_an_answer_and_its_completion_are_one_write() -> None:
    transport, wire = await opened()
    frames = [text_frame(text) for text in (b"event", b"answer", b"complete")]
    for count, frame in enumerate(frames, 1):
        assert transport.write_soon(frame) == len(b"".join(frames[:count]))
    assert transport.buffered_bytes() == len(b"".join(frames))
    assert wire.pieces == []
    await asyncio.sleep(0)

    assert wire.pieces == [b"".join(frames)]
    assert transport.buffered_bytes() == 0
    transport.write_soon(frames[0])
    await asyncio.sleep(0)
    assert wire.pieces[1:] == frames[:1]


async def test_whoever_writes_at_once_writes_after_what_is_held() -> None:
    transport, wire = await opened()
    transport.write_soon(b"first")
    assert transport.ready_descriptor() == -1, "what is held goes first"
    transport.write_frame(b"second")
    transport.write_soon(b"third")
    transport._lane.data_received(framed(b"p", Opcode.PING))
    await asyncio.sleep(0)

    assert wire.pieces == [b"first", b"second", b"third", b"\x8a\x01p"]


async def test_more_than_a_turn_may_hold_goes_at_once() -> None:
    transport, wire = await opened()
    many = b"x" * (HELD_MAX_BYTES - 10)
    transport.write_soon(many)
    assert transport.write_soon(b"eleven more") == 0
    assert wire.pieces == [many, b"eleven more"]
    await asyncio.sleep(0)
    assert len(wire.pieces) == 2


async def test_a_farewell_comes_after_what_is_held_and_nothing_after_it() -> None:
    transport, wire = await opened()
    transport.write_soon(b"last words")
    transport.close(1012, "")
    timer = transport._lane.close_timer
    assert timer is not None
    timer.cancel()
    assert wire.pieces == [b"last words", b"\x88\x02\x03\xf4"]
    await asyncio.sleep(0)
    assert len(wire.pieces) == 2


async def test_who_is_cut_gets_nothing_of_what_is_held() -> None:
    transport, wire = await opened()
    transport.write_soon(b"too late")
    transport.abort()
    await asyncio.sleep(0)
    assert wire.pieces == []
    assert transport.write_soon(b"later still") == 0
    await asyncio.sleep(0)
    assert wire.pieces == []
