"""Thousands of sockets in one process, read with as little work as Python allows.

No event loop: one epoll and one loop that reads, so that a frame costs a few microseconds and the
client stays far below the server. Pings are answered as a stock client does.
"""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tests.load.clients.frames import CLOSE, HEAD_END, PING, PONG, TEXT, framed

READ_BYTES = 65_536
POLLED_MAX = 8_192
"""Sockets looked at in one go."""
PING_MESSAGE = b'{"type":"ping"'
OPENING_TIMEOUT_S = 110.0
"""For all of a crowd; the slowest peer takes 6 ms a socket."""
OPENING_AT_ONCE = 64
"""Sockets that open at the same time, unless a storm is what is measured."""
GUESTS_AN_ADDRESS = 500
"""Sockets of one client address: a storm comes from a whole county, not from one machine."""
REASONS_MAX = 5
REASON_CHARS_MAX = 300
RETRY_S = 0.1
"""After a refusal, while patience lasts."""
REFUSALS_EACH_MAX = 20
"""On average, before a crowd gives up: a storm may be held off, a wrong token always is."""
NARROW_BYTES = 4_096
NARROW_SEGMENT_BYTES = 536
"""The least that TCP promises (RFC 9293 section 3.7.1); the sender's buffer grows with it."""
_WRITABLE = select.EPOLLOUT
_READABLE = select.EPOLLIN | select.EPOLLET
"""Told once for what comes: a read that does not fill the buffer has taken all of it."""

Opening = Sequence[tuple[str, str]]
"""What is said and what is then heard, in turn; with nothing to hear the next is said at once."""
Heard = Callable[["Guest", bytes], None]


class Guest:
    """One socket of the crowd: what it says to be let in, and how far it is."""

    __slots__ = ("index", "is_narrow", "is_ready", "opening", "position", "rest", "seen", "sock")

    def __init__(self, index: int, opening: Opening, *, is_narrow: bool = False) -> None:
        self.index = index
        self.is_narrow = is_narrow
        """Whether the kernel is told to hold little for it, so that not reading shows soon."""
        self.opening = opening
        self.sock: socket.socket | None = None
        self.rest = b""
        self.position = -1
        """-1: the upgrade is not answered; else the steps of the opening that are done."""
        self.is_ready = False
        self.seen = -1
        """For whoever counts: the last event's number."""

    def say(self, text: bytes) -> None:
        """Send a text frame."""
        self.send(framed(TEXT, text))

    def send(self, data: bytes) -> None:
        """Send bytes. They fit the kernel's buffer: what a client of ours says is short."""
        assert self.sock is not None, "a guest that has not come"
        try:
            self.sock.send(data)
        except OSError:
            return  # reading tells why


