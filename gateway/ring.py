"""Many short sends by one call of the kernel: Linux's io_uring, where it is granted.

A fan-out sends a few hundred bytes to thousands of sockets. One by one, each costs a call of its
own; here the sends are laid down in memory that the kernel shares, and one call makes 512 of them.

Promises: when ``send`` returns every send has ended, since none may wait (MSG_DONTWAIT): a socket
took all, a part, or nothing. Refuses: to wait, to keep a frame, to know what a socket is for.
Sources: io_uring_setup(2), io_uring_enter(2), linux/io_uring.h.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import socket
import struct
import sys
from array import array
from collections.abc import Iterator, Sequence
from typing import Final

SLOTS: Final = 512
"""Sends of one call: about 3 ms, after which the loop is to have its turn."""
ARENA_BYTES: Final = 1_048_576
"""Where the frames of one call lie; one frame for all is the rule, one for each the exception."""
LARGEST_BYTES: Final = 65_536
"""A longer frame is not sent here: copying it would cost more than a call of its own."""
UNKNOWN: Final = -1
"""Instead of the bytes taken: the kernel never told. Nothing may follow on that socket."""
TRIES_MAX: Final = 8
"""Interruptions of one call, by signals or for want of memory, before it is given up."""

# The numbers are the same on every architecture that Linux has had since 2019.
_SETUP, _ENTER = 425, 426
_OP_SEND = 26
_GETEVENTS = 1
_SINGLE_MMAP = 1
_SQES_AT = 0x1000_0000
_WRAP = 0xFFFF_FFFF
_SQE_BYTES, _CQE_BYTES = 64, 16
_PARAMS = struct.Struct("=7I12x8IQ8IQ")
_FLAGS = socket.MSG_DONTWAIT | getattr(socket, "MSG_NOSIGNAL", 0)
_PROBE = b"\x81\x02ok"
_FULL_AFTER = 1_024
"""Frames of LARGEST_BYTES that no socket's buffer holds."""
_TURNS = [*range(SLOTS), *range(SLOTS)]
"""Slots as they follow each other, from whichever begins."""
_TURNS_BYTES = array("Q", _TURNS).tobytes()

_libc = ctypes.CDLL(None, use_errno=True)


class RingDenied(Exception):
    """The kernel does not grant a ring, or not one that does what is needed; the message says."""


