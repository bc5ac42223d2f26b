"""docs/conformance.md names tests that exist, where it says they are."""

from __future__ import annotations

import re

from tests.support.server import ROOT

PAGE = (ROOT / "docs" / "conformance.md").read_text()
FILES = {"p": "protocol", "c": "connection", "s": "sockets", "w": "conformance"}
DEFINED = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)


def defined_in(*patterns: str) -> set[str]:
    """The tests of these files."""
    return {
        name
        for pattern in patterns
        for file in ROOT.glob(pattern)
        for name in DEFINED.findall(file.read_text())
    }


def test_every_test_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))

    assert len(named) > 40
    assert named <= defined_in("tests/realtime/*.py", "tests/clients/*.py", "tests/flows/*.py")


def test_each_stands_in_the_file_that_its_letter_means() -> None:
    placed = re.findall(r"\b([pcsw]) ((?:`test_\w+`(?:, (?=`))?)+)", PAGE)

    assert len(placed) > 30
    for letter, names in placed:
        there = defined_in(f"tests/realtime/test_{FILES[letter]}.py")
        assert set(re.findall(r"test_\w+", names)) <= there
