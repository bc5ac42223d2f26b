"""Prebuilt frames are right where the header changes its length, for other people's readers."""

from __future__ import annotations

import json

import pytest
from websockets.frames import Frame, Opcode

from realtime.frames import text_frame, text_of
from tests.support.live import SmallNode
from tests.support.node import CLIENTS, install_clients, run_script
from tests.support.sockets import Server, hear, say, serving_sockets

BORDERS = (125, 126, 65_535, 65_536)
PONG = len(json.dumps({"type": "pong", "payload": {"t": ""}}, separators=(",", ":")))


def of_bytes(size: int) -> str:
    """A text of so many bytes, of characters of four bytes as far as they go."""
    return "🌏" * (size // 4) + "x" * (size % 4)


@pytest.mark.parametrize("size", [0, 1, 124, *BORDERS, 127, 65_534, 65_537, 200_000])
def test_a_frame_is_what_the_websockets_library_makes_of_it(size: int) -> None:
    text = of_bytes(size).encode()
    assert text_frame(text) == Frame(Opcode.TEXT, text).serialize(mask=False)
    assert text_of(text_frame(text)) == text


async def test_the_websockets_client_reads_every_border(server: Server) -> None:
    ws = await server.sign_in()
    for size in BORDERS:
        text = of_bytes(size - PONG)
        await say(ws, {"type": "ping", "payload": {"t": text}}, ensure_ascii=False)
        raw = await ws.recv()
        assert isinstance(raw, str)
        assert len(raw.encode()) == size
        assert json.loads(raw) == {"type": "pong", "payload": {"t": text}}
    await ws.close()


async def test_the_websockets_client_reads_events_at_the_border(server: Server) -> None:
    ws = await server.sign_in()
    payload = {"query": "subscription", "variables": {"streams": ["cv:1"]}}
    await say(ws, {"type": "subscribe", "id": "a", "payload": payload})
    assert (await hear(ws))["type"] == "ping"
    await server.node.publish("cv:1", text="")
    around = len(await ws.recv(decode=False))
    for size in (65_535, 65_536):
        text = of_bytes(size - around)
        await server.node.publish("cv:1", text=text)
        raw = await ws.recv(decode=False)
        assert len(raw) == size
        assert json.loads(raw)["payload"]["data"]["event"]["text"] == text
    await ws.close()


async def test_the_ws_package_reads_every_border_and_gets_no_extension(node: SmallNode) -> None:
    install_clients()
    async with serving_sockets(node, has_lane=True) as server:
        url = f"ws://127.0.0.1:{server.port}/graphql"
        told = json.loads(await run_script(CLIENTS / "frames.mjs", url, "t", *map(str, BORDERS)))

    assert told == {"got": [[size, True] for size in BORDERS], "code": 1000, "extensions": ""}
