"""Column kinds that Tortoise lacks and our tables need."""

from __future__ import annotations

from typing import Any

from tortoise import fields
from tortoise.fields.base import Field

PATH_CHARS_MAX = 400
"""Eleven levels of 36-character ids would fit; five levels are in use."""


class PathField(fields.CharField[str]):
    """A materialised path such as ``/1/57/``, collated "C" so that a range is a subtree."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.pop("max_length", None)
        super().__init__(max_length=PATH_CHARS_MAX, **kwargs)

    @property
    def SQL_TYPE(self) -> str:  # type: ignore[override]  # Tortoise reads a property here
        return f'VARCHAR({PATH_CHARS_MAX}) COLLATE "C"'


class DigestField(Field[bytes]):
    """A fixed-length digest (blind index, token hash) that may be indexed and unique."""

    field_type = bytes
    SQL_TYPE = "BYTEA"


class AssignedIntField(fields.IntField[int]):
    """An integer key that the program assigns; the ORM's own would become an identity column."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "generated": False})
