"""GraphQL over HTTP, the pure part: media types, parameters, statuses. No I/O, no state.

After the GraphQL-over-HTTP specification (draft): ``application/graphql-response+json`` tells by
its status whether execution began; ``application/json`` stays 200 for every well-formed request.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import ClassVar
from urllib.parse import parse_qsl

from domain.kernel.errors import Invalid
from domain.kernel.json_text import parse_json
from domain.kernel.ports import GraphQLRequest
from domain.kernel.streams import Json

ACCEPT_CHARS_MAX = 1_000
"""Browsers send under 200; beyond it the header is an attack and counts as absent."""
ACCEPT_RANGES_MAX = 32
OPERATION_NAME_CHARS_MAX = 256
GET_PARAMETERS_MAX = 16


class MediaType(StrEnum):
    """What the endpoint can answer with."""

    RESPONSE = "application/graphql-response+json"
    JSON = "application/json"
    HTML = "text/html"

    @property
    def content_type(self) -> str:
        """The header's value: everything here is UTF-8."""
        return f"{self.value}; charset=utf-8"


class BadRequest(Invalid):
    """A request that is none of GraphQL's, by its form; ``status`` is HTTP's word for it."""

    code: ClassVar[str] = "request.malformed"
    status: ClassVar[int] = 400

    def __init__(self, field: str = "body") -> None:
        super().__init__(field)


class NotAnObject(BadRequest):
    """A body that is JSON, but no object (batches are not offered: aliases do the same)."""

    code: ClassVar[str] = "request.not_an_object"


class QueryMissing(BadRequest):
    """No ``query``, or not a string."""

    code: ClassVar[str] = "request.query_missing"


class BadParameter(BadRequest):
    """``operationName``, ``variables`` or ``extensions`` of another type, or given twice."""

    code: ClassVar[str] = "request.bad_parameter"


class NotAcceptable(BadRequest):
    """No media type that the client accepts."""

    code: ClassVar[str] = "request.not_acceptable"
    status: ClassVar[int] = 406


class UnsupportedMediaType(BadRequest):
    """A body that does not call itself JSON in UTF-8."""

    code: ClassVar[str] = "request.unsupported_media_type"
    status: ClassVar[int] = 415


class MethodNotAllowed(BadRequest):
    """Another method than GET and POST, or GET for what changes something."""

    code: ClassVar[str] = "request.method_not_allowed"
    status: ClassVar[int] = 405

    def __init__(self, *, allowed: str = "GET, POST") -> None:
        super().__init__("method")
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class _Range:
    kind: str
    subkind: str
    quality: float

    def fit(self, media: MediaType) -> int:
        """2: named exactly; 1: by its kind; 0: by ``*/*``; -1: not at all."""
        kind, _, subkind = media.value.partition("/")
        if (self.kind, self.subkind) == ("*", "*"):
            return 0
        if self.kind != kind:
            return -1
        if self.subkind == "*":
            return 1
        return 2 if self.subkind == subkind else -1


@lru_cache(maxsize=256)
def accepted_type(accept: str, *, is_page_offered: bool = False) -> MediaType:
    """The media type to answer with (RFC 9110 §12.5.1). Raises NotAcceptable.

    Without a preference it is ``application/json``, as the specification wants it until every
    client names the newer one.
    """
    if not accept.strip() or len(accept) > ACCEPT_CHARS_MAX:
        return MediaType.JSON
    ranges = [_range(piece) for piece in accept.lower().split(",")[:ACCEPT_RANGES_MAX]]
    offered = [MediaType.RESPONSE, MediaType.JSON]
    if is_page_offered:
        offered.append(MediaType.HTML)
    best = max(offered, key=lambda media: _rank(media, ranges))
    if _rank(best, ranges)[0] <= 0:
        raise NotAcceptable("accept")
    return best


def _rank(media: MediaType, ranges: list[_Range]) -> tuple[float, int, int]:
    """Quality, then how exactly it was named; by a mere wildcard JSON comes first."""
    fit, quality = max(((r.fit(media), r.quality) for r in ranges), key=lambda pair: pair[0])
    if fit < 0:
        return (0.0, 0, 0)
    order = {MediaType.RESPONSE: 2, MediaType.JSON: 1, MediaType.HTML: 0}[media]
    if fit < 2:
        order = 3 if media is MediaType.JSON else 0
    return (quality, fit, order)


def _range(piece: str) -> _Range:
    name, *parameters = (part.strip() for part in piece.split(";"))
    kind, _, subkind = name.partition("/")
    quality = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                quality = min(1.0, max(0.0, float(value)))
            except ValueError:
                quality = 0.0
    return _Range(kind, subkind, quality)


@lru_cache(maxsize=64)
@lru_cache(maxsize=32)
def ensure_json(content_type: str) -> None:
    """Pass for ``application/json`` in UTF-8, or raise UnsupportedMediaType.

    Exactly this type: a page of another site can send the "simple" ones without being asked.
    """
    name, *parameters = (part.strip() for part in content_type.lower().split(";"))
    if name != MediaType.JSON.value:
        raise UnsupportedMediaType("content-type")
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "charset" and value.strip().strip('"') not in {"utf-8", "utf8"}:
            raise UnsupportedMediaType("content-type")


def request_of_body(body: bytes, *, bytes_max: int) -> GraphQLRequest:
    """The operation that a POST body asks for. Raises a BadJson or a BadRequest."""
    value = parse_json(body, bytes_max=bytes_max)
    if not isinstance(value, dict):
        raise NotAnObject
    return _request(value)


def request_of_url(query_string: bytes, *, bytes_max: int) -> GraphQLRequest:
    """The operation that a GET asks for. Raises a BadJson or a BadRequest."""
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=GET_PARAMETERS_MAX,
        )
    except ValueError:  # UnicodeDecodeError is one
        raise BadRequest("url") from None
    given = dict(pairs)
    if len(given) != len(pairs):
        raise BadParameter("url")
    value: dict[str, Json] = dict(given)
    for name in ("variables", "extensions"):
        if given.get(name):
            value[name] = parse_json(given[name].encode(), bytes_max=bytes_max)
    if "\0" in given.get("query", ""):
        raise QueryMissing("query")
    return _request(value)


def _request(value: dict[str, Json]) -> GraphQLRequest:
    query, name = value.get("query"), value.get("operationName")
    if not isinstance(query, str):
        raise QueryMissing("query")
    if name is not None and (not isinstance(name, str) or len(name) > OPERATION_NAME_CHARS_MAX):
        raise BadParameter("operationName")
    variables, extensions = value.get("variables"), value.get("extensions")
    if not isinstance(variables, dict | None):
        raise BadParameter("variables")
    if not isinstance(extensions, dict | None):
        raise BadParameter("extensions")
    return GraphQLRequest(query, name, variables or {}, extensions or {})
