"""docs/errors.md has each code of the program once, with a sentence in Chinese and in English."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator

from tests.support.server import ROOT

PAGE = (ROOT / "docs" / "errors.md").read_text()
ROOMS = ("domain", "schema", "realtime", "gateway")
OUTER = re.compile(r"(graphql|request|json|text|page)\.[a-z_0-9]+")
"""Codes that the outer rooms give without a class of their own."""
ROW = re.compile(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \| ([\w-]+) \|$", re.M)
HAN = re.compile(r"[\u4e00-\u9fff]")
PARAMETERS = {"max", "field", "hours", "retryAfterS"}


def codes_of(tree: ast.Module, *, is_outer: bool) -> Iterator[str]:
    """The codes that a module can send: of its errors, of its ``…_OP``, and written in place."""
    for node in ast.walk(tree):
        match node:
            case (
                ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(code)))
                | ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(code)))
            ) if name == "code" or name.endswith("_OP"):
                yield code
            case ast.Call(func=ast.Name(id="refusal"), args=[ast.Constant(value=str(code)), *_]):
                yield code
            case ast.Constant(value=str(code)) if is_outer and OUTER.fullmatch(code):
                yield code


def codes_of_the_program() -> set[str]:
    """Every code in the four rooms."""
    return {
        code
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        for code in codes_of(ast.parse(path.read_text()), is_outer=room in {"schema", "gateway"})
    }


def test_each_code_of_the_program_stands_in_the_page_once() -> None:
    known = codes_of_the_program()
    rows = Counter(code for code, *_ in ROW.findall(PAGE))

    assert len(known) > 100, "they are not found any more"
    assert set(rows) == known
    assert [code for code, count in rows.items() if count > 1] == []
    assert len(re.findall(r"^\| `", PAGE, re.M)) == rows.total(), "a row of another form"


def test_each_code_has_a_sentence_in_both_languages_and_something_to_do() -> None:
    todo = set(re.findall(r"^\| \*\*([\w-]+)\*\*", PAGE, re.M))

    for code, chinese, english, do in ROW.findall(PAGE):
        assert HAN.search(chinese), code
        assert not HAN.search(english), code
        assert english.endswith("."), code
        assert chinese.endswith("。"), code
        assert do in todo, code
        assert set(re.findall(r"{(\w+)}", chinese + english)) <= PARAMETERS, code


def test_the_first_page_names_only_codes_that_there_are() -> None:
    known = codes_of_the_program()
    first = (ROOT / "docs" / "getting-started.md").read_text()
    slices = "|".join(sorted({code.split(".")[0] for code in known if "." in code}))
    named = set(re.findall(rf"`((?:{slices})\.[a-z_]+|RT_[A-Z]+)`", first))

    assert named
    assert named <= known
