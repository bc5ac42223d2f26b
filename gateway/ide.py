"""GraphiQL at ``/graphql`` in a browser: built as the app is, into ``web/dist/ide``.

Promises: nothing is loaded from elsewhere, so it works offline; nothing inline runs on the page.
Refuses: to exist in production, where introspection is off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from starlette.routing import BaseRoute, Route

from gateway.browsers import RawHeaders
from gateway.negotiation import MediaType
from gateway.pages import read_files
from gateway.replies import Reply
from gateway.settings import Settings

FOLDER = Path(__file__).parent / "web" / "dist" / "ide"
FILES_PATH = "/graphql/ide"
"""Where the build's own paths begin (``web/app/ide/vite.config.ts``)."""

_MISSING_PAGE = """<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>职工之家 · Unionhall GraphQL</title>
</head>
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


@dataclass(frozen=True, slots=True)
class Ide:
    """The page, and the routes of its files, read once."""

    page: Callable[[], Reply]
    routes: Sequence[BaseRoute]


def load_ide(settings: Settings, folder: Path = FOLDER) -> Ide:
    """The page as built, or the page that says how to build it."""
    if not (folder / "served.json").is_file():
        html = _MISSING_PAGE.format(address=escape(settings.address))
        return Ide(_replier(settings, html.encode()), [])
    files = dict(read_files(folder, {}))
    page = files.pop("/index.html").bodies[""]
    return Ide(
        _replier(settings, page),
        [Route(FILES_PATH + path, file.answer) for path, file in files.items()],
    )


def _replier(settings: Settings, body: bytes) -> Callable[[], Reply]:
    headers = _security(settings)
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
