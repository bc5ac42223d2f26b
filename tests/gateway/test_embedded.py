"""A private PostgreSQL: made once, shared, stopped by the last, found again after a kill."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from gateway import postgres_binaries
from gateway.embedded import running
from gateway.postgres_binaries import NoPostgres, find_binaries

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    try:
        find_binaries(None)
    except NoPostgres:
        pytest.skip("no PostgreSQL to run: neither the wheel nor the system's")
    # Not pytest's own folder: it is of mode 0700, and its path is too long for a socket.
    with tempfile.TemporaryDirectory(prefix="uh-", ignore_cleanup_errors=True) as made:
        yield Path(made)


def postmaster(data_dir: Path) -> int | None:
    file = data_dir / "postgres" / "postmaster.pid"
    return int(file.read_text().split()[0]) if file.exists() else None


async def ask(url: str, query: str) -> object:
    server = await asyncpg.connect(url)
    try:
        return await server.fetchval(query)
    finally:
        await server.close()


async def test_it_knows_chinese_letters_listens_at_no_port_and_keeps_the_data(folder: Path) -> None:
    with running(folder, is_durable=False) as url:
        await ask(url, "CREATE TABLE kept AS SELECT 1 AS n")
        assert await ask(url, "SHOW listen_addresses") == ""
        assert await ask(url, "SHOW server_encoding") == "UTF8"
        assert await ask(url, "SELECT '职' ~ '[[:alpha:]]'") is True
    assert postmaster(folder) is None

    with running(folder, is_durable=False) as url:
        assert await ask(url, "SELECT n FROM kept") == 1


async def test_the_last_user_stops_it(folder: Path) -> None:
    with running(folder, is_durable=False) as first:
        with running(folder, is_durable=False) as second:
            assert first == second
        assert await ask(first, "SELECT 1") == 1
    assert postmaster(folder) is None


async def test_after_a_kill_of_the_program_the_next_finds_it_running(folder: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from gateway.embedded import running\n"
        "server = running(Path(sys.argv[1]), is_durable=False); server.__enter__()\n"
        "os.kill(os.getpid(), 9)"
    )
    killed = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(folder), cwd=ROOT
    )
    assert await killed.wait() == -signal.SIGKILL
    left = postmaster(folder)
    assert left is not None

    with running(folder, is_durable=False) as url:
        assert await ask(url, "SELECT 1") == 1
        assert postmaster(folder) == left
    assert postmaster(folder) is None


async def test_after_a_kill_of_the_database_it_recovers(folder: Path) -> None:
    with running(folder, is_durable=False) as url:
        await ask(url, "CREATE TABLE outlived AS SELECT 1 AS n")
        await ask(url, "CHECKPOINT")  # this one commits without waiting for the disk
        left = postmaster(folder)
        assert left is not None
        os.kill(left, signal.SIGKILL)

    with running(folder, is_durable=False) as url:
        assert await ask(url, "SELECT n FROM outlived") == 1


@pytest.mark.parametrize("name", ["x" * 120, "a b, c'd"])
async def test_a_path_that_no_socket_can_have_is_no_obstacle(folder: Path, name: str) -> None:
    with running(folder / name, is_durable=False) as url:
        assert await ask(url, "SELECT 1") == 1


def test_a_cluster_of_another_version_is_said_in_plain_words() -> None:
    with pytest.raises(NoPostgres, match="made by PostgreSQL 9"):
        find_binaries(9)


def test_without_any_postgresql_the_remedies_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_binaries, "_folders", lambda: iter(()))

    with pytest.raises(NoPostgres, match="UNIONHALL_DATABASE_URL"):
        find_binaries(None)
