"""Our own client (gateway/web/sdk): its tests, and what it does with a real server."""

from __future__ import annotations

import asyncio
import json
import subprocess

from domain.access.models import AccountKind
from domain.kernel.work import Works
from gateway.documents import documents_in, registered
from tests.support import server
from tests.support.access import PASSWORD, an_account
from tests.support.chatting import a_pair
from tests.support.main_jobs import assert_heard_all_once
from tests.support.matrix import Spot
from tests.support.node import (
    CLIENTS,
    SDK,
    install_clients,
    install_sdk,
    node,
    run_script,
    running_script,
)
from tests.support.proxy import a_proxy
from tests.support.redis_server import eventually, private_redis

TURNS = 12
OWN_DOCUMENTS = 4
GRACE_S = 20
"""A tenth of it is for moving; a server that nobody needs any more stops at once."""
CHECK_S_MAX = 60
GZIP_BYTES_MAX = 12_288
"""Of the whole client with graphql-ws: a phone on a bad network loads it first."""


def test_it_is_typed_small_and_its_own_tests_pass() -> None:
    sdk = install_sdk()
    checks = [
        subprocess.Popen(
            [node(), *command], cwd=sdk, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for command in (
            ["node_modules/typescript/bin/tsc", "--noEmit"],
            ["--no-warnings", "--test", "dist/tests/"],
        )
    ]

    for check in checks:
        said, _ = check.communicate(timeout=CHECK_S_MAX)
        assert check.returncode == 0, said.decode()
    assert json.loads((sdk / "dist" / "size.json").read_text())["gzipBytes"] < GZIP_BYTES_MAX


def test_a_bound_server_knows_what_it_sends_by_itself() -> None:
    assert documents_in(SDK).items() <= registered().items()
    assert len(documents_in(SDK)) == OWN_DOCUMENTS


async def test_a_chat_survives_cut_sockets_and_an_outage_and_sends_everything_once(
    one: server.Server, works: Works, city: Spot
) -> None:
    install_clients()
    install_sdk()
    pair = await a_pair(works, city)

    async with a_proxy(one.port) as proxy:
        arguments = (proxy.graphql, *pair.tokens, pair.id, str(TURNS))
        async with running_script(CLIENTS / "sdk_chat.mjs", *arguments) as script:
            await script.told("said")
            proxy.cut()
            for _ in range(3):
                await script.told("said")
            proxy.is_closed = True
            proxy.cut()
            tried = proxy.accepted
            await eventually(lambda: proxy.accepted >= tried + 6)
            proxy.is_closed = False
            report = await script.told("report")

    member, counsellor = report["member"], report["counsellor"]
    assert_heard_all_once(member, counsellor, TURNS)
    assert_heard_all_once(counsellor, member, TURNS)
    for person in (member, counsellor):
        assert (person["faults"], person["left"]) == ([], 0)
        assert person["states"][:4] == ["idle", "connecting", "catching-up", "live"]
        assert person["states"].count("offline") >= 2
        assert person["states"][-1] == "live"


async def test_a_server_that_drains_is_left_for_another_without_a_moment_offline(
    works: Works, city: Spot, shared_database: str
) -> None:
    install_clients()
    install_sdk()
    pair = await a_pair(works, city)
    with private_redis() as redis:
        environ = {
            "UNIONHALL_REDIS_URL": redis.url,
            "UNIONHALL_SHUTDOWN_GRACE_S": str(GRACE_S),
        }
        old, new = await asyncio.gather(
            *(server.start(shared_database, environ=environ) for _ in range(2))
        )
        try:
            async with a_proxy(old.port) as proxy:
                arguments = (proxy.graphql, *pair.tokens, pair.id, str(TURNS))
                async with running_script(CLIENTS / "sdk_chat.mjs", *arguments) as script:
                    for _ in range(2):
                        await script.told("said")
                    proxy.target = new.port
                    assert await old.stop() == 0
                    report = await script.told("report")
        finally:
            await asyncio.gather(old.kill(), new.stop())

    old.assert_no_traceback()
    new.assert_no_traceback()
    member, counsellor = report["member"], report["counsellor"]
    assert_heard_all_once(member, counsellor, TURNS)
    assert_heard_all_once(counsellor, member, TURNS)
    for person in (member, counsellor):
        assert person["faults"] == []
        assert set(person["states"][4:]) <= {"catching-up", "live"}
    assert "closes: 1012" not in old.log, "nobody had to be closed"


async def test_an_app_signs_in_renews_its_token_and_gives_up_when_it_is_signed_out(
    one: server.Server, works: Works, city: Spot
) -> None:
    install_clients()
    install_sdk()
    account = await an_account(works, kind=AccountKind.MEMBER)

    told = json.loads(
        await run_script(CLIENTS / "sdk_session.mjs", one.graphql, str(account.phone), PASSWORD)
    )

    assert told == {
        "isSame": True,
        "isExchanged": True,
        "code": "connection.ended",
        "reason": "revoked",
        "state": {"is": "ended", "reason": "revoked"},
        "attemptsAfter": 0,
        "refused": "access.session_over",
    }
