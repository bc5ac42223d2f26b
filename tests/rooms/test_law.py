"""The law of the rooms: who may import whom, who knows which library, how large a file may be."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from domain.kernel.errors import DomainError

ROOT = Path(__file__).parents[2]
ROOMS = ("gateway", "schema", "realtime", "domain")

TOP_LEVEL = {
    *("gateway", "schema", "realtime", "domain", "tests", "docs", ".ci"),
    *("pyproject.toml", "Procfile", "CHANGELOG.md", "README.md", "Makefile", ".gitignore"),
}
MAY_IMPORT = {
    "gateway": {"gateway", "schema", "realtime", "domain"},
    "schema": {"schema", "domain"},
    "realtime": {"realtime", "domain"},
    "domain": {"domain"},
}
FLOORS = (
    {"kernel"},
    {"vault"},
    {"org"},
    {"audit"},
    {"access"},
    {"members"},
    {"consultations", "notices"},
    {"reactions"},
)
"""Downwards only. Rooms of one floor never import each other. A new feature stands beside these."""
FLOORLESS = {"migrations"}
"""Names models and fields by their paths; nothing imports it but what migrates."""

ONE_ROOM = {
    "redis": ("realtime.redis_bus", "realtime.redis_presence", "realtime.redis_rates"),
    "cryptography": ("domain.vault",),
    "argon2": ("domain.vault",),
    "tortoise": ("domain", "gateway.migrate"),
    "pgqueuer": ("domain.kernel.jobs", "gateway.migrate", "gateway.working"),
    "uvicorn": ("gateway.handshake", "gateway.lane", "gateway.wire", "gateway.serving"),
    "websockets": ("gateway.handshake", "gateway.incoming", "gateway.lane"),
    "starlette": ("gateway",),
    "strawberry": ("schema",),
    "graphql": ("schema",),
    "typer": ("gateway.cli",),
    "prometheus_client": ("gateway.metrics",),
}
"""Who may know a library: whole rooms or single modules."""

FORBIDDEN_NAMES = {"utils", "util", "helpers", "common", "misc", "base", "manager", "managers"}
LINES_MAX = 300
TEST_LINES_MAX = 400
FUNCTION_LINES_MAX = 40
CODE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?")


def sources(*rooms: str) -> Iterator[Path]:
    for room in rooms:
        for path in sorted((ROOT / room).rglob("*.py")):
            if "node_modules" not in path.parts:
                yield path


def module_of(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


@cache
def imports_of(path: Path) -> frozenset[str]:
    """Every module that is named in an import, wherever in the file it stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module is not None
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(found)


def within(module: str, place: str) -> bool:
    return module == place or module.startswith(place + ".")


def floor_of(module: str) -> int | None:
    parts = module.split(".")
    if parts[0] != "domain" or len(parts) < 2:
        return None
    for number, slices in enumerate(FLOORS):
        if parts[1] in slices:
            return number
    return None


def test_the_top_level_is_as_ordered() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert {name.split("/")[0] for name in listed.split("\0") if name} <= TOP_LEVEL


def test_rooms_import_only_what_lies_below() -> None:
    wrong = [
        f"{module_of(path)} imports {name}"
        for room in ROOMS
        for path in sources(room)
        for name in imports_of(path)
        if name.split(".")[0] in ROOMS and name.split(".")[0] not in MAY_IMPORT[room]
    ]
    assert wrong == []


def test_no_room_imports_tests() -> None:
    wrong = [
        module_of(path)
        for path in sources(*ROOMS)
        if any(within(name, "tests") for name in imports_of(path))
    ]
    assert wrong == []


def test_every_slice_stands_on_a_floor() -> None:
    slices = {path.name for path in (ROOT / "domain").iterdir() if (path / "__init__.py").exists()}
    assert slices <= set().union(*FLOORS) | FLOORLESS


