"""Texts read where they lie: whatever comes, wherever packets end, all is heard alike."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode

from gateway.incoming import HEAD_BYTES, is_between_messages, next_text
from gateway.lane import LANE, UVICORN_OPTIONS, LaneProtocol
from gateway.lane_transport import LaneTransport
from tests.gateway.test_handshake import GOOD, Wire, head

MASK = b"\x11\x22\x33\x44"


def framed(
    data: bytes, opcode: Opcode = Opcode.TEXT, *, fin: bool = True, mask: bool = True, rsv: int = 0
) -> bytes:
    """A frame as a client writes it, or a mistaken one."""
    whole = Frame(opcode, data, fin=fin).serialize(mask=mask)
    return bytes([whole[0] | rsv]) + whole[1:]


TEXTS = st.one_of(
    st.text(max_size=140).map(str.encode),
    st.sampled_from([0, 1, 2, 125, 126, 127, 65_535, 65_536]).map(lambda size: b"x" * size),
)
FRAMES = st.one_of(
    TEXTS.map(framed),
    TEXTS.map(lambda text: framed(text) * 3),
    st.binary(max_size=9).map(framed),  # seldom UTF-8
    st.binary(max_size=9).map(lambda data: framed(data, Opcode.BINARY)),
    st.binary(max_size=9).map(lambda data: framed(data, Opcode.PING)),
    st.binary(max_size=9).map(lambda data: framed(data, Opcode.PONG)),
    st.tuples(st.text(max_size=9), st.text(max_size=9)).map(
        lambda parts: framed(parts[0].encode(), fin=False) + framed(parts[1].encode(), Opcode.CONT)
    ),
    st.sampled_from(
        [
            framed(b"a", fin=False),
            framed(b"b", Opcode.CONT),
            framed(b"unmasked", mask=False),
            framed(b"reserved", rsv=0x40),
            framed(b"\x03\xe8", Opcode.CLOSE),
            b"\x81\xfe\x00\x05" + MASK + b"12345",  # five bytes told in two
            b"\x81\xff\x00\x00\x00\x00\x00\x00\x00\x03" + MASK + b"abc",
            b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff" + MASK,
            b"\x83\x80" + MASK,
        ]
    ),
)


class Taker:
    """What the live layer hears; one word makes it close the socket."""

    def __init__(self, lane: LaneProtocol) -> None:
        LaneTransport(lane)
        self._lane = lane
        self.heard: list[bytes | None] = []
        self.is_lost = False

    def receive_text(self, raw: bytes) -> None:
        assert not self.is_lost
        assert type(raw) is bytes
        self.heard.append(raw)
        if raw == b"bye":
            self._lane.end_with(1000, "bye")

    def receive_binary(self) -> None:
        assert not self.is_lost
        self.heard.append(None)

    def lost(self) -> None:
        assert not self.is_lost, "told twice"
        self.is_lost = True


async def taken_over(wire: Wire | None = None) -> tuple[LaneProtocol, Wire, Taker]:
    """A lane after its handshake, whose transport keeps what is written."""
    wire = wire or Wire()
    takers: list[Taker] = []

    async def door(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        takers.append(Taker(scope["extensions"][LANE]))
        lane.take_over(takers[0])  # type: ignore[arg-type]  # of its shape

    config = uvicorn.Config(door, lifespan="off", log_config=None, **UVICORN_OPTIONS)
    config.load()
    lane = LaneProtocol(config=config, server_state=ServerState(), app_state={})
    lane.connection_made(wire)  # type: ignore[arg-type]  # of its shape
    lane.data_received(head(GOOD))
    await asyncio.gather(*lane.tasks)
    wire.written = b""
    return lane, wire, takers[0]


async def outcome(
    packets: list[bytes], *, by_library: bool
) -> tuple[list[bytes | None], list[bytes], bool, bool]:
    """What was heard, what was written, whether it was closed and told to be lost."""
    lane, wire, taker = await taken_over()
    for packet in packets:
        if wire.is_closed:
            break
        lane.is_between_messages &= not by_library
        lane.data_received(packet)
    if lane.close_timer is not None:
        lane.close_timer.cancel()
    return taker.heard, said(wire), wire.is_closed, taker.is_lost


def said(wire: Wire) -> list[bytes]:
    """The frames written.

    Not the pongs of an ended socket, which may come before its farewell; and of two reasons to end
    in one packet (a mistake, a close, another mistake) either may be told.
    """
    frames, at = [], 0
    while at < len(wire.written):
        end = at + 2 + wire.written[at + 1]
        frame = wire.written[at:end]
        if not (wire.is_closed and frame[0] == 0x8A):
            frames.append(b"farewell" if frame[0] == 0x88 else frame)
        at = end
    return frames


def packets_of(data: bytes, cuts: list[int]) -> list[bytes]:
    """The same bytes, cut at these places."""
    places = sorted({cut % len(data) for cut in cuts} | {0, len(data)})
    return [data[begin:end] for begin, end in pairwise(places)]


@settings(deadline=None, max_examples=300)
@given(st.lists(FRAMES, min_size=1, max_size=6), st.lists(st.integers(0, 70_000), max_size=6))
def test_whatever_comes_is_heard_alike_with_and_without(
    frames: list[bytes], cuts: list[int]
) -> None:
    async def compare() -> None:
        data = b"".join(frames)
        ours = await outcome(packets_of(data, cuts), by_library=False)
        # One frame a packet: the library drops good ones that came with a bad one, we hear them.
        theirs = await outcome(frames, by_library=True)
        assert ours == theirs

    asyncio.run(compare())


async def test_whole_texts_never_reach_the_library() -> None:
    lane, _, taker = await taken_over()
    before = lane.conn.reader.buffer
    lane.conn.receive_data = None  # type: ignore[method-assign,assignment]  # nobody may call it
    lane.data_received(framed(b'{"n":1}') + framed("多字节".encode()) + framed(b"x" * 60_000))
    assert taker.heard == [b'{"n":1}', "多字节".encode(), b"x" * 60_000]
    assert not before
    assert lane.is_between_messages


async def test_a_part_is_the_librarys_until_its_message_has_ended() -> None:
    lane, _, taker = await taken_over()
    whole = framed(b"hello there")
    for at in range(1, len(whole)):
        lane.data_received(whole[:at])
        assert not lane.is_between_messages, f"{at} bytes of a message have come"
        lane.data_received(whole[at:])
        assert lane.is_between_messages
    lane.data_received(framed(b"frag", fin=False))
    assert not lane.is_between_messages
    lane.data_received(framed(b"ping", Opcode.PING))
    assert not lane.is_between_messages, "a ping between two fragments ends no message"
    lane.data_received(framed(b"ment", Opcode.CONT))
    assert lane.is_between_messages
    assert taker.heard == [b"hello there"] * (len(whole) - 1) + [b"fragment"]


async def test_nothing_is_heard_behind_a_word_that_made_us_close() -> None:
    _, wire, taker = await taken_over()
    lane = taker._lane
    lane.data_received(framed(b"before") + framed(b"bye") + framed(b"after") + framed(b"more"))
    assert taker.heard == [b"before", b"bye"]
    assert wire.written.startswith(b"\x88")
    assert lane.close_timer is not None
    lane.close_timer.cancel()


def test_a_length_told_in_more_bytes_than_it_needs_is_read_as_the_library_reads_it() -> None:
    assert next_text(b"\x81\xfe\x00\x05" + MASK + b"12345", 0) is not None
    assert next_text(framed(b"ab"), 0) == (b"ab", HEAD_BYTES)
    assert next_text(framed(b"a"), 0) is None, "left to the library, as all that is rare"


async def test_a_closed_connection_is_not_between_messages() -> None:
    lane, _, _ = await taken_over()
    assert is_between_messages(lane.conn)
    lane.data_received(framed(b"\x03\xe8", Opcode.CLOSE))
    assert not is_between_messages(lane.conn)
