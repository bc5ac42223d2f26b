"""Where a fan-out's frames leave this process: past the event loop, by one call for hundreds.

A lane's socket gets its frame straight from the kernel's ring (``gateway.ring``) when nothing waits
before it. What the socket does not take at once, its transport keeps and writes later, as it would
have anyway; what the transport then holds is how slow consumers are found. Every other socket is
written to by its transport, and so is everybody where the kernel grants no ring.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from gateway.lane_transport import LaneTransport
from gateway.ring import UNKNOWN, RingDenied, SendRing
from realtime.metrics import LiveMetrics
from realtime.transport import FEW, ONE_BY_ONE, Transport

logger = logging.getLogger(__name__)


class RingOutlet:
    """Sends by the ring what can be, all else by its transport. ``close`` it."""

    def __init__(self, ring: SendRing | None, metrics: LiveMetrics, few: int = FEW) -> None:
        self._ring = ring
        self._few = few
        self._metrics = metrics

    def write(self, transports: Sequence[Transport], frames: Sequence[bytes]) -> dict[int, int]:
        """Write to each transport its frame; answers where bytes wait, and how many."""
        if self._ring is None or len(frames) < self._few:
            return ONE_BY_ONE.write(transports, frames)
        # Nearly all are known to be ready: asking each transport fetches it into the cache, which
        # costs as much as all else of a delivery in this process.
        ready = [t.ready if type(t) is LaneTransport else -1 for t in transports]
        if -1 in ready:
            ready = [
                t.ready_descriptor() if number < 0 and type(t) is LaneTransport else number
                for number, t in zip(ready, transports, strict=True)
            ]
        if len(numbers := set(ready)) == len(ready) and -1 not in numbers:
            return self._send(self._ring, ready, transports, frames)
        return self._write_mixed(self._ring, ready, transports, frames)

    def close(self) -> None:
        """Give the ring back; from here on each frame is written by its transport."""
        ring, self._ring = self._ring, None
        if ring is not None:
            ring.close()

    def _write_mixed(
        self,
        ring: SendRing,
        ready: Sequence[int],
        transports: Sequence[Transport],
        frames: Sequence[bytes],
    ) -> dict[int, int]:
        """By the ring the first frame of each socket that is ready; then all the others. What one
        socket gets beyond its first frame is written by one more call, at the end of the turn."""
        firsts: dict[int, int] = {}
        others = []
        for place, number in enumerate(ready):
            if number < 0 or firsts.setdefault(number, place) != place:
                others.append(place)
        places = list(firsts.values())
        by_ring = self._send(
            ring, list(firsts), [transports[at] for at in places], [frames[at] for at in places]
        )
        unsent = {places[index]: waiting for index, waiting in by_ring.items()}
        begun: set[Transport] = set()
        for place in others:
            transport = transports[place]
            is_further = ready[place] >= 0 or transport in begun
            begun.add(transport)
            write = transport.write_soon if is_further else transport.write_frame
            if waiting := write(frames[place]):
                unsent[place] = waiting
        return unsent

    def _send(
        self,
        ring: SendRing,
        descriptors: Sequence[int],
        transports: Sequence[Transport],
        frames: Sequence[bytes],
    ) -> dict[int, int]:
        if not frames:
            return {}
        unsent = {}
        self._metrics.sent_together += len(frames)
        for place, taken in ring.send(descriptors, frames).items():
            if taken == UNKNOWN:
                transports[place].abort()
            elif waiting := transports[place].write_frame(frames[place][taken:]):
                unsent[place] = waiting
        if ring.is_broken:
            logger.error("the kernel's ring has failed: frames are written one by one from here on")
            self.close()
        return unsent


def granted_ring() -> SendRing | None:
    """The kernel's ring; None where it grants none."""
    try:
        return SendRing()
    except RingDenied as denied:
        logger.info("frames are written one by one: no ring (%s)", denied)
        return None
