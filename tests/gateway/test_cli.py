"""The command line: quick help, plain refusals, an orderly end."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest
import pytest_asyncio

from gateway.migrate import migrate
from tests.support.database import drop_database, with_database
from tests.support.doors import code as error_code
from tests.support.program import started
from tests.support.server import ROOT, Server, free_port, running_server, start

COMMANDS = ("serve", "demo", "migrate", "seed", "schema", "check", "worker", "bench", "keys")


async def unionhall(
    *arguments: str, folder: Path, is_warm: bool = False, **environ: str
) -> tuple[int, str]:
    """Run the program with nothing but the given settings; its exit code and all it said.

    ``is_warm``: a command that another test starts cold, with no more than it imports itself."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("UNIONHALL_", "PORT"))}
    given = inherited | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"} | environ
    log = folder / "said"
    log.write_text("")
    process = await started(arguments, folder, given, log, is_warm=is_warm)
    code = await process.wait()
    text = log.read_text()
    assert "Traceback" not in text
    return code, text


@pytest_asyncio.fixture
async def fresh_database(database_server: str) -> AsyncIterator[str]:
    """An empty database, not even migrated."""
    url = with_database(database_server, f"unionhall_fresh_{os.getpid()}")
    await drop_database(database_server, url)
    admin = await asyncpg.connect(database_server)
    await admin.execute(f'CREATE DATABASE "unionhall_fresh_{os.getpid()}" TEMPLATE template0')
    await admin.close()
    yield url
    await drop_database(database_server, url)


async def test_help_names_every_command(tmp_path: Path) -> None:
    code, text = await unionhall("--help", folder=tmp_path)

    assert code == 0
    assert all(command in text for command in COMMANDS)


async def test_a_bad_configuration_is_explained_and_nothing_starts(tmp_path: Path) -> None:
    code, text = await unionhall("serve", folder=tmp_path, UNIONHALL_PROFILE="production")

    assert code == 2
    for variable in ("DATABASE_URL", "ROOT_KEY_FILE", "PUBLIC_URL"):
        assert f"UNIONHALL_{variable}" in text
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize("command", ["demo", "seed"])
async def test_sample_data_are_refused_in_production(
    command: str, tmp_path: Path, fresh_database: str
) -> None:
    code, text = await unionhall(
        command,
        folder=tmp_path,
        UNIONHALL_PROFILE="production",
        UNIONHALL_DATABASE_URL=fresh_database,
        UNIONHALL_ROOT_KEY_FILE=str(tmp_path / "root.key"),
        UNIONHALL_PUBLIC_URL="https://hall.example",
    )

    assert code == 1
    assert "refused in the production profile" in text


async def test_production_is_not_migrated_unasked_and_never_serves_a_sample(
    tmp_path: Path, fresh_database: str
) -> None:
    production = {
        "PORT": str(free_port()),
        "UNIONHALL_PROFILE": "production",
        "UNIONHALL_DATABASE_URL": fresh_database,
        "UNIONHALL_ROOT_KEY_FILE": str(tmp_path / "root.key"),
        "UNIONHALL_PUBLIC_URL": "https://hall.example",
    }
    empty = await unionhall("serve", folder=tmp_path, is_warm=True, **production)
    await migrate(fresh_database)
    owner = await asyncpg.connect(fresh_database)
    await owner.execute("INSERT INTO org_sample_marker VALUES (1, 10, 10, true)")
    await owner.close()
    sample = await unionhall("serve", folder=tmp_path, is_warm=True, **production)

    assert (empty[0], sample[0]) == (1, 1)
    assert "unionhall migrate" in empty[1]
    assert "holds the sample federation" in sample[1]


async def test_a_port_in_use_is_said_with_a_remedy(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, text = await unionhall("serve", folder=tmp_path, is_warm=True, PORT=port)

    assert code == 1
    assert f"Cannot listen at 127.0.0.1:{port}" in text
    assert not (tmp_path / "var").exists()


async def test_a_database_that_is_away_is_said_in_plain_words(tmp_path: Path) -> None:
    url = "postgresql://nobody:s3cret@127.0.0.1:1/nothing"
    given = {"PORT": "18432", "UNIONHALL_DATABASE_URL": url}
    serve, check = [
        await unionhall(command, folder=tmp_path, is_warm=True, **given)
        for command in ("serve", "check")
    ]

    for code, text in (serve, check):
        assert code == 1
        assert "cannot be reached" in text
        assert "s3cret" not in text


async def test_check_passes_where_all_is_well(tmp_path: Path, fresh_database: str) -> None:
    code, text = await unionhall("check", folder=tmp_path, UNIONHALL_DATABASE_URL=fresh_database)

    assert code == 0, text
    assert "may start here" in text


async def test_migrate_and_keys_are_made_once(tmp_path: Path, fresh_database: str) -> None:
    settings = {"UNIONHALL_DATABASE_URL": fresh_database}
    # As after a restore, which a database that was never used survives as well.
    first = await unionhall("migrate", "--restored", folder=tmp_path, **settings)
    keys = await unionhall("keys", "init", folder=tmp_path, **settings)
    same = await unionhall("keys", "init", folder=tmp_path, is_warm=True, **settings)

    assert [code for code, _ in (first, keys, same)] == [0, 0, 0]
    assert "0001_" in first[1]
    owner = await asyncpg.connect(fresh_database)
    assert await owner.fetchval("SELECT generation IS NOT NULL FROM log_generation")
    await owner.close()
    assert "are made" in keys[1]
    assert "left as it is" in same[1]
    assert (tmp_path / "var" / "root.key").stat().st_mode & 0o077 == 0


async def test_the_committed_schema_is_the_one_that_is_built(tmp_path: Path) -> None:
    code, text = await unionhall("schema", "--check", folder=tmp_path)

    assert code == 0, text


async def test_a_server_serves_whatever_comes_until_it_is_told_to_end(fresh_database: str) -> None:
    async with running_server(fresh_database, is_warm=False) as server:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.post(server.graphql, json={"query": "{ __typename }"})
            page = await client.get(server.graphql, headers={"accept": "text/html"})
            absent = await client.get(server.url + "/nothing")
        assert answer.json() == {"data": {"__typename": "Query"}}
        assert page.headers["content-type"].startswith("text/html")
        assert (absent.status_code, error_code(absent)) == (404, "not_found")
        assert (await status_of_endless_body(server)).startswith(b"HTTP/1.1 413")
        assert await server.stop() == 0


async def status_of_endless_body(server: Server) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(
        b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        b"transfer-encoding: chunked\r\n\r\n"
    )
    # One chunk over the limit and then silence: whatever the server left unread would make the
    # kernel answer with a reset, which may overtake the 413.
    for _ in range(65_536 // 4_096 + 1):
        writer.write(b"1000\r\n" + b" " * 4_096 + b"\r\n")
    head = await reader.readline()
    writer.close()
    return head


async def test_a_wrong_root_key_stops_the_start(fresh_database: str) -> None:
    server = await start(fresh_database)
    await server.stop()
    other = {"UNIONHALL_ROOT_KEY": "/" * 42 + "8="}

    with pytest.raises(AssertionError, match=r"does not start: vault\."):
        await start(fresh_database, environ=other)
