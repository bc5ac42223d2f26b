"""Pages as Vite builds them, served from memory; and the browser app at ``/``, of ``web/dist/app``.

Promises: files whose names hold a digest are kept by browsers for ever, everything else is asked
for anew and answered 304 when it is the same; each room of the app has one path, and the page is
served below these only; nothing inline runs. Refuses: to know what the app shows.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.settings import Settings

FOLDER = Path(__file__).parent / "web" / "dist" / "app"
FILE_BYTES_MAX = 8_000_000
"""All files stay in memory; a build of ours has about three megabytes."""
IMMUTABLE = "public, max-age=31536000, immutable"
"""The name holds a digest of the content."""
REVALIDATED = "no-cache"
ENCODINGS = {"br": ".br", "gzip": ".gz"}
"""The better first."""
_NOT_SERVED = {"served.json"}
_KINDS = {".js": "text/javascript", ".webmanifest": "application/manifest+json"}


@dataclass(frozen=True, slots=True)
class Page:
    """One file with its compressed twins, ready to be sent."""

    bodies: Mapping[str, bytes]
    """By content coding; "" is the file itself."""
    kind: str
    cache_control: str
    etag: str
    """Of the content; the same for every coding, hence weak."""
    policy: str | None

    async def answer(self, request: Request) -> Response:
        """The file, in the best coding that the browser takes, or 304."""
        headers = {
            "cache-control": self.cache_control,
            "etag": self.etag,
            "vary": "Accept-Encoding",
        }
        if self.policy:
            headers["content-security-policy"] = self.policy
        if self.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        coding = _accepted(request.headers.get("accept-encoding", ""), self.bodies)
        if coding:
            headers["content-encoding"] = coding
        return Response(self.bodies[coding], media_type=self.kind, headers=headers)


def load_pages(settings: Settings, folder: Path = FOLDER) -> list[BaseRoute]:
    """The routes of the app as built; none where it is not built."""
    built = folder / "served.json"
    if not built.is_file():
        return []
    routes: list[BaseRoute] = []
    policies = dict.fromkeys(("/index.html", "/worker.js"), _policy(settings))
    for path, page in read_files(folder, policies):
        if path == "/index.html":
            paths = ["/"]
            for room in orjson.loads(built.read_bytes())["rooms"]:
                paths += [f"/{room}", f"/{room}/{{rest:path}}"]
            routes += [Route(each, page.answer) for each in paths]
        else:
            routes.append(Route(path, page.answer))
    return routes


def read_files(folder: Path, policies: Mapping[str, str]) -> Iterator[tuple[str, Page]]:
    """Each file of a build with its path below the folder; ``policies``: content policy by path."""
    for file in sorted(folder.rglob("*")):
        is_twin = file.suffix in ENCODINGS.values()
        if not file.is_file() or is_twin or file.name in _NOT_SERVED:
            continue
        assert file.stat().st_size <= FILE_BYTES_MAX, file
        bodies = {"": file.read_bytes()}
        for coding, suffix in ENCODINGS.items():
            twin = file.with_name(file.name + suffix)
            if twin.is_file():
                bodies[coding] = twin.read_bytes()
        path = "/" + file.relative_to(folder).as_posix()
        kind = _KINDS.get(file.suffix) or mimetypes.guess_type(file.name)[0]
        yield (
            path,
            Page(
                bodies,
                kind or "application/octet-stream",
                IMMUTABLE if path.startswith("/assets/") else REVALIDATED,
                f'W/"{hashlib.blake2b(bodies[""], digest_size=12).hexdigest()}"',
                policies.get(path),
            ),
        )


def _accepted(header: str, bodies: Mapping[str, bytes]) -> str:
    """The best coding that both have (RFC 9110 § 12.5.3); "" for none."""
    taken = set()
    for each in header.lower().split(","):
        name, _, weight = each.partition(";")
        if weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}:
            taken.add(name.strip())
    return next((coding for coding in ENCODINGS if coding in taken and coding in bodies), "")


def _policy(settings: Settings) -> str:
    """Everything from our own files only; nothing inline, neither script nor style."""
    socket = settings.address.replace("http", "ws", 1)
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"font-src 'self'; connect-src 'self' {socket}; manifest-src 'self'; worker-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
