"""One event as an answer: rendered by the schema, with its place spliced in, framed for each id.

``extensions.rt`` holds the stream ``s``, its epoch ``e`` and the event's offset ``o``; ``p`` is the
offset of the answer or ``live`` announcement before it, given only when events lay between that
were not for this subscription: an answer is the next one when ``(p ?? o - 1)`` is where the client
stands. A whisper has ``x`` instead: it never moves a position.
"""

from __future__ import annotations

import orjson

from domain.kernel.streams import LoggedEvent
from realtime.frames import header


class Suffix:
    """The bytes of a ``next`` frame behind the operation's id; the same for many subscriptions."""

    __slots__ = ("_frame", "_headers", "_prefix", "content")

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._headers: dict[int, bytes] = {}
        self._prefix = b""
        self._frame = b""

    def behind(self, prefix: bytes) -> bytes:
        """The frame for this prefix; one object for equal ids that follow each other."""
        if prefix != self._prefix:
            size = len(prefix)
            first = self._headers.get(size)
            if first is None:
                first = self._headers[size] = header(size + len(self.content))
            self._prefix, self._frame = prefix, first + prefix + self.content
        return self._frame


class Answer:
    """What an event is to a group: one rendering, a suffix for each answer that it may follow."""

    __slots__ = ("_body", "_event", "_suffixes", "next")

    def __init__(self, body: bytes, event: LoggedEvent) -> None:
        self._body = body
        self._event = event
        self._suffixes: dict[int, Suffix] | None = None
        self.next = Suffix(placed(body, event, event.offset - 1) + b"}")
        """For whoever was told of the event right before it, as nearly all were."""

    def after(self, told: int) -> Suffix:
        """For whoever was last told of the event at ``told``."""
        if told == self._event.offset - 1 or self._event.offset == 0:
            return self.next
        if self._suffixes is None:
            self._suffixes = {}
        suffix = self._suffixes.get(told)
        if suffix is None:
            suffix = self._suffixes[told] = Suffix(placed(self._body, self._event, told) + b"}")
        return suffix

    @property
    def size_bytes(self) -> int:
        """About what it holds in memory."""
        return 3 * len(self._body) + 1_000


def placed(body: bytes, event: LoggedEvent, previous: int) -> bytes:
    """The answer with its place in the stream; ``body`` is an object without ``extensions``."""
    if event.offset == 0:
        return b'%b,"extensions":{"rt":{"s":%b,"x":1}}}' % (body[:-1], orjson.dumps(event.stream))
    place: dict[str, str | int] = {"s": event.stream, "e": event.epoch, "o": event.offset}
    if previous != event.offset - 1:
        place["p"] = previous
    return b'%b,"extensions":{"rt":%b}}' % (body[:-1], orjson.dumps(place))
