"""Fixtures of every test through the schema."""

from __future__ import annotations

from tests.support.vault import test_keyring  # noqa: F401  # a fixture
