"""Real sockets on uvicorn: handshake, origin, cookie, the lane, and what strangers send."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from realtime.bounds import LAG_BUFFER_BYTES
from realtime.close_codes import CloseCode
from tests.support.redis_server import eventually
from tests.support.sockets import ORIGIN, OURS, Server, closed, hear, say


async def test_a_client_signs_in_subscribes_and_hears(server: Server) -> None:
    ws = await server.sign_in()
    assert ws.subprotocol == OURS
    assert ws.request is not None
    assert "permessage-deflate" in ws.request.headers["Sec-WebSocket-Extensions"]
    assert ws.response is not None
    assert "Sec-WebSocket-Extensions" not in ws.response.headers
    payload = {"query": "subscription", "variables": {"streams": ["cv:1"]}}
    await say(ws, {"type": "subscribe", "id": "a", "payload": payload})
    assert (await hear(ws))["payload"]["rt"]["live"] == {"a": {"cv:1": ["", 0]}}
    for text in ("你好 🌏", "x" * 120, "y" * 70_000):
        await server.node.publish("cv:1", text=text)
        assert (await hear(ws))["payload"]["data"]["event"]["text"] == text
    await ws.close()
    await eventually(lambda: len(server.node.hub.node.registry) == 0)


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["graphql-transport-ws"], OURS),
        (["graphql-ws", "graphql-transport-ws"], OURS),
        (["a", "b", "graphql-transport-ws"], OURS),
        (["graphql-transport-ws-gibberish"], None),
        (["graphql"], None),
        (None, None),
    ],
)
async def test_only_our_subprotocol_is_spoken(
    server: Server, offered: list[Subprotocol] | None, chosen: str | None
) -> None:
    ws = await server.connect(subprotocols=offered)
    assert ws.subprotocol == chosen
    if chosen is None:
        assert await closed(ws) == (4406, "Subprotocol not acceptable")
    else:
        await ws.close()


async def test_a_foreign_origin_is_refused_at_the_handshake(server: Server) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await server.connect(origin="https://evil.example")
    assert refused.value.response.status_code == 403
    assert server.node.hub.node.metrics.refusals["origin"] == 1


async def test_a_cookie_counts_with_an_allowed_origin_only(server: Server) -> None:
    cookie = {"Cookie": "other=1; session=t"}
    browser = await server.connect(origin=ORIGIN, additional_headers=cookie)
    await say(browser, {"type": "connection_init"})
    assert (await hear(browser))["type"] == "connection_ack"
    await browser.close()

    forged = await server.connect(additional_headers=cookie)
    await say(forged, {"type": "connection_init"})
    assert await closed(forged) == (4403, "Forbidden")
    assert server.node.sessions.cookies_seen == ["t", None]

    two = {"Cookie": "session=t; session=u"}
    doubtful = await server.connect(origin=ORIGIN, additional_headers=two)
    await say(doubtful, {"type": "connection_init"})
    assert await closed(doubtful) == (4403, "Forbidden")
    assert server.node.sessions.cookies_seen == ["t", None, None]


async def refused_for(server: Server, **options: Any) -> int:
    """After how many seconds who comes now is told to come again."""
    with pytest.raises(InvalidStatus) as refused:
        await server.connect(**options)
    assert refused.value.response.status_code == 503
    return int(refused.value.response.headers["Retry-After"])


async def test_a_full_or_draining_node_says_when_to_come_back(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.node.hub.is_draining = True
    assert 3 <= await refused_for(server) <= 8
    assert server.node.hub.node.metrics.refusals["draining"] == 1
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("offered", [[OURS], ["a", OURS]], ids=["usual", "the library's"])
async def test_a_lagging_node_tells_most_to_come_again_each_at_another_moment(
    server: Server, offered: list[Subprotocol]
) -> None:
    member = await server.sign_in()
    server.node.hub._loop_watch.recent_s = 1.0
    assert any(server.node.hub.refusal() for _ in range(1_000)), "after those who are let in"
    moments = {await refused_for(server, subprotocols=offered) for _ in range(20)}
    assert moments <= set(range(3, 9))
    assert len(moments) > 1
    await say(member, {"type": "ping", "payload": {"still": "here"}})
    assert await hear(member) == {"type": "pong", "payload": {"still": "here"}}

    server.node.timers.stall(0.1)
    late = await server.connect(subprotocols=offered)
    assert late.subprotocol == OURS
    await late.close()
    await member.close()


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"binary", 4400),
        ("[1]", 4400),
        ("null", 4400),
        ('{"type":"ping","payload":"\\ud800"}', 4400),
        ("[" * 50_000, 4400),
        ("1" * 5_000, 4400),
        ('"' + "x" * 100_000 + '"', 4400),
        ('"' + "x" * 1_000_000 + '"', 1009),
    ],
    ids=lambda value: str(value)[:12],
)
async def test_what_strangers_send_closes_their_socket_only(
    server: Server, frame: str | bytes, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    stranger, member = await server.connect(), await server.sign_in()
    await stranger.send(frame)
    assert (await closed(stranger))[0] == code
    await say(member, {"type": "ping", "payload": {"still": "here"}})
    assert await hear(member) == {"type": "pong", "payload": {"still": "here"}}
    await member.close()
    assert not [record for record in caplog.records if record.exc_info]


async def test_what_follows_a_close_is_not_looked_at(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    ws = await server.connect()
    binary, no_utf8 = b"\x82\x80\0\0\0\0", b"\x81\x81\0\0\0\0\xff"
    ws.transport.write(binary + no_utf8)
    assert (await closed(ws))[0] in (4400, 1007), "by whatever is seen first"
    assert not [record for record in caplog.records if record.exc_info]


async def test_invalid_utf8_closes_with_1007_and_no_traceback(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    ws = await server.connect()
    await ws.send(b"\xff\xfe", text=True)
    assert (await closed(ws))[0] == 1007
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_revoked_session_is_closed_with_its_reason(server: Server) -> None:
    ws = await server.sign_in()
    (connection,) = server.node.hub.node.registry
    server.node.sessions.change("t", None)
    assert connection.owner is not None
    await server.node.publish(f"me:{connection.owner[0]}", authority=True)
    assert await closed(ws) == (4403, "revoked")


async def test_a_dead_peer_is_cut(server: Server) -> None:
    ws = await server.sign_in()
    (connection,) = server.node.hub.node.registry
    connection.beat()
    connection.beat()
    assert (await closed(ws))[0] == 1006
    await eventually(lambda: len(server.node.hub.node.registry) == 0)


async def test_a_reader_that_stops_is_closed_and_the_others_are_not_held_up(
    server: Server,
) -> None:
    slow = await server.sign_in(max_queue=1)
    quick = await server.sign_in()
    payload = {"query": "subscription", "variables": {"streams": ["cv:1"]}}
    for ws in (slow, quick):
        await say(ws, {"type": "subscribe", "id": "a", "payload": payload})
    assert (await hear(quick))["type"] == "ping"
    slow.transport.pause_reading()
    for n in range(200):
        await server.node.publish("cv:1", text="x" * 60_000, n=n)
        assert (await hear(quick))["payload"]["data"]["event"]["n"] == n
    buffered = [c.buffered_bytes() for c in server.node.hub.node.registry]
    assert max(buffered) < LAG_BUFFER_BYTES + 70_000
    lagging, reading = sorted(
        server.node.hub.node.registry, key=lambda c: c.buffered_bytes(), reverse=True
    )
    for _ in range(4):
        lagging._was_heard = True  # it is slow, not silent
        await say(quick, {"type": "pong"})
        await eventually(lambda: reading._was_heard)
        await server.node.timers.advance(10)
    assert len([c for c in server.node.hub.node.registry if c.is_ready]) == 1
    assert server.node.hub.node.metrics.closed_slow == 1
    assert server.node.hub.node.metrics.close_codes == {CloseCode.TRY_AGAIN_LATER: 1}
    slow.transport.abort()
    await quick.close()
