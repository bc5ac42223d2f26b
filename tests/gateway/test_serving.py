"""An end that hangs is ended hard."""

from __future__ import annotations

import os

import pytest

from gateway import serving
from tests.support.redis_server import eventually


async def test_what_does_not_end_in_time_is_ended_hard(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    serving.end_hard_after(0.01)
    await eventually(lambda: codes == [1])
