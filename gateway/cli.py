"""The command line ``unionhall``. Each command imports what it needs, so that help is quick."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from gateway.settings import Settings
    from gateway.telling import Teller

T = TypeVar("T")

app = typer.Typer(
    name="unionhall",
    help="职工之家 · Unionhall: the service platform of a federation of trade unions.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
keys = typer.Typer(help="The federation's keys (密钥).", no_args_is_help=True)
app.add_typer(keys, name="keys")

SDL_FILE = Path(__file__).parent.parent / "docs" / "schema.graphql"
MEMBERS_DEFAULT = 20_000
Members = Annotated[int, typer.Option(help="Members of the sample.")]


def main() -> None:
    """The entry point."""
    app()


@app.command()
def serve() -> None:
    """Serve HTTP, GraphQL and sockets (with a private database where none is given)."""
    settings = _settings()
    from gateway import serving

    serving.log_to_stderr(settings)
    teller = _teller()
    listener = _bound(settings)
    with _database(settings, teller) as url:
        _prepare(settings, url, teller)
        teller.done()
        ready = lambda: teller.line(f"Unionhall serves at {settings.address}")  # noqa: E731 - one use
        with_worker = not settings.database_url
        _run(
            settings,
            serving.serve(settings, url, listener, with_worker=with_worker, on_ready=ready),
        )


@app.command()
def demo(members: Members = MEMBERS_DEFAULT) -> None:
    """Start everything with a sample federation, and print how to sign in."""
    settings = _settings()
    _refuse_in_production(settings, "demo")
    from gateway import serving, showing

    serving.log_to_stderr(settings)
    teller = _teller()
    listener = _bound(settings)
    with _database(settings, teller) as url:
        _prepare(settings, url, teller)
        import gateway.seed as sample

        _run(settings, sample.sow(settings, url, members=members, tell=teller.tell))
        teller.done()
        ready = lambda: showing.show(settings, sample.sign_ins(), teller.console)  # noqa: E731
        _run(settings, serving.serve(settings, url, listener, with_worker=True, on_ready=ready))


@app.command()
def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Fail when models say what no migration does.")
    ] = False,
    write: Annotated[
        str, typer.Option("--write", metavar="NAME", help="Write the next migration file.")
    ] = "",
    restored: Annotated[
        bool, typer.Option("--restored", help="After a restore: clients must fetch all anew.")
    ] = False,
) -> None:
    """Bring the database to this version; safe to run anywhere at any time."""
    import asyncio

    from gateway import migrate as migrating
    from gateway import preparing

    if write:
        path = asyncio.run(migrating.write_migration(write))
        typer.echo(path or "The models and the migrations agree; nothing was written.")
        return
    if check:
        if changes := asyncio.run(migrating.unwritten_changes()):
            _fail("No migration does this yet (make migrations NAME=…):", *changes)
        typer.echo("The models and the migrations agree.")
        return
    settings, teller = _settings(), _teller()
    with _database(settings, teller) as url:
        applied = asyncio.run(migrating.migrate(url, tell=teller.tell))
        if restored:
            asyncio.run(preparing.renew_log(url))
    teller.done()
    typer.echo(f"Applied: {', '.join(applied)}" if applied else "Nothing to apply.")


@app.command()
def seed(members: Members = MEMBERS_DEFAULT) -> None:
    """Fill an empty database with the sample federation (never in production)."""
    settings = _settings()
    _refuse_in_production(settings, "seed")
    import gateway.seed as sample

    teller = _teller()
    with _database(settings, teller) as url:
        _prepare(settings, url, teller)
        _run(settings, sample.sow(settings, url, members=members, tell=teller.tell))
    teller.done()


@app.command()
def schema(
    check: Annotated[
        bool, typer.Option("--check", help="Compare with the committed docs/schema.graphql.")
    ] = False,
) -> None:
    """Print the GraphQL schema (SDL)."""
    from schema.root import sdl

    text = sdl().rstrip() + "\n"
    if not check:
        sys.stdout.write(text)
        return
    committed = SDL_FILE.read_text(encoding="utf-8") if SDL_FILE.is_file() else ""
    if committed != text:
        import difflib

        lines = difflib.unified_diff(
            committed.splitlines(), text.splitlines(), "committed", "built", lineterm=""
        )
        _fail("The committed schema is not the one that is built (make schema):", *lines)
    typer.echo("The committed schema is the one that is built.")


@app.command()
def documents(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Folders of clients; none: our own.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Fail where the schema or a client has moved on.")
    ] = False,
) -> None:
    """Register the documents that clients send (trusted documents)."""
    from gateway.documents import CLIENTS, carry_out

    wrong, said = carry_out(folders or CLIENTS, is_checked_only=check)
    if wrong:
        _fail(said, *wrong)
    typer.echo(said)


@app.command()
def check() -> None:
    """Show every setting, and say what is wrong with them here."""
    from gateway.checking import check_here

    if not check_here(os.environ, _teller().console):
        raise typer.Exit(1)


@app.command()
def worker() -> None:
    """Run the jobs that others have left (reminders, imports, exports)."""
    settings = _settings()
    from gateway import serving

    serving.log_to_stderr(settings)
    with _database(settings, _teller()) as url:
        _run(settings, serving.work_only(settings, url))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def bench(context: typer.Context) -> None:
    """Measure: `unionhall bench chat --json`; the same as `python -m tests.load` in a checkout."""
    import importlib.util
    import runpy

    if importlib.util.find_spec("tests") is None or importlib.util.find_spec("tests.load") is None:
        _fail("The workloads live in tests/load: run this in a checkout of the project.")
    sys.argv = ["tests.load", *context.args]
    runpy.run_module("tests.load", run_name="__main__", alter_sys=True)


@keys.command("init")
def keys_init() -> None:
    """Make a new federation's keys, once; without them nothing can be sealed."""
    settings = _settings()
    from gateway import preparing

    with _database(settings, _teller()) as url:
        made = _run(settings, preparing.make_keys(settings, url))
    typer.echo("The keys are made." if made else "This database has keys already; left as it is.")


