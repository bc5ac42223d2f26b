"""Twins: what both must do alike."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.redis_server import some_redis


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A running Redis, or a visible skip."""
    with some_redis() as url:
        yield url
