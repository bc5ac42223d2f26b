"""The query page is ours alone: built here, hashed, without anything from elsewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.routing import Route

from gateway.ide import FILES_PATH, load_ide
from gateway.settings import load

IDE_SOURCE = Path(__file__).parents[2] / "gateway" / "web" / "ide"


def built(folder: Path) -> Path:
    (folder / "ide-ABC.js").write_text("1")
    (folder / "ide-DEF.css").write_text("a{}")
    (folder / "manifest.json").write_text('{"script": "ide-ABC.js", "style": "ide-DEF.css"}')
    return folder


def test_the_page_loads_its_own_files_and_runs_nothing_inline(tmp_path: Path) -> None:
    ide = load_ide(load({}), built(tmp_path))
    page = ide.page()
    html, policy = page.body.decode(), dict(page.headers)[b"content-security-policy"]

    assert b"unsafe" not in policy
    assert "<style" not in html
    assert f'src="{FILES_PATH}/ide-ABC.js"' in html
    assert not re.findall(r"<script(?![^>]*src=)", html)
    assert "https://" not in html


async def test_files_are_kept_for_ever_because_their_names_change(tmp_path: Path) -> None:
    ide = load_ide(load({}), built(tmp_path))
    app = Starlette(routes=[Route(FILES_PATH + "/{name}", ide.file)])
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://hall"
    ) as client:
        script = await client.get(f"{FILES_PATH}/ide-ABC.js")
        absent = await client.get(f"{FILES_PATH}/manifest.json")

    assert "immutable" in script.headers["cache-control"]
    assert script.headers["content-type"].startswith("text/javascript")
    assert absent.status_code == 404


def test_without_a_build_the_page_says_how_to_get_it(tmp_path: Path) -> None:
    html = load_ide(load({}), tmp_path).page().body.decode()

    assert "pip install 'unionhall[node]'" in html
    assert "make install" in html


def test_versions_are_exact_and_no_address_is_locked() -> None:
    package = json.loads((IDE_SOURCE / "package.json").read_text())
    pins = {**package["dependencies"], **package["devDependencies"]}

    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in pins.values())
    assert "resolved" not in (IDE_SOURCE / "package-lock.json").read_text()