class SendRing:
    """A ring of sends. For one thread; ``close`` it.

    Raises RingDenied: another system, an older kernel, or one whose operator forbids it.
    """

    def __init__(self) -> None:
        if not sys.platform.startswith("linux"):
            raise RingDenied("not Linux")
        params = ctypes.create_string_buffer(_PARAMS.size)
        self.is_broken = False
        """Whether the kernel has failed to tell of a send; no further one may be made."""
        self._ring = _call(_SETUP, SLOTS, params)
        if self._ring < 0:
            raise RingDenied(os.strerror(ctypes.get_errno()))
        try:
            self._map(_PARAMS.unpack(params.raw))
            self._prove()
        except BaseException as error:
            os.close(self._ring)
            if isinstance(error, (OSError, ValueError)):
                raise RingDenied(type(error).__name__) from error
            raise

    def send(self, descriptors: Sequence[int], frames: Sequence[bytes]) -> dict[int, int]:
        """Send to each descriptor its frame; no descriptor twice.

        Answers what was not taken whole: the place, and how many bytes were taken. 0 is a full
        buffer, a frame above LARGEST_BYTES or a broken socket, which the next to write is told;
        or UNKNOWN.
        """
        short: dict[int, int] = {}
        begin, end = 0, len(frames)
        while begin < end:
            sizes = self._lay(descriptors, frames, begin)
            results = self._ended(self._submit(len(sizes)), sizes)
            if results is not sizes:
                for place, size in enumerate(sizes):
                    taken = results[place] if place < len(results) else 0
                    if taken != size:
                        short[begin + place] = UNKNOWN if taken is None else max(taken, 0)
            begin += len(sizes)
        return short

    def close(self) -> None:
        """Give everything back."""
        for view in (self._words, self._sqes32, self._sqes64, self._cqes32, self._cqes64):
            view.release()
        self._shared.close()
        self._sqes.close()
        os.close(self._ring)

    def _map(self, params: tuple[int, ...]) -> None:
        slots, held, _, _, _, features, _ = params[:7]
        at, out = params[7:16], params[16:25]
        if slots != SLOTS or not features & _SINGLE_MMAP:
            raise RingDenied("an old kernel")
        access = {"flags": mmap.MAP_SHARED, "prot": mmap.PROT_READ | mmap.PROT_WRITE}
        size = max(at[6] + 4 * slots, out[5] + _CQE_BYTES * held)
        self._shared = mmap.mmap(self._ring, size, **access)
        self._sqes = mmap.mmap(self._ring, _SQE_BYTES * slots, **access, offset=_SQES_AT)
        self._arena = mmap.mmap(-1, ARENA_BYTES)
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(self._arena))
        self._words = memoryview(self._shared)[: size & ~3].cast("I")
        self._head_at, self._tail_at, indexes = at[0] // 4, at[1] // 4, at[6] // 4
        self._seen_at, self._told_at, self._held = out[0] // 4, out[1] // 4, held
        cqes = memoryview(self._shared)[out[5] : out[5] + _CQE_BYTES * held]
        self._cqes32, self._cqes64 = cqes.cast("i"), cqes.cast("Q")
        sqes = memoryview(self._sqes)
        self._sqes32, self._sqes64 = sqes.cast("i"), sqes.cast("Q")
        for slot in range(slots):
            self._words[indexes + slot] = slot
            self._sqes[_SQE_BYTES * slot] = _OP_SEND
            self._sqes32[16 * slot + 7] = _FLAGS
            self._sqes64[8 * slot + 4] = slot

    def _lay(self, descriptors: Sequence[int], frames: Sequence[bytes], begin: int) -> array[int]:
        """Lay down as many as there is room for; their sizes. One too long is laid down empty."""
        frames = frames[begin : begin + SLOTS]
        if frames.count(frames[0]) == len(frames) and len(frames[0]) <= LARGEST_BYTES:
            # One frame for all is the rule, and is laid down without looking at each.
            self._arena[: len(frames[0])] = frames[0]
            sizes = lengths = array("i", (len(frames[0]),)) * len(frames)
            addresses = array("Q", (self._address,)) * len(frames)
        else:
            sizes, lengths, addresses = self._lay_each(frames)
        count = len(sizes)
        numbers = array("i", descriptors[begin : begin + count])
        for slot, first, end in _spans(self._words[self._tail_at], count, SLOTS):
            until = slot + end - first
            self._sqes32[16 * slot + 1 : 16 * until : 16] = memoryview(numbers)[first:end]
            self._sqes32[16 * slot + 6 : 16 * until : 16] = memoryview(lengths)[first:end]
            self._sqes64[8 * slot + 2 : 8 * until : 8] = memoryview(addresses)[first:end]
        return sizes

    def _lay_each(self, frames: Sequence[bytes]) -> tuple[array[int], array[int], array[int]]:
        """Frames into the arena, equal neighbours once: sizes, lengths to send, addresses."""
        sizes, lengths, addresses = array("i"), array("i"), array("Q")
        last, at = None, 0
        for frame in frames:
            if frame is not last:
                size = length = len(frame)
                if size > LARGEST_BYTES:
                    length = 0
                if at + length > ARENA_BYTES:
                    break
                self._arena[at : at + length] = frame[:length]
                address, last = self._address + at, frame
                at += length
            sizes.append(size)
            lengths.append(length)
            addresses.append(address)
        return sizes, lengths, addresses

    def _submit(self, count: int) -> int:
        """Have them sent; how many the kernel took up. What it did not is as if never laid down."""
        words = self._words
        until = words[self._tail_at] = (words[self._tail_at] + count) & _WRAP
        for _ in range(TRIES_MAX):
            left = (until - words[self._head_at]) & _WRAP
            if not left:
                return count
            done = _call(_ENTER, self._ring, left, left, _GETEVENTS, None, 0)
            if done < 0 and ctypes.get_errno() not in (errno.EINTR, errno.EAGAIN, errno.EBUSY):
                break
        left = (until - words[self._head_at]) & _WRAP
        words[self._tail_at] = words[self._head_at]
        return count - left

    def _ended(self, count: int, sizes: array[int]) -> Sequence[int | None]:
        """What became of the last so many: bytes taken, or an error below 0; None: never told.

        ``sizes`` itself: each was taken whole.
        """
        words = self._words
        for _ in range(TRIES_MAX):
            told = (words[self._told_at] - words[self._seen_at]) & _WRAP
            if told >= count:
                break
            _call(_ENTER, self._ring, 0, count - told, _GETEVENTS, None, 0)
        slots, values = b"", b""
        for slot, first, end in _spans(words[self._seen_at], told, self._held):
            until = slot + end - first
            slots += self._cqes64[2 * slot : 2 * until : 2].tobytes()
            values += self._cqes32[4 * slot + 2 : 4 * until : 4].tobytes()
        words[self._seen_at] = (words[self._seen_at] + told) & _WRAP
        start = (words[self._tail_at] - count) % SLOTS
        if slots == _TURNS_BYTES[8 * start : 8 * (start + count)] and values == sizes.tobytes():
            return sizes  # as ever: they end in their order, and each was taken
        self.is_broken = told != count
        by_slot = dict(zip(array("Q", slots), array("i", values), strict=True))
        return [by_slot.get(slot) for slot in _TURNS[start : start + count]]

    def _prove(self) -> None:
        """See that it does what is needed: a frame arrives, and a full buffer holds up nobody."""
        one, other = socket.socketpair()
        with one, other:
            pair, many = (one.fileno(), other.fileno()), LARGEST_BYTES * b"x"
            if self.send(pair, (_PROBE, _PROBE)) or one.recv(9) != _PROBE:
                raise RingDenied("frames do not arrive")
            filled = (self.send(pair[:1], (many,)) for _ in range(_FULL_AFTER))
            if {0: 0} not in filled or self.is_broken:
                raise RingDenied("a full buffer is not told")


def _spans(start: int, count: int, size: int) -> Iterator[tuple[int, int, int]]:
    """Where ``count`` entries lie in a ring: the slot, and the first and last of them there."""
    slot = start % size
    first = min(count, size - slot)
    if first:
        yield slot, 0, first
    if count > first:
        yield 0, first, count


def _call(number: int, *arguments: object) -> int:
    done: int = _libc.syscall(number, *arguments)
    return done
