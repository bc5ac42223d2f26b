"""The stock JavaScript client, left to itself: which closes bring it back, and its habits."""

from __future__ import annotations

from realtime.close_codes import MEANINGS
from tests.support.live import SmallNode, running
from tests.support.node import CLIENTS, install_clients, running_script
from tests.support.redis_server import eventually
from tests.support.sockets import serving_sockets


async def test_the_stock_client_comes_back_after_the_codes_that_say_so_and_after_no_other() -> None:
    install_clients()
    async with running(SmallNode()) as node, serving_sockets(node, has_lane=True) as server:
        url, registry = f"ws://127.0.0.1:{server.port}/graphql", node.hub.node.registry
        async with running_script(CLIENTS / "codes.mjs", url, "t", str(len(MEANINGS))) as script:
            for code, meaning in MEANINGS.items():
                assert await script.told("ready")
                for connection in registry:
                    connection.close(code)
                assert await script.told("outcome") == [code, meaning.returns], code.name
        await eventually(lambda: not len(registry))


async def test_the_stock_client_keeps_its_habits() -> None:
    install_clients()
    async with running(SmallNode()) as node, serving_sockets(node, has_lane=True) as server:
        url = f"ws://127.0.0.1:{server.port}/graphql"
        async with running_script(CLIENTS / "habits.mjs", url, "t") as script:
            assert await script.told("lazy")
            assert await script.told("answers") == [{"done": True}]
            for connects, text in enumerate(("first", "second"), 2):
                assert await script.told("live") == connects
                await node.publish("cv:1", text=text)
                assert await script.told("event") == text
            assert await script.told("ids") == ["n1", "n2"]
        await eventually(lambda: not len(node.hub.node.registry))