def test_floors_import_downwards_only() -> None:
    wrong = []
    for path in sources("domain"):
        mine = floor_of(module_of(path))
        for name in imports_of(path):
            theirs = floor_of(name)
            if (
                mine is None
                or theirs is None
                or name.split(".")[1] == module_of(path).split(".")[1]
            ):
                continue
            if theirs >= mine:
                wrong.append(f"{module_of(path)} imports {name}")
    assert sorted(set(wrong)) == []


@pytest.mark.parametrize("library", ONE_ROOM)
def test_a_library_is_known_in_its_room_only(library: str) -> None:
    wrong = [
        module_of(path)
        for path in sources(*ROOMS)
        if any(within(name, library) for name in imports_of(path))
        and not any(within(module_of(path), place) for place in ONE_ROOM[library])
    ]
    assert wrong == []


def test_rules_neither_wait_nor_reach_out() -> None:
    reaching = ("tortoise", "asyncpg", "asyncio", "domain.kernel.database", "time", "random")
    wrong = []
    for path in sources("domain"):
        if path.name != "rules.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.Await | ast.AsyncFunctionDef) for node in ast.walk(tree)):
            wrong.append(f"{module_of(path)} waits")
        wrong += [
            f"{module_of(path)} imports {name}"
            for name in imports_of(path)
            if any(within(name, place) for place in reaching)
        ]
    assert wrong == []


def test_the_domain_reads_neither_clock_nor_environment() -> None:
    words = re.compile(r"os\.environ|os\.getenv|datetime\.now\(|date\.today\(|time\.time\(")
    wrong = [
        module_of(path)
        for path in sources("domain", "schema", "realtime")
        if words.search(path.read_text(encoding="utf-8"))
        and module_of(path) != "domain.kernel.clock"
    ]
    assert wrong == []


def test_no_file_or_folder_has_a_name_that_says_nothing() -> None:
    wrong = [
        path for path in sources(*ROOMS, "tests") if FORBIDDEN_NAMES & {path.stem, path.parent.name}
    ]
    assert wrong == []


def test_files_are_short() -> None:
    wrong = {}
    for path in sources(*ROOMS, "tests"):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        is_migration = path.parent == ROOT / "domain" / "migrations"
        limit = TEST_LINES_MAX if module_of(path).startswith("tests") else LINES_MAX
        if lines > limit and not is_migration:
            wrong[module_of(path)] = lines
    assert wrong == {}


def test_functions_are_short() -> None:
    wrong = {}
    for path in sources(*ROOMS):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    wrong[f"{module_of(path)}.{node.name}"] = lines
    assert wrong == {}


def test_every_public_thing_says_what_it_does() -> None:
    wrong = []
    for path in sources(*ROOMS):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        is_migration = path.parent == ROOT / "domain" / "migrations" and path.stem != "__init__"
        if is_migration:
            continue
        if not ast.get_docstring(tree):
            wrong.append(module_of(path))
        wrong += [
            f"{module_of(path)}.{node.name}"
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
        ]
    assert wrong == []


def test_error_codes_are_unique_and_well_formed() -> None:
    for room in ROOMS:
        package = importlib.import_module(room)
        for found in pkgutil.walk_packages(package.__path__, f"{room}."):
            if not found.name.startswith("domain.migrations.0") and found.name != "gateway.cli":
                importlib.import_module(found.name)
    classes = defaultdict(list)
    for error in _all_errors(DomainError):
        if "code" in vars(error) and not error.__module__.startswith("tests"):
            classes[error.code].append(error.__qualname__)
    assert {code: names for code, names in classes.items() if len(names) > 1} == {}
    assert [code for code in classes if not CODE.fullmatch(code)] == []


def _all_errors(of: type[DomainError]) -> Iterator[type[DomainError]]:
    for error in of.__subclasses__():
        yield error
        yield from _all_errors(error)


def test_the_process_list_has_the_ordered_processes() -> None:
    lines = (ROOT / "Procfile").read_text().splitlines()
    assert [line.split(":")[0] for line in lines] == ["release", "web", "worker"]
