"""Flows run on the wall clock, with real servers as processes of their own."""

from __future__ import annotations

import pytest

from domain.kernel.clock import SystemClock
from domain.kernel.work import Works
from tests.support.announcing import RememberedAnnouncements


@pytest.fixture
def works_now(database: str, test_keyring: object) -> Works:
    """Units of work on the wall clock: what they make is in force for a real server."""
    return Works(SystemClock(), RememberedAnnouncements())
