"""Six kinds of refusal, each with a stable code ``slice.reason``; everything else is a bug.

Codes are unique and never reworded: clients act on them and keep the sentences. Parameters are ids
and numbers, never personal data, because errors get logged.
"""

from __future__ import annotations

from typing import ClassVar


class DomainError(Exception):
    """A refusal that a caller may act on by its ``code``."""

    code: ClassVar[str]

    def __init__(self, **params: str | int | float) -> None:
        super().__init__(self.code)
        self.params = params


class NotFound(DomainError):
    """Absent, or not the caller's to know: the two look the same from outside."""

    code = "not_found"


class Forbidden(DomainError):
    """The caller knows that it exists, yet may not do this."""

    code = "forbidden"


class Unauthenticated(Forbidden):
    """Nobody is signed in, or no longer."""

    code = "access.unauthenticated"


class Invalid(DomainError):
    """A value that breaks a rule; ``field`` names the argument in the API's spelling."""

    code = "invalid"

    def __init__(self, field: str, **params: str | int | float) -> None:
        super().__init__(field=field, **params)
        self.field = field


class Conflict(DomainError):
    """The state or version does not allow it now."""

    code = "conflict"


class Limited(DomainError):
    """Too much, too fast; try again after ``retry_after_s`` seconds."""

    code = "limited"

    def __init__(self, retry_after_s: float, **params: str | int | float) -> None:
        super().__init__(retry_after_s=retry_after_s, **params)
        self.retry_after_s = retry_after_s


class Unavailable(DomainError):
    """Not now, through no fault of the caller's."""

    code = "unavailable"
