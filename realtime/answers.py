"""One event as one subscription's answer: rendered by the schema, with its place spliced in.

``extensions.rt`` holds the stream ``s``, its epoch ``e`` and the event's offset ``o``; ``p`` is the
offset of the answer or ``live`` announcement before it, given only when events lay between that
were not for this subscription: an answer is the next one when ``(p ?? o - 1)`` is where the client
stands. A whisper has ``x`` instead: it never moves a position.
"""

from __future__ import annotations

import orjson

from domain.kernel.ports import Live
from domain.kernel.streams import LoggedEvent


async def render(live: Live, event: LoggedEvent) -> bytes | None:
    """``{"data":…}`` for this event, or None when it is not for this subscription.

    The one place where an event becomes an answer: sharing a rendering among operations goes here.
    """
    return await live.render(event)


def placed(body: bytes, event: LoggedEvent, previous: int) -> bytes:
    """The answer with its place in the stream; ``body`` is an object without ``extensions``."""
    if event.offset == 0:
        return b'%b,"extensions":{"rt":{"s":%b,"x":1}}}' % (body[:-1], orjson.dumps(event.stream))
    place: dict[str, str | int] = {"s": event.stream, "e": event.epoch, "o": event.offset}
    if previous != event.offset - 1:
        place["p"] = previous
    return b'%b,"extensions":{"rt":%b}}' % (body[:-1], orjson.dumps(place))
