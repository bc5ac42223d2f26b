"""Prebuilt frames are right where the header changes its length, for other people's readers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from websockets.frames import Frame, Opcode

from realtime.close_codes import CloseCode
from realtime.frames import text_frame, text_of
from tests.support.live import SmallNode
from tests.support.node import CLIENTS, install_clients, running_script
from tests.support.sockets import Server, hear, say, serving_sockets

BORDERS = (125, 126, 65_535, 65_536)
TEXTS = (
    *("Ὦ ξεῖν’, ἀγγέλλειν Λακεδαιμονίοις", "α\u0301λλο", "Καλημέρα κόσμε " * 1_000),
    *("𠮷野家 🌏", "👩🏽\u200d⚖️ 🇬🇷", "\u0639\u0644\u200f \u05d0\u05d1\u200e"),
    '\u2028\u2029\ufeff\ufffe\u0000\x7f"\\/',
)
"""Greek with composed accents and others, above the BMP, joined, right to left, and what JSON, its
readers or JavaScript once stumbled over."""
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


async def say_at_every_border(node: SmallNode) -> AsyncIterator[tuple[int, str]]:
    """Publish events of the length of each border and of unusual texts: the frame's bytes and the
    text, for who follows cv:1 as ``a``. The first tells how long a frame is around its text."""
    around = 0
    for size in (0, *BORDERS):
        text = of_bytes(size - around) if size else ""
        await node.publish("cv:1", "k", text=text)
        if not size:
            frame = {"event": {"kind": "k", "text": ""}}
            place = {"s": "cv:1", "e": node.log.streams["cv:1"][0], "o": 1}
            payload = {"data": frame, "extensions": {"rt": place}}
            message = {"id": "a", "type": "next", "payload": payload}
            around = len(json.dumps(message, separators=(",", ":")))
            assert around < BORDERS[0]
        yield around + len(text.encode()), text
    for text in TEXTS:
        await node.publish("cv:1", "k", text=text)
        yield 0, text


async def test_the_websockets_client_reads_events_at_every_border_and_any_text(
    server: Server,
) -> None:
    ws = await server.sign_in()
    payload = {"query": "subscription", "variables": {"streams": ["cv:1"]}}
    await say(ws, {"type": "subscribe", "id": "a", "payload": payload})
    assert (await hear(ws))["type"] == "ping"
    async for size, text in say_at_every_border(server.node):
        raw = await ws.recv(decode=False)
        assert size in (0, len(raw))
        assert json.loads(raw)["payload"]["data"]["event"]["text"] == text
    await ws.close()


async def test_the_websockets_client_says_any_text_and_half_a_character_is_refused_alone(
    server: Server,
) -> None:
    ws = await server.sign_in()
    for text in (text.replace("\0", "") for text in TEXTS):
        await say(ws, {"type": "ping", "payload": {"t": text}}, ensure_ascii=False)
        assert await hear(ws) == {"type": "pong", "payload": {"t": text}}
    for half in ("\0", "\ud83c", "\udf0f", "\udf0f\ud83c"):
        payload = {"query": "mutation", "variables": {"t": half}}
        await say(ws, {"type": "subscribe", "id": "m", "payload": payload})
        (error,) = (await hear(ws))["payload"]
        assert error["extensions"]["code"] == "json.bad_character"
    await say(ws, {"type": "ping"})
    assert await hear(ws) == {"type": "pong"}
    await ws.close()


async def test_the_ws_package_reads_every_border_and_any_text_and_gets_no_extension(
    node: SmallNode,
) -> None:
    install_clients()
    async with serving_sockets(node, has_lane=True) as server:
        url = f"ws://127.0.0.1:{server.port}/graphql"
        sizes = map(str, BORDERS)
        async with running_script(CLIENTS / "frames.mjs", url, "t", *sizes) as script:
            assert await script.told("pongs") == [[size, True] for size in BORDERS]
            assert await script.told("refused") == "json.bad_character"
            assert await script.told("live")
            async for size, text in say_at_every_border(node):
                told = await script.told("event")
                assert (size in (0, told[0]), told[1]) == (True, text)
            (connection,) = node.hub.node.registry
            connection.close(CloseCode.RESTART)
            assert await script.told("code") == 1012
