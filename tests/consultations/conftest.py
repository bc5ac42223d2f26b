"""Every test here has an open vault."""

from __future__ import annotations

from tests.support.vault import test_keyring  # noqa: F401  # a fixture
