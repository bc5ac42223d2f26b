"""`unionhall check`: every setting with its consequence, and whether it works on this machine."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.setting_checks import explain, refusals, typos
from gateway.setting_values import BadSettings, Problem
from gateway.settings import Settings, load

CHECK_S_MAX = 5.0
"""For a server to answer; a longer wait is a wrong address."""


def check_here(environ: Mapping[str, str], console: Console) -> bool:
    """Print all there is to know; whether the program may start."""
    try:
        settings = load(environ)
    except BadSettings as bad:
        _show("Cannot be meant", bad.problems, console)
        return False
    console.print(_table(settings))
    refused = refusals(settings, environ)
    found = tuple(_found_here(settings))
    _show("Refused in this profile", refused, console)
    _show("Does not work on this machine", found, console)
    if not settings.is_production:
        _show("Without effect", typos(environ), console)
    if refused or found:
        return False
    console.print(f"Unionhall may start here ({settings.profile} profile).")
    return True


def _table(settings: Settings) -> Table:
    table = Table("variable", "value", "default", "means", title="Settings (设置)")
    for row in explain(settings):
        unit = f" {row.unit}" if row.unit else ""
        value = escape(row.value) or "–"
        shown = value if row.is_default else f"[bold]{value}[/bold]"
        table.add_row(row.variable, shown + unit, row.default or "–", row.means)
    return table


def _show(title: str, problems: tuple[Problem, ...], console: Console) -> None:
    if not problems:
        return
    console.print(f"[bold]{title}:[/bold]")
    for problem in problems:
        console.print(f"  {problem}", markup=False)


def _found_here(settings: Settings) -> Iterator[Problem]:
    if settings.root_key_file is not None:
        yield from _key_file(settings.root_key_file)
    if settings.database_url:
        yield from asyncio.run(_database(settings.database_url))
    else:
        yield from _embedded(settings)
    if settings.redis_url:
        yield from asyncio.run(_redis(settings.redis_url))


def _key_file(path: Path) -> Iterator[Problem]:
    if not path.is_file():
        yield Problem(
            "UNIONHALL_ROOT_KEY_FILE", "there is no such file", "`unionhall keys init` makes it."
        )
    elif path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Problem("UNIONHALL_ROOT_KEY_FILE", "others may read the file", "chmod 600 it.")


def _embedded(settings: Settings) -> Iterator[Problem]:
    from gateway.postgres_binaries import NoPostgres, find_binaries

    version = settings.data_dir / "postgres" / "PG_VERSION"
    major = int(version.read_text().split(".")[0]) if version.is_file() else None
    try:
        find_binaries(major)
    except NoPostgres as why:
        yield Problem("UNIONHALL_DATABASE_URL", "is empty, and no private one can start", str(why))


async def _database(url: str) -> list[Problem]:
    from gateway.preparing import NotPrepared, ensure_reachable

    try:
        await ensure_reachable(url)
    except NotPrepared as why:
        return [Problem("UNIONHALL_DATABASE_URL", "does not work", str(why))]
    return []


async def _redis(url: str) -> list[Problem]:
    """Only whether somebody listens there: what Redis says is the live layer's business."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    try:
        async with asyncio.timeout(CHECK_S_MAX):
            if parts.scheme == "unix":
                _, writer = await asyncio.open_unix_connection(parts.path)
            else:
                host, port = parts.hostname or "127.0.0.1", parts.port or 6379
                _, writer = await asyncio.open_connection(host, port)
            writer.close()
    except (OSError, TimeoutError) as why:
        return [Problem("UNIONHALL_REDIS_URL", "cannot be reached", f"{type(why).__name__} there.")]
    return []
