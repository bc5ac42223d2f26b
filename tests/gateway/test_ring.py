"""The ring of sends, on sockets of this machine; left out where the kernel grants none."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import ring as ring_module
from gateway.outlet import granted_ring
from gateway.ring import LARGEST_BYTES, SLOTS, UNKNOWN, RingDenied, SendRing

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def ring() -> Iterator[SendRing]:
    try:
        made = SendRing()
    except RingDenied as denied:
        pytest.skip(f"the kernel grants no ring: {denied}")
    yield made
    made.close()


def pairs(count: int) -> list[Pair]:
    made = [socket.socketpair() for _ in range(count)]
    for _, reader in made:
        reader.setblocking(False)
    return made


def end(made: list[Pair]) -> None:
    for pair in made:
        for side in pair:
            side.close()


def read(reader: socket.socket) -> bytes:
    """All that has come."""
    found = b""
    while True:
        try:
            data = reader.recv(1_048_576)
        except BlockingIOError:
            return found
        if not data:
            return found
        found += data


def test_each_socket_gets_its_own_frame_however_often_the_ring_turns(ring: SendRing) -> None:
    made = pairs(SLOTS + 188)
    numbers = [writer.fileno() for writer, _ in made]
    for turn in range(6):
        frames = [b"%d of turn %d" % (place, turn) for place in range(len(made))]
        assert ring.send(numbers, frames) == {}
        assert [read(reader) for _, reader in made] == frames
    end(made)


def test_frames_that_fill_the_arena_take_more_than_one_call(ring: SendRing) -> None:
    made = pairs(40)
    frames = [bytes([place]) * LARGEST_BYTES for place in range(40)]
    assert ring.send([writer.fileno() for writer, _ in made], frames) == {}
    assert [read(reader) for _, reader in made] == frames
    end(made)


def test_one_frame_for_all_lies_in_the_arena_once(ring: SendRing) -> None:
    made = pairs(40)
    frame = b"x" * LARGEST_BYTES
    assert ring.send([writer.fileno() for writer, _ in made], [frame] * 40) == {}
    assert all(read(reader) == frame for _, reader in made)
    end(made)


def test_a_frame_above_the_bound_is_left_to_others(ring: SendRing) -> None:
    made = pairs(3)
    frames = [b"short", b"x" * (LARGEST_BYTES + 1), b"after"]
    numbers = [writer.fileno() for writer, _ in made]
    assert ring.send(numbers, frames) == {1: 0}
    assert ring.send(numbers[:2], frames[1:2] * 2) == {0: 0, 1: 0}
    assert [read(reader) for _, reader in made] == [b"short", b"", b"after"]
    end(made)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from(["reads", "idles", "gone"]), st.integers(1, LARGEST_BYTES)),
        min_size=1,
        max_size=24,
    ),
    st.integers(1, 12),
)
def test_what_a_socket_did_not_take_is_told_to_the_byte(
    peers: list[tuple[str, int]], turns: int
) -> None:
    ring = granted_ring()
    if ring is None:
        pytest.skip("the kernel grants no ring")
    made = pairs(len(peers))
    sent = [b""] * len(peers)
    got = [b""] * len(peers)
    for place, (habit, _) in enumerate(peers):
        if habit == "gone":
            made[place][1].close()
    for turn in range(turns):
        frames = [bytes([65 + turn]) * size for _, size in peers]
        short = ring.send([writer.fileno() for writer, _ in made], frames)
        for place, (habit, size) in enumerate(peers):
            taken = short.get(place, size)
            assert 0 <= taken <= size
            assert taken == 0 or habit != "gone"
            sent[place] += frames[place][:taken]
            if habit == "reads":
                assert taken == size
                got[place] += read(made[place][1])
    for place, (habit, _) in enumerate(peers):
        if habit != "gone":
            assert got[place] + read(made[place][1]) == sent[place]
    assert not ring.is_broken
    ring.close()
    end(made)


def test_a_number_that_is_no_socket_takes_nothing_and_harms_nobody(ring: SendRing) -> None:
    made = pairs(2)
    numbers = [made[0][0].fileno(), 1_000_000, made[1][0].fileno()]
    assert ring.send(numbers, [b"one", b"two", b"three"]) == {1: 0}
    assert [read(reader) for _, reader in made] == [b"one", b"three"]
    end(made)


def test_an_interrupted_call_is_made_again(ring: SendRing, monkeypatch: pytest.MonkeyPatch) -> None:
    made = pairs(9)
    really = ring_module._call
    calls: list[int] = []

    def interrupted(number: int, *arguments: object) -> int:
        calls.append(number)
        if len(calls) % 2:
            ring_module.ctypes.set_errno(errno.EINTR)
            return -1
        return really(number, *arguments)

    monkeypatch.setattr(ring_module, "_call", interrupted)
    assert ring.send([writer.fileno() for writer, _ in made], [b"frame"] * 9) == {}
    assert len(calls) == 2
    assert [read(reader) for _, reader in made] == [b"frame"] * 9
    end(made)


def test_what_the_kernel_does_not_take_up_was_never_sent(
    ring: SendRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = pairs(9)
    numbers = [writer.fileno() for writer, _ in made]
    really = ring_module._call
    calls: list[int] = []

    def without_memory(number: int, *arguments: object) -> int:
        calls.append(number)
        if len(calls) > 1:
            ring_module.ctypes.set_errno(errno.ENOMEM)
            return -1
        return really(number, arguments[0], 4, 4, *arguments[3:])

    with monkeypatch.context() as patched:
        patched.setattr(ring_module, "_call", without_memory)
        assert ring.send(numbers, [b"frame"] * 9) == dict.fromkeys(range(4, 9), 0)
    assert [read(reader) for _, reader in made] == [b"frame"] * 4 + [b""] * 5
    assert not ring.is_broken

    assert ring.send(numbers, [b"later"] * 9) == {}
    assert [read(reader) for _, reader in made] == [b"later"] * 9
    end(made)


def test_a_send_that_the_kernel_never_tells_of_is_unknown_and_the_ring_broken(
    ring: SendRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = pairs(3)

    def silent(number: int, *arguments: object) -> int:
        ring._words[ring._head_at] = ring._words[ring._tail_at]  # taken up, and never heard of
        return 3

    with monkeypatch.context() as patched:
        patched.setattr(ring_module, "_call", silent)
        numbers = [writer.fileno() for writer, _ in made]
        assert ring.send(numbers, [b"frame"] * 3) == dict.fromkeys(range(3), UNKNOWN)
    assert ring.is_broken
    end(made)


def test_where_the_kernel_refuses_there_is_no_ring(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> int:
        ring_module.ctypes.set_errno(errno.EPERM)
        return -1

    monkeypatch.setattr(ring_module, "_call", refuse)
    with caplog.at_level("INFO"):
        assert granted_ring() is None
    assert "one by one" in caplog.text


def test_on_another_system_there_is_no_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(RingDenied, match="not Linux"):
        SendRing()


def test_a_kernel_whose_sends_do_not_arrive_is_not_trusted(
    monkeypatch: pytest.MonkeyPatch, ring: SendRing
) -> None:
    def silent(number: int, *arguments: object) -> int:
        return really(number, *arguments) if number == ring_module._SETUP else -1

    really = ring_module._call
    monkeypatch.setattr(ring_module, "_call", silent)
    with pytest.raises(RingDenied, match="do not arrive"):
        SendRing()
