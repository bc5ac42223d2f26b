"""What the canaries say of the bus: nothing comes through, or somebody has vanished."""

from __future__ import annotations

import pytest

from realtime.canaries import ILL_AFTER_S, PEER_FORGOTTEN_AFTER_S, PEER_SILENT_AFTER_S, Canaries
from realtime.metrics import Histogram


def canaries(origin: str = "a") -> Canaries:
    return Canaries(origin, Histogram((0.1, 1.0)))


def test_the_own_canary_must_come_back_and_is_timed() -> None:
    mine = canaries()
    assert not mine.are_well(0.0)
    mine.heard(mine.sent(10.0), 10.05)
    assert mine.are_well(10.0 + ILL_AFTER_S)
    assert not mine.are_well(10.0 + ILL_AFTER_S + 0.01)
    assert mine.own_at == 10.0


def test_a_canary_that_comes_late_is_no_sign_of_health() -> None:
    mine = canaries()
    mine.heard(mine.sent(10.0), 15.0)
    assert not mine.are_well(15.0)


def test_a_peer_that_vanishes_is_missed_for_a_minute_and_one_that_leaves_is_not() -> None:
    mine, other = canaries(), canaries("b")
    mine.heard(other.sent(500.0), 10.0)
    vanished = 10.0 + PEER_SILENT_AFTER_S + 0.1
    mine.heard(mine.sent(vanished), vanished)
    assert not mine.are_well(vanished)
    forgotten = 10.0 + PEER_FORGOTTEN_AFTER_S + 0.1
    mine.heard(mine.sent(forgotten), forgotten)
    assert mine.are_well(forgotten)

    mine.heard(other.sent(600.0), forgotten)
    mine.heard(other.leaving(), forgotten)
    later = forgotten + PEER_SILENT_AFTER_S + 0.1
    mine.heard(mine.sent(later), later)
    assert mine.are_well(later)


@pytest.mark.parametrize("raw", [b"", b"a", b"a x", b"\xff 1", b" "])
def test_what_is_no_canary_says_nothing(raw: bytes) -> None:
    mine = canaries()
    mine.heard(raw, 1.0)
    assert mine.own_at == float("-inf")
