"""The package is built with its pages, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway import building


def sources(folder: Path) -> None:
    (folder / "app").mkdir()
    (folder / "app" / "package.json").write_text("{}")


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty web folder, and nothing on the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def an_npm(folder: Path, status: int) -> None:
    script = folder / "npm"
    script.write_text(f'#!/bin/sh\necho "$*" >> "{folder}/said"\nexit {status}\n')
    script.chmod(0o755)


def test_without_node_nothing_is_packaged(web: Path) -> None:
    sources(web)

    with pytest.raises(building.NotBuilt, match=r"Node\.js"):
        building.build_pages(web)


def test_a_failed_build_is_no_package(web: Path) -> None:
    sources(web)
    an_npm(web, status=1)

    with pytest.raises(building.NotBuilt, match="npm ci has failed"):
        building.build_pages(web)


def test_both_pages_are_built_from_one_lock_file(web: Path) -> None:
    sources(web)
    an_npm(web, status=0)
    building.build_pages(web)

    said = (web / "said").read_text().splitlines()
    assert said[0].startswith("ci ")
    assert said[1:] == ["run --silent build", "run --silent build:ide"]


def test_a_source_archive_needs_no_node_because_it_holds_what_was_built(web: Path) -> None:
    building.build_pages(web)

    assert os.listdir(web) == []
