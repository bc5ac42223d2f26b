"""Every setting there is: read once from the environment, frozen, explained.

Promises: a value that cannot be meant is refused with its variable and the remedy; the production
profile refuses whatever would be insecure there. Refuses: to be read again, or by any other room
(the domain is told what it needs), and to show a secret.
"""

# ruff: noqa: RUF009 - _setting is dataclasses.field: evaluated once, and its default is immutable
from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from gateway.setting_values import (
    BadSettings,
    Problem,
    Unreadable,
    to_log_level,
    to_names,
    to_number,
    to_origin,
    to_origins,
    to_path,
    to_switch,
    to_url,
)
from schema.trusted import Bound

T = TypeVar("T")


class Profile(StrEnum):
    """Where the program runs: on somebody's desk, or for members."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


def _profile(text: str) -> Profile:
    try:
        return Profile(text)
    except ValueError:
        raise Unreadable("Use development or production") from None


def _bound(text: str) -> Bound:
    try:
        return Bound(text)
    except ValueError:
        raise Unreadable("Use nobody, members or everybody") from None


def _setting(
    variable: str,
    default: T,
    parse: Callable[[str], T],
    *,
    means: str,
    unit: str = "",
    secret: bool = False,
) -> T:
    metadata = {"variable": variable, "parse": parse, "means": means, "unit": unit}
    metadata["is_secret"] = secret
    # dataclasses.field() returns the default's type only on paper; this keeps the fields typed.
    made: Any = dataclasses.field(default=default, metadata=metadata)
    return made  # type: ignore[no-any-return]  # as dataclasses.field itself is declared


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The whole configuration of one process."""

    profile: Profile = _setting(
        "UNIONHALL_PROFILE",
        Profile.DEVELOPMENT,
        _profile,
        means="production refuses to start with anything insecure; development explains more",
    )
    host: str = _setting(
        "UNIONHALL_HOST",
        "127.0.0.1",
        str,
        means="address to listen at; 0.0.0.0 opens the port to the network",
    )
    port: int = _setting("PORT", 8000, to_number(1, 65_535), means="TCP port to listen at")
    public_url: str = _setting(
        "UNIONHALL_PUBLIC_URL",
        "",
        to_origin,
        means="where browsers reach the program; https makes cookies Secure; empty: host and port",
    )
    allowed_origins: tuple[str, ...] = _setting(
        "UNIONHALL_ALLOWED_ORIGINS",
        (),
        to_origins,
        means="further web pages that may call with a member's cookie, separated by commas",
    )
    trusted_proxies: tuple[str, ...] = _setting(
        "UNIONHALL_TRUSTED_PROXIES",
        (),
        to_names,
        means="addresses whose X-Forwarded-For is believed, separated by commas; else nobody's",
    )
    database_url: str = _setting(
        "UNIONHALL_DATABASE_URL",
        "",
        to_url("postgresql", "postgres"),
        secret=True,
        means="PostgreSQL 15 or newer; empty: a private one is started under the data directory",
    )
    database_pool_min: int = _setting(
        "UNIONHALL_DATABASE_POOL_MIN",
        2,
        to_number(0, 100),
        unit="connections",
        means="kept open; the first requests after a pause find them ready",
    )
    database_pool_max: int = _setting(
        "UNIONHALL_DATABASE_POOL_MAX",
        10,
        to_number(1, 100),
        unit="connections",
        means="processes x this must stay below the server's max_connections",
    )
    redis_url: str = _setting(
        "UNIONHALL_REDIS_URL",
        "",
        to_url("redis", "rediss", "unix"),
        secret=True,
        means="hints between several processes; empty: one process serves alone",
    )
    data_dir: Path = _setting(
        "UNIONHALL_DATA_DIR",
        Path("var"),
        to_path,
        means="the embedded database, the development key and uploads live here",
    )
    root_key_file: Path | None = _setting(
        "UNIONHALL_ROOT_KEY_FILE",
        None,
        to_path,
        means="file (mode 0600) with the root key; development makes <data dir>/root.key",
    )
    root_key: str = _setting(
        "UNIONHALL_ROOT_KEY",
        "",
        str,
        secret=True,
        means="the root key itself; a file is safer: other programs can read the environment",
    )
    is_root_key_from_environment_accepted: bool = _setting(
        "UNIONHALL_ROOT_KEY_FROM_ENVIRONMENT",
        False,
        to_switch,
        means="on: production may take the root key from the environment",
    )
    operator_token: str = _setting(
        "UNIONHALL_OPERATOR_TOKEN",
        "",
        str,
        secret=True,
        means="bearer token for /metrics and /readyz details; empty: for nobody but a developer's "
        "own machine",
    )
    is_debug: bool = _setting(
        "UNIONHALL_DEBUG",
        False,
        to_switch,
        means="on: asyncio's debug mode, slow and talkative; refused in production",
    )
    log_level: str = _setting(
        "UNIONHALL_LOG_LEVEL",
        "info",
        to_log_level,
        means="debug logs more ids, never content",
    )
    graphql_body_bytes_max: int = _setting(
        "UNIONHALL_GRAPHQL_BODY_BYTES_MAX",
        65_536,
        to_number(1_024, 1_048_576),
        unit="bytes",
        means="a longer request is answered 413 before it is read",
    )
    bound_to_documents: Bound | None = _setting(
        "UNIONHALL_BOUND_TO_DOCUMENTS",
        None,
        _bound,
        means="who may send registered documents only: nobody, members (and strangers), everybody; "
        "empty: members in production, nobody in development",
    )
    backlog: int = _setting(
        "UNIONHALL_BACKLOG",
        2_048,
        to_number(16, 65_535),
        unit="connections",
        means="waiting to be accepted; a storm of reconnects beyond it is refused by the kernel",
    )
    sockets_max: int = _setting(
        "UNIONHALL_SOCKETS_MAX",
        20_000,
        to_number(10, 200_000),
        unit="sockets",
        means="open at once in one process; a further one is told to come again (503)",
    )
    sockets_pending_per_client_max: int = _setting(
        "UNIONHALL_SOCKETS_PENDING_PER_CLIENT_MAX",
        1_000,
        to_number(10, 200_000),
        unit="sockets",
        means="of an address, not signed in yet; a further one is told to come again (503); "
        "a town may share one (NAT), everybody a proxy missing in UNIONHALL_TRUSTED_PROXIES",
    )
    is_sending_together: bool = _setting(
        "UNIONHALL_SEND_TOGETHER",
        True,
        to_switch,
        means="off: no io_uring, each frame to each socket is a system call of its own",
    )
    shutdown_grace_s: int = _setting(
        "UNIONHALL_SHUTDOWN_GRACE_S",
        15,
        to_number(1, 300),
        unit="seconds",
        means="running requests may finish for this long after SIGTERM",
    )
    sign_in_threads: int = _setting(
        "UNIONHALL_SIGN_IN_THREADS",
        2,
        to_number(1, 64),
        unit="threads",
        means="passwords checked at once; each needs up to 64 MiB",
    )

    @property
    def is_production(self) -> bool:
        return self.profile is Profile.PRODUCTION

    @property
    def documents_bind(self) -> Bound:
        """Who must keep to the register of documents."""
        if self.bound_to_documents is not None:
            return self.bound_to_documents
        return Bound.MEMBERS if self.is_production else Bound.NOBODY

    @property
    def address(self) -> str:
        """Where browsers reach the program, without a trailing slash."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104 - compared, not bound
        return self.public_url or f"http://{host}:{self.port}"

    @property
    def is_secure(self) -> bool:
        """Whether browsers come over TLS, so that cookies are Secure and HSTS makes sense."""
        return self.address.startswith("https://")

    @property
    def origins(self) -> frozenset[str]:
        """Web origins that may use a member's cookie: our own, those configured, and no other."""
        own = {self.address}
        if not self.is_production:
            own |= {f"http://localhost:{self.port}", f"http://127.0.0.1:{self.port}"}
        return frozenset(own | set(self.allowed_origins))


def load(environ: Mapping[str, str]) -> Settings:
    """The settings of this process. Raises BadSettings with every unreadable one at once.

    Whether they may run in their profile is said by ``gateway.setting_checks``.
    """
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for field in dataclasses.fields(Settings):
        variable = field.metadata["variable"]
        text = environ.get(variable, "").strip()
        if not text:
            continue
        try:
            values[field.name] = field.metadata["parse"](text)
        except Unreadable as why:
            shown = "a secret" if field.metadata["is_secret"] else repr(text[:60])
            problems.append(Problem(variable, f"{shown} cannot be meant", f"{why}."))
    if problems:
        raise BadSettings(tuple(problems))
    settings = Settings(**values)
    if not settings.data_dir.is_absolute():
        settings = dataclasses.replace(settings, data_dir=settings.data_dir.absolute())
    return settings
