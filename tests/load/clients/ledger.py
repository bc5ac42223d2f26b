"""What was sent, what was acknowledged, what came to the peer: each message by its number."""

from __future__ import annotations

import time


class Ledger:
    """Every message of one run. Numbers go on where the last round's ended, never twice."""

    def __init__(self, first: int) -> None:
        self._first = first
        self._sender: list[int] = []
        self._sent_at: list[float] = []
        self._acknowledged = bytearray()
        self._received = bytearray()
        self._failed = bytearray()
        self.latencies_s: list[float] = []
        self.twice = 0
        self.unsettled = 0
        """Sent, and neither received nor failed so far."""

    def send(self, sender: int, at: float) -> int:
        """Write down a message that is about to leave (or should have, at ``at``); its number."""
        self._sender.append(sender)
        self._sent_at.append(at)
        for marks in (self._acknowledged, self._received, self._failed):
            marks.append(0)
        self.unsettled += 1
        return self._first + len(self._sender) - 1

    def sender(self, number: int) -> int:
        """Who sent it."""
        return self._sender[number - self._first]

    def receive(self, number: int) -> bool:
        """It came to the peer; whether for the first time."""
        index = number - self._first
        if self._received[index]:
            self.twice += 1
            return False
        self._received[index] = 1
        self.unsettled -= not self._failed[index]
        self.latencies_s.append(time.perf_counter() - self._sent_at[index])
        return True

    def acknowledge(self, number: int) -> None:
        """The server says that it is kept."""
        self._acknowledged[number - self._first] = 1

    def fail(self, number: int) -> None:
        """The server says that it is not kept."""
        index = number - self._first
        self.unsettled -= not (self._received[index] or self._failed[index])
        self._failed[index] = 1

    @property
    def failed(self) -> int:
        """How many the server refused."""
        return sum(self._failed)

    @property
    def lost(self) -> int:
        """How many were acknowledged and never came."""
        return sum(
            acknowledged and not received
            for acknowledged, received in zip(self._acknowledged, self._received, strict=True)
        )

    @property
    def unanswered(self) -> int:
        """How many were neither acknowledged nor refused."""
        return sum(
            not acknowledged and not failed
            for acknowledged, failed in zip(self._acknowledged, self._failed, strict=True)
        )
