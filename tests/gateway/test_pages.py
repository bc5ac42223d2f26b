"""The browser app's files: kept by their names, else asked for anew; compressed; a page a room."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from starlette.applications import Starlette

from gateway.pages import load_pages
from gateway.settings import load

HTML = "<!doctype html><script type=module src=/assets/main-A1.js></script>"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(HTML)
    (tmp_path / "worker.js").write_text("1")
    for suffix, content in (("", "plain"), (".br", "brotli"), (".gz", "gzip")):
        (tmp_path / "assets" / f"main-A1.js{suffix}").write_text(content)
    (tmp_path / "served.json").write_text('{"rooms": ["sign-in", "member"]}')
    return tmp_path


@pytest_asyncio.fixture
async def client(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=load_pages(load({}), folder))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://hall") as opened:
        yield opened


async def test_each_room_is_the_page_and_nothing_else_is(client: httpx.AsyncClient) -> None:
    for path in ("/", "/member", "/member/cases/abc", "/sign-in"):
        assert (await client.get(path)).text == HTML
    for path in ("/nowhere", "/members", "/served.json", "/assets/", "/assets/../index.html"):
        assert (await client.get(path)).status_code == 404


async def test_nothing_inline_may_run_on_the_page(client: httpx.AsyncClient) -> None:
    policy = (await client.get("/")).headers["content-security-policy"]

    assert "unsafe" not in policy
    assert re.search(r"default-src 'none';.*script-src 'self';.*style-src 'self'", policy)


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("gzip, br", "br"), ("gzip", "gzip"), ("br;q=0, gzip;q=0.5", "gzip"), ("identity", None)],
)
async def test_files_come_in_the_best_coding_that_the_browser_takes(
    folder: Path, client: httpx.AsyncClient, accepted: str, coding: str | None
) -> None:
    async with client.stream(
        "GET", "/assets/main-A1.js", headers={"accept-encoding": accepted}
    ) as answer:
        sent = b"".join([part async for part in answer.aiter_raw()])

    suffix = {"br": ".br", "gzip": ".gz", None: ""}[coding]
    assert sent == (folder / "assets" / f"main-A1.js{suffix}").read_bytes()
    assert answer.headers.get("content-encoding") == coding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["content-type"].startswith("text/javascript")


async def test_hashed_names_are_kept_for_ever_and_the_page_is_asked_for_anew(
    client: httpx.AsyncClient,
) -> None:
    asset = await client.head("/assets/main-A1.js")
    page = await client.get("/")
    same = await client.get("/", headers={"if-none-match": page.headers["etag"]})

    assert "immutable" in asset.headers["cache-control"]
    assert page.headers["cache-control"] == "no-cache"
    assert (same.status_code, same.content) == (304, b"")
    assert "content-security-policy" in same.headers


def test_without_a_build_there_are_no_pages(tmp_path: Path) -> None:
    assert load_pages(load({}), tmp_path) == []
