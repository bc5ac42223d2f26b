"""The table of hazards names tests that there are, and no hazard is without one."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (?!hazard|---)(.+?) \| .+? \| (.*) \|$", re.MULTILINE)
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
HAZARDS_MIN = 20


def test_every_hazard_has_a_test_that_there_is() -> None:
    rows = ROW.findall((ROOT / "docs" / "realtime-hazards.md").read_text(encoding="utf-8"))
    missing = [hazard for hazard, tests in rows if not NAMED.search(tests)]
    gone = [
        f"{file}::{name}"
        for _, tests in rows
        for file, name in NAMED.findall(tests)
        if not (ROOT / file).is_file()
        or not re.search(rf"^(async def |def )?{name}\b", (ROOT / file).read_text(), re.MULTILINE)
    ]
    assert len(rows) >= HAZARDS_MIN
    assert (missing, gone) == ([], [])
