"""What the app says: both languages say the same, and every word that is asked for is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

SOURCE = Path(__file__).parents[2] / "gateway" / "web" / "app" / "src"
FILES = sorted(SOURCE.rglob("words.zh-CN.json"))
CHINESE = r"[\u4e00-\u9fff」】）》]"


def said(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(key, sentence) of a file."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from said(inner, f"{path}.{key}" if path else key)
    else:
        yield path, value


def words(file: Path) -> dict[str, str]:
    return dict(said(orjson.loads(file.read_bytes())))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_both_languages_say_the_same_things(file: Path) -> None:
    chinese, english = words(file), words(file.with_name("words.en.json"))

    assert chinese.keys() == english.keys()
    for key, sentence in chinese.items():
        assert set(re.findall(r"{\w+}", english[key])) <= set(re.findall(r"{\w+}", sentence)), key
        assert not re.search(f"{CHINESE}[,;:!?]", sentence), f"{key}: half-width punctuation"


def test_every_word_that_a_page_asks_for_is_there() -> None:
    known = {f"{file.parent.name}.{key}" for file in FILES for key in words(file)}
    wrong = []
    for file in [*SOURCE.rglob("*.vue"), *SOURCE.rglob("*.ts")]:
        for asked in re.findall(r"\bt\(([^()]*)", file.read_text(encoding="utf-8")):
            for key in re.findall(r"""["'`]([a-z-]+\.[\w.-]+(?:\$\{)?)""", asked):
                start = key.removesuffix("${")
                is_there = any(each.startswith(start) for each in known)
                if not (is_there if key.endswith("${") else key in known):
                    wrong.append(f"{file.name}: {key}")
    assert wrong == []
