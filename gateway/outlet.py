"""Where a fan-out's frames leave this process: past the event loop, by one call for hundreds.

A lane's socket gets its frame straight from the kernel's ring (``gateway.ring``) when nothing waits
before it. What the socket does not take at once, its transport keeps and writes later, as it would
have anyway; what the transport then holds is how slow consumers are found. Every other socket is
written to by its transport, and so is everybody where the kernel grants no ring.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from gateway.lane import LaneTransport
from gateway.ring import LARGEST_BYTES, UNKNOWN, RingDenied, SendRing
from realtime.metrics import LiveMetrics
from realtime.transport import ONE_BY_ONE, Transport

logger = logging.getLogger(__name__)

FEW = 4
"""Frames for which the ring's call costs as much as the calls that it saves."""


class RingOutlet:
    """Sends by the ring what can be, all else by its transport. ``close`` it."""

    def __init__(self, ring: SendRing | None, metrics: LiveMetrics, few: int = FEW) -> None:
        self._ring = ring
        self._few = few
        self._metrics = metrics

    def write(self, transports: Sequence[Transport], frames: Sequence[bytes]) -> dict[int, int]:
        """Write to each transport its frame; answers where bytes wait, and how many."""
        if self._ring is None or len(frames) < self._few or max(map(len, frames)) > LARGEST_BYTES:
            return ONE_BY_ONE.write(transports, frames)
        places: list[int] = []
        descriptors: list[int] = []
        others: list[int] = []
        for place, transport in enumerate(transports):
            ready = transport.ready_descriptor() if type(transport) is LaneTransport else -1
            if ready < 0:
                others.append(place)
            else:
                places.append(place)
                descriptors.append(ready)
        if len(set(descriptors)) < len(descriptors):
            others += _repeated(places, descriptors)
        unsent = self._send(self._ring, transports, frames, places, descriptors)
        for place in others:
            if waiting := transports[place].write_frame(frames[place]):
                unsent[place] = waiting
        return unsent

    def close(self) -> None:
        """Give the ring back; from here on each frame is written by its transport."""
        ring, self._ring = self._ring, None
        if ring is not None:
            ring.close()

    def _send(
        self,
        ring: SendRing,
        transports: Sequence[Transport],
        frames: Sequence[bytes],
        places: Sequence[int],
        descriptors: Sequence[int],
    ) -> dict[int, int]:
        if others_too := len(places) < len(frames):
            short = ring.send(descriptors, [frames[place] for place in places])
        else:
            short = ring.send(descriptors, frames)
        self._metrics.sent_together += len(places)
        unsent = {}
        for index, taken in short.items():
            place = places[index] if others_too else index
            if taken == UNKNOWN:
                transports[place].abort()
            elif waiting := transports[place].write_frame(frames[place][taken:]):
                unsent[place] = waiting
        if ring.is_broken:
            logger.error("the kernel's ring has failed: frames are written one by one from here on")
            self.close()
        return unsent


def _repeated(places: list[int], descriptors: list[int]) -> list[int]:
    """Leave of each descriptor its first place only; the others, in order."""
    firsts: dict[int, int] = {}
    again = []
    for place, descriptor in zip(places, descriptors, strict=True):
        if firsts.setdefault(descriptor, place) != place:
            again.append(place)
    places[:], descriptors[:] = firsts.values(), firsts.keys()
    return again


def granted_ring() -> SendRing | None:
    """The kernel's ring; None where it grants none."""
    try:
        return SendRing()
    except RingDenied as denied:
        logger.info("frames are written one by one: no ring (%s)", denied)
        return None
