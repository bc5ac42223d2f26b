"""How a setting's text becomes a value, and what is said when it cannot."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one variable, and what would be right."""

    variable: str
    says: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.variable}: {self.says}. {self.remedy}"


class BadSettings(Exception):
    """The program must not start like this; ``problems`` holds all of them, not just the first."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems


class Unreadable(Exception):
    """A text that is no such value; the message says what would be."""


def to_switch(text: str) -> bool:
    """On or off, in the usual spellings."""
    folded = text.lower()
    if folded in {"1", "on", "yes", "true"}:
        return True
    if folded in {"0", "off", "no", "false"}:
        return False
    raise Unreadable("Use on or off")


def to_number(low: int, high: int) -> Callable[[str], int]:
    """A reader of whole numbers within the bounds, both included."""

    def parse(text: str) -> int:
        if text.isascii() and text.isdigit() and len(text) < 12 and low <= int(text) <= high:
            return int(text)
        raise Unreadable(f"Use a whole number from {low} to {high}")

    return parse


def to_url(*schemes: str) -> Callable[[str], str]:
    """A reader of URLs with one of the schemes."""

    def parse(text: str) -> str:
        try:
            parts = urlsplit(text)
            port_is_fine = parts.port is None or parts.port > 0
        except ValueError:
            port_is_fine = False
        if not port_is_fine or parts.scheme not in schemes:
            raise Unreadable(
                f"Use a URL that starts with {' or '.join(s + '://' for s in schemes)}"
            )
        return text

    return parse


def to_origin(text: str) -> str:
    """A web origin in lower case: scheme, host and port, nothing more (RFC 6454 §4)."""
    origin = to_url("http", "https")(text.strip().rstrip("/"))
    if urlsplit(origin).path or not urlsplit(origin).hostname:
        raise Unreadable("Use scheme://host[:port], without a path")
    return origin.lower()


def to_origins(text: str) -> tuple[str, ...]:
    """Web origins, separated by commas; ``*`` is read here and refused by the checks."""
    pieces = [piece for piece in text.split(",") if piece.strip()]
    return tuple("*" if piece.strip() == "*" else to_origin(piece) for piece in pieces)


def to_names(text: str) -> tuple[str, ...]:
    """Words, separated by commas."""
    return tuple(piece.strip() for piece in text.split(",") if piece.strip())


def to_path(text: str) -> Path:
    """An absolute path; ``~`` is the user's home."""
    return Path(text).expanduser().absolute()


def to_log_level(text: str) -> str:
    """One of four levels."""
    level = text.lower()
    if level not in {"debug", "info", "warning", "error"}:
        raise Unreadable("Use debug, info, warning or error")
    return level
