"""Whether the bus carries: each process sends itself and its peers a canary through the whole way.

Its own canary that stays away means that nothing comes through. A peer's that stops, without that
the peer has taken leave, means that the peer has died, maybe between a commit and its hint, or that
the two hear different servers. Either way the log is to be looked at often for a while.
"""

from __future__ import annotations

from typing import Final

from realtime.metrics import Histogram

CANARY_S: Final = 0.5
"""Between two canaries."""
ILL_AFTER_S: Final = 1.25
"""Without the own canary for so long the bus is ill: less than 2 s after it broke."""
PEER_SILENT_AFTER_S: Final = 2.5
"""Longer than the own: a busy peer may be late, and nothing is wrong with the bus then."""
PEER_FORGOTTEN_AFTER_S: Final = 60.0
"""A peer that has been silent for so long is gone; every sweep since has looked for its events."""
PEERS_MAX: Final = 256
"""Processes of one federation; more are not watched."""
LEAVE: Final = b"leave"


class Canaries:
    """What this process has heard. Instants are its own, in seconds."""

    def __init__(self, origin: str, lag_s: Histogram) -> None:
        self._origin = origin
        self._lag_s = lag_s
        self._own_at = float("-inf")
        self._peers: dict[str, float] = {}

    @property
    def own_at(self) -> float:
        """When the latest of its own that came back was sent."""
        return self._own_at

    def sent(self, now: float) -> bytes:
        """A canary to send."""
        return b"%b %b" % (self._origin.encode(), repr(now).encode())

    def leaving(self) -> bytes:
        """What to send instead when this process ends in order."""
        return b"%b %b" % (self._origin.encode(), LEAVE)

    def heard(self, raw: bytes, now: float) -> None:
        """One has come; what is none is passed over."""
        origin, _, said = raw.partition(b" ")
        try:
            peer = origin.decode("ascii")
            if peer == self._origin:
                sent_at = float(said)
                self._own_at = max(self._own_at, sent_at)
                self._lag_s.observe(now - sent_at)
            elif said == LEAVE:
                self._peers.pop(peer, None)
            elif peer in self._peers or len(self._peers) < PEERS_MAX:
                self._peers[peer] = now
        except ValueError:
            return

    def are_well(self, now: float) -> bool:
        """Whether its own come back and no peer's have stopped."""
        for peer, heard_at in tuple(self._peers.items()):
            if now - heard_at > PEER_FORGOTTEN_AFTER_S:
                del self._peers[peer]
        is_heard = now - self._own_at <= ILL_AFTER_S
        return is_heard and all(now - at <= PEER_SILENT_AFTER_S for at in self._peers.values())
