"""The register of trusted documents (可信查询) on disk: filled at build, checked, read at start.

The register is committed beside the schema it was made for. A document once released stays in it,
so that a page that is still open, or an app that is not updated, goes on working after a deploy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from schema.root import build, core_schema
from schema.trusted import digest, misfits, read_register, write_register

REGISTER_FILE = Path(__file__).parent / "web" / "documents.json"
CLIENTS = (REGISTER_FILE.parent / "app", REGISTER_FILE.parent / "sdk")
"""The folders of our own clients."""
MADE_BY_CODEGEN = "persisted-documents.json"
"""What a client's code generator leaves: the same form as the register."""
FOLDERS_PASSED_OVER = frozenset({"node_modules", "dist"})


@dataclass(frozen=True, slots=True)
class Registering:
    """What a folder's documents change in the register."""

    added: int
    total: int
    misfits: Mapping[str, str]
    """Documents, old ones too, that the schema does not answer: nothing is written then."""


def registered(path: Path = REGISTER_FILE) -> dict[str, str]:
    """The committed register; empty where there is none yet. Raises BadRegister."""
    return read_register(path) if path.is_file() else {}


def documents_in(folder: Path) -> dict[str, str]:
    """Every document below a client's folder: ``*.graphql`` files, and what its codegen left.

    Raises BadRegister.
    """
    found: dict[str, str] = {}
    for path in _below(folder):
        if path.name == MADE_BY_CODEGEN:
            found |= read_register(path)
        elif path.suffix == ".graphql":
            text = path.read_text(encoding="utf-8").strip()
            found[digest(text)] = text
    return found


def register(folders: Sequence[Path], path: Path = REGISTER_FILE) -> Registering:
    """Add the folders' documents to the register, unless any document does not fit the schema."""
    known = registered(path)
    wanted = _all_in(folders)
    every = known | wanted
    wrong = misfits(core_schema(build()), every)
    if not wrong and every != known:
        write_register(path, every)
    return Registering(len(every) - len(known), len(every), wrong)


def check(folders: Sequence[Path], path: Path = REGISTER_FILE) -> list[str]:
    """What is wrong with the register: documents the schema breaks, documents not registered."""
    known = registered(path)
    wanted = _all_in(folders)
    wrong = [f"{name}: {why}" for name, why in misfits(core_schema(build()), known).items()]
    missing = sorted(wanted.keys() - known.keys())
    return wrong + [f"{name[:16]}…: not registered (make documents)" for name in missing]


def carry_out(folders: Sequence[Path], *, is_checked_only: bool) -> tuple[list[str], str]:
    """Check or register: what is wrong, and the sentence about it or about what was done."""
    if is_checked_only:
        wrong = check(folders)
        well = "Every registered document fits the schema, and clients ask nothing else."
        return wrong, "The register of documents does not hold:" if wrong else well
    done = register(folders)
    if done.misfits:
        return [f"{name}: {why}" for name, why in done.misfits.items()], "Nothing was registered:"
    return [], f"{done.added} documents added; {done.total} are registered."


def _all_in(folders: Sequence[Path]) -> dict[str, str]:
    found: dict[str, str] = {}
    for folder in folders:
        found |= documents_in(folder)
    return found


def _below(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not FOLDERS_PASSED_OVER & set(path.relative_to(folder).parts)
    )
