"""GraphiQL at ``/graphql`` in a browser: built by npm into ``web/dist/ide``, served from memory.

Promises: nothing is loaded from elsewhere, so it works offline; nothing inline runs on the page.
Refuses: to exist in production, where introspection is off.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.browsers import RawHeaders
from gateway.negotiation import MediaType
from gateway.replies import Reply
from gateway.settings import Settings

FOLDER = Path(__file__).parent / "web" / "dist" / "ide"
FILES_PATH = "/graphql/ide"
FILE_BYTES_MAX = 8_000_000
"""All files stay in memory; a build of ours has two megabytes."""
IMMUTABLE = "public, max-age=31536000, immutable"
"""The name holds a digest of the content."""

_HEAD = """<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>职工之家 · Unionhall GraphQL</title>
"""
_PAGE = (
    _HEAD
    + """<link rel="stylesheet" href="{path}/{style}">
</head>
<body><div id="ide"></div><script type="module" src="{path}/{script}"></script></body>
</html>
"""
)
_MISSING_PAGE = (
    _HEAD
    + """</head>
<body>
<h1>职工之家 · Unionhall</h1>
<p>查询页面 GraphiQL 尚未构建（需要 Node.js）。接口本身已经可用。</p>
<p>The query page (GraphiQL) has not been built: that needs Node.js. The endpoint itself works.</p>
<p>To get the page: <code>make install</code> with Node.js ≥ 20.19 on the PATH, or without Node.js
first <code>pip install 'unionhall[node]'</code>; then start the server again.</p>
<p>Any other client will do too: <code>curl {address}/graphql -H 'content-type: application/json'
-d '{{"query":"{{__typename}}"}}'</code></p>
</body>
</html>
"""
)


@dataclass(frozen=True, slots=True)
class Ide:
    """The page and its files, read once."""

    page: Callable[[], Reply]
    files: Mapping[str, bytes]

    async def file(self, request: Request) -> Response:
        """One file of the build; its name changes whenever its content does."""
        name = request.path_params["name"]
        content = self.files.get(name)
        if content is None:
            return Response(status_code=404)
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return Response(content, media_type=kind, headers={"cache-control": IMMUTABLE})


def load_ide(settings: Settings, folder: Path = FOLDER) -> Ide:
    """The page as built, or the page that says how to build it."""
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        html = _MISSING_PAGE.format(address=escape(settings.address))
        return Ide(_replier(settings, html), {})
    names = orjson.loads(manifest.read_bytes())
    files = {
        file.name: file.read_bytes()
        for file in folder.iterdir()
        if file != manifest and file.stat().st_size <= FILE_BYTES_MAX
    }
    html = _PAGE.format(
        path=FILES_PATH, script=escape(names["script"]), style=escape(names["style"])
    )
    return Ide(_replier(settings, html), files)


def _replier(settings: Settings, html: str) -> Callable[[], Reply]:
    body, headers = html.encode(), _security(settings)
    return lambda: Reply(200, body, MediaType.HTML.content_type, headers)


def _security(settings: Settings) -> RawHeaders:
    """Scripts and styles come from our own files only; nothing inline, neither of them."""
    socket = settings.address.replace("http", "ws", 1)
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        f"img-src 'self' data:; font-src 'self' data:; connect-src 'self' {socket}; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
    return [(b"content-security-policy", policy.encode())]