def _settings() -> Settings:
    """The checked settings, or an explanation and exit code 2."""
    from gateway.setting_checks import checked, typos
    from gateway.setting_values import BadSettings

    try:
        settings = checked(os.environ)
    except BadSettings as bad:
        _fail("Unionhall does not start like this:", *(str(p) for p in bad.problems), code=2)
    for typo in typos(os.environ):
        typer.echo(f"Warning: {typo}", err=True)
    return settings


def _teller() -> Teller:
    from gateway.telling import Teller

    return Teller()


def _bound(settings: Settings) -> socket.socket:
    from gateway.serving import PortInUse, bind

    try:
        return bind(settings)
    except PortInUse as why:
        _fail(str(why))


@contextlib.contextmanager
def _database(settings: Settings, teller: Teller) -> Iterator[str]:
    """The given database's URL, else the private one's, started and stopped."""
    if settings.database_url:
        yield settings.database_url
        return
    from gateway.embedded import EmbeddedFailed, running
    from gateway.postgres_binaries import NoPostgres

    with contextlib.ExitStack() as stack:
        try:
            url = stack.enter_context(running(settings.data_dir, tell=teller.tell))
        except (EmbeddedFailed, NoPostgres) as why:
            teller.done()
            _fail(str(why))
        yield url


def _prepare(settings: Settings, url: str, teller: Teller) -> None:
    """Migrate and make keys where that may be done unasked; else say what a person must do."""
    from gateway import preparing

    try:
        _run(settings, preparing.prepare(settings, url, teller.tell))
    finally:
        teller.done()


def _run(settings: Settings, main: Coroutine[Any, Any, T]) -> T:
    """Run to the end; what stops a start is said in a line, without a traceback."""
    from domain.kernel.errors import DomainError
    from gateway.preparing import NotPrepared
    from gateway.serving import run

    try:
        return run(main, is_debug=settings.is_debug)
    except NotPrepared as why:
        _fail(str(why))
    except DomainError as why:
        _fail(f"Unionhall does not start: {why.code}.")


def _refuse_in_production(settings: Settings, command: str) -> None:
    if settings.is_production:
        _fail(f"`unionhall {command}` writes sample data: refused in the production profile.")


def _fail(*lines: str, code: int = 1) -> NoReturn:
    for number, line in enumerate(lines):
        typer.echo(line if number == 0 else f"  {line}", err=True)
    raise typer.Exit(code)


if __name__ == "__main__":
    main()
