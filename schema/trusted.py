"""Trusted documents (可信查询): the register of what our own clients ask, and who must keep to it.

A client sends ``extensions.persistedQuery.sha256Hash`` with an empty ``query``; the register holds
the text. Whoever must keep to the register can send nothing else, so that a stranger's document is
never even parsed. Nothing is added to the register at run time.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson
from graphql import GraphQLError, GraphQLSchema

from domain.kernel.actor import Actor
from domain.kernel.ports import GraphQLRequest
from schema.documents import DocumentCache
from schema.errors import refusal

HASH_CHARS = 64
"""A SHA-256 in hexadecimal."""
UNKNOWN_DOCUMENT_OP = "PERSISTED_QUERY_NOT_FOUND"
"""The code, and below it the message, by which stock clients know to send the text instead."""
UNKNOWN_DOCUMENT_MESSAGE = "PersistedQueryNotFound"


class Bound(StrEnum):
    """Who must keep to the register."""

    NOBODY = "nobody"
    MEMBERS = "members"
    """Members and strangers; who holds a role may send documents of their own (office systems)."""
    EVERYBODY = "everybody"


class BadRegister(ValueError):
    """A register that is not what its command writes."""


@dataclass(frozen=True, slots=True)
class TrustedDocuments:
    """Texts by their SHA-256, and who is bound to them."""

    texts: Mapping[str, str] = field(default_factory=dict)
    bound: Bound = Bound.NOBODY

    def text_of(self, request: GraphQLRequest, actor: Actor) -> str:
        """The document to run. Raises GraphQLError: unknown, not the hash's, or not trusted."""
        wanted = _hash_of(request.extensions)
        if wanted is not None and not request.query:
            known = self.texts.get(wanted)
            if known is None:
                raise GraphQLError(
                    UNKNOWN_DOCUMENT_MESSAGE, extensions={"code": UNKNOWN_DOCUMENT_OP}
                )
            return known
        if wanted is not None and digest(request.query) != wanted:
            raise refusal("graphql.document_hash")
        if self._is_bound(actor) and digest(request.query) not in self.texts:
            raise refusal("graphql.untrusted_document")
        return request.query

    def _is_bound(self, actor: Actor) -> bool:
        if self.bound is Bound.MEMBERS:
            return not actor.reaches
        return self.bound is Bound.EVERYBODY


def digest(text: str) -> str:
    """The name of a document: SHA-256 of its UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _hash_of(extensions: Mapping[str, Any]) -> str | None:
    asked = extensions.get("persistedQuery")
    if asked is None:
        return None
    given = asked.get("sha256Hash") if isinstance(asked, dict) else None
    if not isinstance(given, str) or len(given) != HASH_CHARS:
        raise refusal("graphql.document_hash")
    return given.lower()


def read_register(path: Path) -> dict[str, str]:
    """The texts of a register file, ``{sha256: text}``. Raises BadRegister, OSError."""
    try:
        texts = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as bad:
        raise BadRegister(f"{path.name} is not JSON") from bad
    if not isinstance(texts, dict):
        raise BadRegister(f"{path.name} is not an object")
    for name, text in texts.items():
        if not isinstance(text, str) or digest(text) != name:
            raise BadRegister(f"{path.name}: {name[:16]}… is not the SHA-256 of its text")
    return texts


def write_register(path: Path, texts: Mapping[str, str]) -> None:
    """Write the file so that two writers of the same texts write the same bytes."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    path.write_bytes(orjson.dumps(dict(texts), option=options))


def misfits(schema: GraphQLSchema, texts: Mapping[str, str]) -> dict[str, str]:
    """Documents that the schema no longer answers: hash and first words → the first mistake."""
    documents = DocumentCache(schema)
    found = {}
    for name, text in texts.items():
        document = documents.get(text)
        if document.errors:
            first_words = " ".join(re.split(r"[({]", text, maxsplit=1)[0].split())
            found[f"{name[:16]} ({first_words})"] = document.errors[0].message
    return found
