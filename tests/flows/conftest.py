"""Flows ask for an open vault by its fixture's name."""

from __future__ import annotations

from tests.support.vault import test_keyring  # noqa: F401  # a fixture
