"""Answers as bytes, with their errors in one order, whichever way they were found.

graphql-core tells errors as they happen, which depends on what the database answered first, and may
tell of several below one null. Here each null has one error, and errors come in the order of the
answer's own fields; so the same question gets the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from graphql import GraphQLError
from graphql.execution.executor import CollectedErrors
from graphql.execution.executor_throwing_on_incremental import ExecutorThrowingOnIncremental
from graphql.pyutils import Path

from schema.errors import formatted


class OnePerNull(CollectedErrors):
    """Errors by the place that became null; one there replaces what was told below it."""

    def __init__(self) -> None:
        super().__init__()
        self._at: list[Path | None] = []

    def add(self, error: GraphQLError, path: Path | None) -> None:
        """Tell of an error that made the place null."""
        before = len(self._errors)
        super().add(error, path)
        if len(self._errors) == before:
            return
        self._at.append(path)
        kept = [
            (told, at)
            for told, at in zip(self._errors, self._at, strict=True)
            if at == path or not _is_below(at, path)
        ]
        self._errors[:] = [told for told, _ in kept]
        self._at = [at for _, at in kept]


class Reference(ExecutorThrowingOnIncremental):
    """graphql-core's executor, telling one error for each null."""

    def __init__(self, *args: Any, **further: Any) -> None:
        super().__init__(*args, **further)
        self.collected_errors = OnePerNull()


def answer_bytes(data: Any, errors: Sequence[GraphQLError] | None) -> bytes:
    """The whole answer as JSON."""
    if not errors:
        return orjson.dumps({"data": data})
    told = sorted(errors, key=lambda error: _place(data, error.path or ()))
    return orjson.dumps({"data": data, "errors": [formatted(error) for error in told]})


def _is_below(path: Path | None, of: Path | None) -> bool:
    while path is not None:
        path = path.prev
        if path == of:
            return True
    return False


def _place(data: Any, path: Sequence[str | int]) -> list[int]:
    """Where in the answer the error's null is, by positions of fields and items."""
    place: list[int] = []
    for key in path:
        if isinstance(data, dict) and key in data:
            place.append(list(data).index(key))
        elif isinstance(data, list) and isinstance(key, int):
            place.append(key)
        else:
            break
        data = data[key]
    return place
