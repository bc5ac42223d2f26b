"""The query page is ours alone: built here, hashed, without anything from elsewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
from starlette.applications import Starlette

from gateway.ide import FILES_PATH, load_ide
from gateway.settings import load

SOURCE = Path(__file__).parents[2] / "gateway" / "web" / "app"


PAGE = f'<!doctype html><script type="module" src="{FILES_PATH}/assets/index-A1.js"></script>'


def built(folder: Path) -> Path:
    (folder / "assets").mkdir()
    (folder / "assets" / "index-A1.js").write_text("1")
    (folder / "index.html").write_text(PAGE)
    (folder / "served.json").write_text("{}")
    return folder


def test_the_page_is_the_built_one_and_nothing_inline_may_run(tmp_path: Path) -> None:
    page = load_ide(load({}), built(tmp_path)).page()
    policy = dict(page.headers)[b"content-security-policy"]

    assert page.body.decode() == PAGE
    assert policy.startswith(b"default-src 'none'; script-src 'self'; style-src 'self'; ")
    assert b"unsafe" not in policy


def test_the_source_of_the_page_holds_nothing_inline_or_from_elsewhere() -> None:
    html = (SOURCE / "ide" / "index.html").read_text()

    assert "<style" not in html
    assert not re.findall(r"<script(?![^>]*src=)", html)
    assert "//" not in html
    assert f'base: "{FILES_PATH}/"' in (SOURCE / "ide" / "vite.config.ts").read_text()


async def test_files_are_kept_for_ever_because_their_names_change(tmp_path: Path) -> None:
    app = Starlette(routes=load_ide(load({}), built(tmp_path)).routes)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://hall"
    ) as client:
        script = await client.get(f"{FILES_PATH}/assets/index-A1.js")
        absent = [
            (await client.get(f"{FILES_PATH}/{name}")).status_code
            for name in ("served.json", "index.html", "assets/index-B2.js")
        ]

    assert "immutable" in script.headers["cache-control"]
    assert script.headers["content-type"].startswith("text/javascript")
    assert absent == [404] * 3


def test_without_a_build_the_page_says_how_to_get_it(tmp_path: Path) -> None:
    html = load_ide(load({}), tmp_path).page().body.decode()

    assert "pip install 'unionhall[node]'" in html
    assert "make install" in html


def test_versions_are_exact_and_no_address_is_locked() -> None:
    package = json.loads((SOURCE / "package.json").read_text())
    pins = {**package["dependencies"], **package["devDependencies"]}

    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in pins.values())
    assert "resolved" not in (SOURCE / "package-lock.json").read_text()
