"""The demonstration: what it prints works when it is pasted, and a second start keeps the data."""

from __future__ import annotations

import re
import shlex

import httpx

from gateway.seed import sign_ins
from gateway.settings import load
from gateway.showing import things_to_try
from tests.gateway.test_cli import fresh_database  # noqa: F401  # a fixture
from tests.support.server import Server, start

DEMO = ("demo", "--members", "200")


async def paste(line: str, token: str = "") -> httpx.Response:
    """Do what curl would."""
    words = shlex.split(line.replace("$TOKEN", token))
    given = [words[at + 1] for at, word in enumerate(words) if word == "-H"]
    headers = dict(header.split(": ", 1) for header in given)
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.post(words[2], content=words[words.index("-d") + 1], headers=headers)


def printed(server: Server) -> tuple[str, str]:
    """The two lines to paste, as they stand on the screen."""
    sign_in = re.search(r"^TOKEN=\$\((.*) \| sed .*\)$", server.log, re.M)
    ask = re.search(r'^(curl .*"authorization: Bearer \$TOKEN")$', server.log, re.M)
    assert sign_in, server.log
    assert ask, server.log
    return sign_in[1], ask[1]


async def test_what_is_printed_works_and_a_second_start_keeps_it(
    fresh_database: str,  # noqa: F811  # the fixture
) -> None:
    first = await start(fresh_database, command=DEMO, is_warm=False)
    sign_in, ask = printed(first)
    session = (await paste(sign_in)).json()["data"]["signIn"]
    viewer = (await paste(ask, session["accessToken"])).json()["data"]["viewer"]
    assert viewer["kind"] == "MEMBER"
    assert await first.stop() == 0

    second = await start(fresh_database, command=DEMO, port=first.port)
    again = (await paste(ask, session["accessToken"])).json()["data"]["viewer"]
    assert again == viewer
    assert await second.stop() == 0
    for server in (first, second):
        server.assert_no_traceback()


def test_there_are_three_things_to_try() -> None:
    assert len(things_to_try(load({}), sign_ins())) == 3
