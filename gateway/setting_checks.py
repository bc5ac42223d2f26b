"""What settings must not be: insecure in production, contradictory, misspelt; and how they look.

Shown by ``unionhall check``, and asked before every start.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from gateway.setting_values import BadSettings, Problem
from gateway.settings import Settings, load

PREFIX = "UNIONHALL_"
FOREIGN_PREFIXES = ("UNIONHALL_TEST_", "UNIONHALL_CI")
"""Variables of the test suite, which the program itself never reads."""
OPERATOR_TOKEN_CHARS_MIN = 32
"""128 bits even in hexadecimal."""


def checked(environ: Mapping[str, str]) -> Settings:
    """The settings of this process, fit for their profile. Raises BadSettings with every reason."""
    settings = load(environ)
    if refused := refusals(settings, environ):
        raise BadSettings(refused)
    return settings


def refusals(settings: Settings, environ: Mapping[str, str]) -> tuple[Problem, ...]:
    """Why these settings must not run in their profile; empty: they may."""
    found = list(_contradictions(settings))
    if settings.is_production:
        found += [*_insecure_secrets(settings), *_insecure_doors(settings), *typos(environ)]
    return tuple(found)


def _contradictions(settings: Settings) -> Iterator[Problem]:
    if settings.database_pool_min > settings.database_pool_max:
        yield Problem(
            "UNIONHALL_DATABASE_POOL_MIN",
            f"{settings.database_pool_min} is above the maximum",
            f"Use at most {settings.database_pool_max}, or raise UNIONHALL_DATABASE_POOL_MAX.",
        )
    if settings.root_key and settings.root_key_file:
        yield Problem(
            "UNIONHALL_ROOT_KEY",
            "there is a UNIONHALL_ROOT_KEY_FILE too",
            "Keep one of the two, so that nobody can be mistaken about which counts.",
        )
    if "*" in settings.allowed_origins:
        yield Problem(
            "UNIONHALL_ALLOWED_ORIGINS",
            "* would let every web page act for a signed-in member",
            "List the origins by name.",
        )


def _insecure_secrets(settings: Settings) -> Iterator[Problem]:
    if not settings.database_url:
        yield Problem(
            "UNIONHALL_DATABASE_URL",
            "is missing; the embedded database is for development",
            "Name a PostgreSQL server that is backed up.",
        )
    elif _has_default_password(settings.database_url):
        yield Problem(
            "UNIONHALL_DATABASE_URL",
            "holds a password that everybody tries first",
            "Give the role a random one.",
        )
    if not settings.root_key_file and not settings.root_key:
        yield Problem(
            "UNIONHALL_ROOT_KEY_FILE",
            "is missing, so nothing could be sealed",
            "Make a key of 32 random bytes, keep a copy elsewhere, and name its file.",
        )
    if settings.root_key and not settings.is_root_key_from_environment_accepted:
        yield Problem(
            "UNIONHALL_ROOT_KEY",
            "the environment shows it to other programs",
            "Use UNIONHALL_ROOT_KEY_FILE, or set UNIONHALL_ROOT_KEY_FROM_ENVIRONMENT=on.",
        )
    token = settings.operator_token
    if token and (len(token) < OPERATOR_TOKEN_CHARS_MIN or len(set(token)) < 10):
        yield Problem(
            "UNIONHALL_OPERATOR_TOKEN",
            "is too easy to guess",
            f"Use {OPERATOR_TOKEN_CHARS_MIN} or more random characters.",
        )


def _insecure_doors(settings: Settings) -> Iterator[Problem]:
    if settings.is_debug:
        yield Problem("UNIONHALL_DEBUG", "is on in production", "Switch it off.")
    if not settings.is_secure:
        yield Problem(
            "UNIONHALL_PUBLIC_URL",
            "is missing or not https, so cookies would travel in the clear",
            "Give the https:// address that members type.",
        )
    if any(origin.startswith("http://") for origin in settings.allowed_origins):
        yield Problem(
            "UNIONHALL_ALLOWED_ORIGINS",
            "an http:// origin can be forged by anybody on the way",
            "Use https:// origins only.",
        )


def _has_default_password(url: str) -> bool:
    parts = urlsplit(url)
    guesses = {"", "postgres", "password", "unionhall", "secret", "changeme", "admin", "123456"}
    return parts.password is not None and parts.password.lower() in {
        *guesses,
        (parts.username or "").lower(),
    }


def typos(environ: Mapping[str, str]) -> tuple[Problem, ...]:
    """Variables with our prefix that nothing reads: probably misspelt, and so without effect."""
    known = [field.metadata["variable"] for field in dataclasses.fields(Settings)]
    found = []
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in known or name.startswith(FOREIGN_PREFIXES):
            continue
        near = difflib.get_close_matches(name, known, n=1)
        remedy = f"Did you mean {near[0]}?" if near else "`unionhall check` lists all there are."
        found.append(Problem(name, "no such setting, so it has no effect", remedy))
    return tuple(found)


@dataclasses.dataclass(frozen=True, slots=True)
class Explained:
    """One setting as `unionhall check` shows it: secrets are named, never shown."""

    variable: str
    value: str
    default: str
    unit: str
    means: str
    is_default: bool


def explain(settings: Settings) -> list[Explained]:
    """Each setting with value, default, unit and consequence."""
    rows = []
    for field in dataclasses.fields(Settings):
        value, default = getattr(settings, field.name), field.default
        shown = _shown(value)
        if field.metadata["is_secret"] and value:
            shown = _without_secret(value)
        rows.append(
            Explained(
                variable=field.metadata["variable"],
                value=shown,
                default=_shown(default),
                unit=field.metadata["unit"],
                means=field.metadata["means"],
                is_default=value == default
                or (field.name == "data_dir" and value == Path("var").absolute()),
            )
        )
    return rows


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ", ".join(value)
    return "" if value is None else str(value)


def _without_secret(value: str) -> str:
    parts = urlsplit(value)
    if not parts.scheme or not parts.netloc:
        return "(given)"
    host = parts.netloc.rpartition("@")[2]
    user = parts.username or ""
    return urlunsplit(parts._replace(netloc=f"{user}@{host}" if user else host, query=""))