class Crowd:
    """All sockets."""

    def __init__(
        self, ports: Sequence[int], request: bytes, openings: Iterable[Opening], heard: Heard
    ) -> None:
        self._ports = ports
        self._request = request
        self._epoll = select.epoll()
        self._by_fd: dict[int, Guest] = {}
        self._buffer = bytearray(READ_BYTES)
        self._view = memoryview(self._buffer)
        self._opening = 0
        self.guests: list[Guest] = []
        self.invite(openings)
        self.heard = heard
        """Gets each text frame that lets nobody further, of those on their way in too."""
        self.let_in: Heard = _ignore
        """Gets each frame that lets a guest one step further."""
        self.ready = 0
        self.ended = 0
        self.refused = 0
        """Sockets that were not opened at the first try."""
        self.reasons: list[str] = []

    def invite(self, openings: Iterable[Opening]) -> None:
        """Add guests, who come when the crowd is opened next; they take turns at the ports."""
        for opening in openings:
            self.guests.append(Guest(len(self.guests), opening))

    def open(
        self, *, at_once: int = OPENING_AT_ONCE, patience_s: float = OPENING_TIMEOUT_S
    ) -> bool:
        """Let everybody in, so many at the same time; whether all are, within patience."""
        until = time.perf_counter() + patience_s
        waiting = deque(guest for guest in self.guests if guest.sock is None)
        wanted = self.ready + len(waiting)
        refusals_max = self.refused + REFUSALS_EACH_MAX * wanted
        while self.ready < wanted and time.perf_counter() < until:
            if self.refused > refusals_max:
                break
            while waiting and self._opening < at_once:
                self._begin(waiting.popleft())
            self.pump(0.05)
            if not self._opening and not waiting:
                waiting = self._refused_ones()
        return self.ready == wanted

    def pump(self, timeout_s: float) -> None:
        """Read what has come, waiting so long for the first."""
        by_fd, buffer, view, heard = self._by_fd, self._buffer, self._view, self.heard
        for fd, mask in self._epoll.poll(timeout_s, POLLED_MAX):
            guest = by_fd.get(fd)
            if guest is None or guest.sock is None:
                continue
            if not guest.is_ready:
                if guest.position < 0 and mask & _WRITABLE:
                    self._connected(guest, fd)
                else:
                    self._read(guest)
                continue
            # The one path that counts: somebody who is in gets one whole short text frame.
            try:
                size = guest.sock.recv_into(buffer)
            except OSError as error:
                self._failed(guest, error)
                continue
            is_usual = buffer[0] == TEXT and buffer[1] == 126 and not guest.rest
            is_whole = (buffer[2] << 8 | buffer[3]) == size - 4
            if is_usual and is_whole and not buffer.startswith(PING_MESSAGE, 4):
                heard(guest, bytes(view[4:size]))
            else:
                self._received(guest, bytes(view[:size]))
                if size == READ_BYTES and guest.sock is not None:
                    self._read(guest)

    def pump_for(self, seconds: float) -> None:
        """Read for so long."""
        until = time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            self.pump(min(left, 0.05))

    def pump_until(self, is_done: Callable[[], bool], patience_s: float) -> bool:
        """Read until that is so, or patience ends; whether it is."""
        until = time.perf_counter() + patience_s
        while not is_done():
            if time.perf_counter() > until:
                return False
            self.pump(0.02)
        return True

    def ignore(self, guest: Guest) -> None:
        """Stop reading this guest's socket, which stays open."""
        assert guest.sock is not None, "a guest that has not come"
        self._epoll.modify(guest.sock.fileno(), 0)

    def attend(self, guest: Guest) -> None:
        """Read it again."""
        assert guest.sock is not None, "a guest that has not come"
        self._epoll.modify(guest.sock.fileno(), _READABLE)

    def cut(self, guests: Iterable[Guest]) -> None:
        """These connections break, without a word; the guests may come again."""
        for guest in guests:
            if guest.is_ready:
                self.ready -= 1
                self._drop(guest)

    def note(self, reason: str) -> None:
        """Keep a few of the things that went wrong."""
        if len(self.reasons) < REASONS_MAX and reason[:REASON_CHARS_MAX] not in self.reasons:
            self.reasons.append(reason[:REASON_CHARS_MAX])

    def note_errors(self, payload: bytes) -> None:
        """Keep a frame that tells of an error."""
        if b'"error' in payload:
            self.note(payload.decode(errors="replace"))

    def fault(self) -> dict[str, Any]:
        """What went wrong, as figures."""
        return {"sockets_ended": self.ended, "refused": self.refused, "reasons": self.reasons}

    def _begin(self, guest: Guest) -> None:
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if guest.is_narrow:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW_BYTES)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, NARROW_SEGMENT_BYTES)
        sock.bind((f"127.0.1.{1 + guest.index // GUESTS_AN_ADDRESS}", 0))
        sock.connect_ex(("127.0.0.1", self._ports[guest.index % len(self._ports)]))
        guest.sock, guest.rest, guest.position, guest.is_ready = sock, b"", -1, False
        self._by_fd[sock.fileno()] = guest
        self._epoll.register(sock.fileno(), _WRITABLE)
        self._opening += 1

    def _connected(self, guest: Guest, fd: int) -> None:
        assert guest.sock is not None
        if guest.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._end(guest, "the connection was refused")
            return
        self._epoll.modify(fd, _READABLE)
        guest.send(self._request)

    def _read(self, guest: Guest) -> None:
        assert guest.sock is not None
        try:
            size = guest.sock.recv_into(self._buffer)
        except OSError as error:
            self._failed(guest, error)
            return
        self._received(guest, bytes(self._view[:size]))
        if size == READ_BYTES and guest.sock is not None:
            self._read(guest)

    def _failed(self, guest: Guest, error: OSError) -> None:
        if not isinstance(error, BlockingIOError):
            self._end(guest, f"the connection broke: {error}")

    def _received(self, guest: Guest, data: bytes) -> None:
        if not data:
            self._end(guest, "the connection is gone")
        elif guest.position < 0:
            self._upgraded(guest, guest.rest + data)
        else:
            self._take(guest, guest.rest + data if guest.rest else data)

    def _upgraded(self, guest: Guest, data: bytes) -> None:
        end = data.find(HEAD_END)
        if end < 0:
            guest.rest = data
        elif not data.startswith(b"HTTP/1.1 101"):
            self._end(guest, data[:end].decode(errors="replace").partition("\r\n")[0])
        else:
            guest.rest, guest.position = b"", 0
            self._speak(guest)
            self._take(guest, data[end + len(HEAD_END) :])

    def _take(self, guest: Guest, data: bytes) -> None:
        """Hand on every whole frame; keep the rest."""
        at, size = 0, len(data)
        while size - at >= 2 and guest.sock is not None:
            length, head = data[at + 1], 2
            if length == 126:
                length, head = int.from_bytes(data[at + 2 : at + 4], "big"), 4
            elif length == 127:
                length, head = int.from_bytes(data[at + 2 : at + 10], "big"), 10
            end = at + head + length
            if size < end:
                break
            self._frame(guest, data[at], data[at + head : end])
            at = end
        guest.rest = data[at:]

    def _frame(self, guest: Guest, first: int, payload: bytes) -> None:
        if first == TEXT:
            if payload.startswith(PING_MESSAGE):
                guest.say(b'{"type":"pong"}')
            if guest.is_ready:
                self.heard(guest, payload)
            else:
                self._step(guest, payload)
        elif first == PING:
            guest.send(framed(PONG, payload))
        elif first == CLOSE:
            code = int.from_bytes(payload[:2], "big")
            self._end(guest, f"closed {code} {payload[2:].decode(errors='replace')}")

    def _step(self, guest: Guest, payload: bytes) -> None:
        if guest.opening[guest.position][1].encode() in payload:
            guest.position += 1
            self._speak(guest)
            self.let_in(guest, payload)
        else:
            self.heard(guest, payload)

    def _speak(self, guest: Guest) -> None:
        """Say what comes next, until something has to be heard first."""
        while guest.position < len(guest.opening):
            say, hear = guest.opening[guest.position]
            guest.say(say.encode())
            if hear:
                return
            guest.position += 1
        guest.is_ready = True
        self.ready += 1
        self._opening -= 1

    def _end(self, guest: Guest, reason: str) -> None:
        self.note(reason)
        if guest.is_ready:
            self.ready -= 1
            self.ended += 1
        else:
            self._opening -= 1
            self.refused += 1
        self._drop(guest)

    def _drop(self, guest: Guest) -> None:
        assert guest.sock is not None
        self._by_fd.pop(guest.sock.fileno(), None)
        guest.sock.close()  # leaves the epoll by itself
        guest.sock, guest.is_ready = None, False

    def _refused_ones(self) -> deque[Guest]:
        """Those who were not let in, after a moment: a refusal must not become a storm."""
        refused = deque(guest for guest in self.guests if guest.sock is None)
        if refused:
            self.pump_for(RETRY_S)
        return refused


def _ignore(_guest: Guest, _payload: bytes) -> None:
    return None
