"""A usual handshake is judged by us; every head comes out as if the library alone had judged it."""

from __future__ import annotations

import asyncio
import gc
import random
from dataclasses import dataclass, field
from typing import Any
from weakref import ReferenceType, ref

import pytest
import uvicorn
from uvicorn.server import ServerState

from gateway import handshake
from gateway.handshake import BYTES_MAX, HEADERS_MAX, QuickLane
from gateway.lane import LANE, UVICORN_OPTIONS, LaneProtocol
from gateway.wire import BoundedHttp

Lines = list[bytes]
ROOT = Lines([b"Host: x", b"Connection: Upgrade", b"Upgrade: websocket"])
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
VERSION = b"Sec-WebSocket-Version: 13"
OFFER = b"Sec-WebSocket-Protocol: graphql-transport-ws"
GOOD = [*ROOT, VERSION, KEY, OFFER]
MUTATIONS = 300
"""Heads made from good ones at random, always the same ones: half a second."""


class Wire:
    """A transport that keeps what was written."""

    def __init__(self, *, is_secure: bool = False) -> None:
        self.is_secure = is_secure
        self.written = b""
        self.is_closed = False
        self.protocol: Any = None

    def write(self, data: bytes) -> None:
        assert not self.is_closed, "nothing follows an end"
        self.written += data

    def close(self) -> None:
        self.is_closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.is_closed

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def get_protocol(self) -> Any:
        return self.protocol

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str) -> Any:
        known = {"sockname": ("10.0.0.1", 80), "peername": ("10.0.0.2", 9)}
        return known.get(name) or (name == "sslcontext" and self.is_secure) or None

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


@dataclass
class Door:
    """An application that takes sockets by their path, and what it was told."""

    scopes: list[dict[str, Any]] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        self.scopes.append(scope)
        assert (await receive())["type"] == "websocket.connect"
        if scope["path"] == "/closed":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["path"] == "/full":
            start = {"type": "websocket.http.response.start", "status": 503, "headers": []}
            await send(start | {"headers": [(b"retry-after", b"5")]})
            await send({"type": "websocket.http.response.body", "body": b""})
        elif scope["path"] == "/broken":
            raise ZeroDivisionError
        elif scope["path"] != "/silent":
            ours = "graphql-transport-ws"
            chosen = ours if ours in scope["subprotocols"] else None
            await send({"type": "websocket.accept", "subprotocol": chosen})
            message = await receive()
            await send({"type": "websocket.send", "text": message["text"]})


@dataclass
class Outcome:
    """What came of a head."""

    lines: Lines
    is_closed: bool
    scopes: list[dict[str, Any]]
    protocol: Any
    http: ReferenceType[BoundedHttp]


async def outcome(head: bytes, *more: bytes, is_secure: bool = False, **options: Any) -> Outcome:
    """Of the head in one piece, and then of what follows it."""
    door, wire, state = Door(), Wire(is_secure=is_secure), ServerState()
    state.default_headers = [(b"date", b"today")]
    options |= UVICORN_OPTIONS
    config = uvicorn.Config(door, http=BoundedHttp, lifespan="off", log_config=None, **options)
    config.load()
    wire.protocol = http = BoundedHttp(config=config, server_state=state, app_state={"a": 1})
    http.connection_made(wire)  # type: ignore[arg-type]  # of its shape
    for piece in (head, *more):
        if not wire.is_closed:
            wire.protocol.data_received(piece)
        for _ in range(4):
            await asyncio.sleep(0)
    assert state.connections == {wire.protocol}
    lines = [line for line in wire.written.split(b"\r\n") if not line.lower().startswith(b"date:")]
    scopes = [scope | {"extensions": sorted(scope["extensions"])} for scope in door.scopes]
    ended = Outcome(lines, wire.is_closed, scopes, wire.protocol, ref(http))
    for task in list(state.tasks):
        task.cancel()
    wire.protocol.connection_lost(None)
    await asyncio.gather(*state.tasks, return_exceptions=True)
    return ended


def head(lines: Lines, target: bytes = b"GET /graphql HTTP/1.1") -> bytes:
    return b"\r\n".join([target, *lines, b"", b""])


async def both(
    monkeypatch: pytest.MonkeyPatch, head: bytes, *more: bytes, **options: Any
) -> list[Outcome]:
    """What comes of it as it is, and where the library looks at every head."""
    ours = await outcome(head, *more, **options)
    with monkeypatch.context() as patch:
        patch.setattr(handshake, "usual", lambda *_: None)
        theirs = await outcome(head, *more, **options)
    assert isinstance(theirs.protocol, LaneProtocol | BoundedHttp)
    assert not isinstance(theirs.protocol, QuickLane)
    return [ours, theirs]


def instead(old: bytes, *new: bytes) -> Lines:
    """The good lines with others in one's place."""
    assert old in GOOD
    at = GOOD.index(old)
    return [*GOOD[:at], *new, *GOOD[at + 1 :]]


CONNECTION, UPGRADE = ROOT[1:]
USUAL = {
    "plain": GOOD,
    "without an offer": GOOD[:-1],
    "of Firefox": instead(CONNECTION, b"Connection: keep-alive, Upgrade"),
    "in another case": instead(UPGRADE, b"UPGRADE: WebSocket"),
    "with spaces about a value": instead(KEY, KEY.replace(b": ", b":  ") + b" \t"),
    "of a browser": [*GOOD, b"Origin: https://x", b"Cookie: a=1; b=2", b"User-Agent: \xe4\xb8"],
    "with extensions": [*GOOD, b"Sec-WebSocket-Extensions: permessage-deflate; x=("],
    "another offer": instead(OFFER, b"Sec-WebSocket-Protocol: graphql"),
}
UNUSUAL = {
    "several offers": instead(OFFER, b"Sec-WebSocket-Protocol: a, graphql-transport-ws"),
    "several offers in two lines": [*GOOD, b"Sec-WebSocket-Protocol: b"],
    "two connections": instead(CONNECTION, b"Connection: keep-alive", CONNECTION),
    "more tokens": instead(CONNECTION, b"Connection: a,, Upgrade ,b"),
    "two cookies": [*GOOD, b"Cookie: a=1", b"Cookie: b=2"],
    "an empty body": [*GOOD, b"Content-Length: 0"],
    "many headers": [*GOOD, *(b"x-%d: 1" % n for n in range(HEADERS_MAX))],
    "a long value": [*GOOD, b"Cookie: a=" + b"x" * (BYTES_MAX - 10)],
}
BAD = {
    "no key": instead(KEY),
    "two keys": [*GOOD, KEY],
    "two different keys": [*GOOD, KEY.replace(b"dGhl", b"aGhl")],
    "an empty key": instead(KEY, b"Sec-WebSocket-Key:"),
    "a short key": instead(KEY, b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j"),
    "a long key": instead(KEY, b"Sec-WebSocket-Key: AAAA" + KEY[19:]),
    "no base64": instead(KEY, KEY.replace(b"dGhl", b"d-_l")),
    "a key with a space": instead(KEY, KEY.replace(b"dGhl", b"dG l")),
    "no version": instead(VERSION),
    "an old version": instead(VERSION, b"Sec-WebSocket-Version: 8"),
    "a version with a zero": instead(VERSION, b"Sec-WebSocket-Version: 013"),
    "two versions": [*GOOD, VERSION],
    "versions in a list": instead(VERSION, b"Sec-WebSocket-Version: 13, 8"),
    "no connection": instead(CONNECTION),
    "another connection": instead(CONNECTION, b"Connection: keep-alive"),
    "a connection like it": instead(CONNECTION, b"Connection: Upgrades"),
    "a broken list": instead(CONNECTION, b"Connection: keep-alive Upgrade"),
    "no upgrade": instead(UPGRADE),
    "another upgrade": instead(UPGRADE, b"Upgrade: h2c"),
    "two upgrades": [*GOOD, UPGRADE],
    "upgrades in a list": instead(UPGRADE, b"Upgrade: websocket, h2c"),
    "two origins": [*GOOD, b"Origin: https://x", b"Origin: https://y"],
    "a broken offer": instead(OFFER, b"Sec-WebSocket-Protocol: (graphql)"),
    "an empty offer": instead(OFFER, b"Sec-WebSocket-Protocol:"),
    "a body": [*GOOD, b"Content-Length: 3"],
    "a body in pieces": [*GOOD, b"Transfer-Encoding: chunked"],
    "a folded line": [*GOOD, b"Cookie: a=1;", b" b=2"],
    "a control character": [*GOOD, b"Cookie: a=\x01"],
    "a bare line feed": [*GOOD, b"Cookie: a=1\nOrigin: https://x"],
    "a NUL": [*GOOD, b"Cookie: a=\x00"],
    "a line without a colon": [*GOOD, b"Cookie"],
    "a name with a space": [*GOOD, b"Coo kie: a"],
    "a space before the colon": instead(KEY, KEY.replace(b":", b" :")),
    "too many headers": [*GOOD, *(b"x-%d: 1" % n for n in range(130))],
    "a value too long": [*GOOD, b"Cookie: a=" + b"x" * 9_000],
}
TARGETS = [
    *(b"GET %b HTTP/1.1" % path for path in (b"/closed", b"/full", b"/broken", b"/silent")),
    *(b"GET %b HTTP/1.1" % path for path in (b"/graphql?a=%20b?c", b"/%67raphql", b"/a%zz", b"/?")),
    *(b"GET %b HTTP/1.1" % path for path in (b"http://x/graphql", b"*", b"/\xe4", b"/a#b", b"//a")),
    *(b"%b /graphql HTTP/1.1" % method for method in (b"POST", b"HEAD", b"get", b"CONNECT")),
    *(b"GET /graphql %b" % version for version in (b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.2", b"")),
]


@pytest.mark.parametrize("lines", USUAL.values(), ids=USUAL)
async def test_a_usual_head_is_answered_as_the_library_would(
    monkeypatch: pytest.MonkeyPatch, lines: Lines
) -> None:
    ours, theirs = await both(monkeypatch, head(lines))

    assert isinstance(ours.protocol, QuickLane)
    assert ours.lines[0] == b"HTTP/1.1 101 Switching Protocols"
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in ours.lines
    assert (ours.lines, ours.is_closed) == (theirs.lines, theirs.is_closed)
    assert ours.scopes == theirs.scopes
    assert LANE in ours.scopes[0]["extensions"]


@pytest.mark.parametrize("lines", [*UNUSUAL.values(), *BAD.values()], ids=[*UNUSUAL, *BAD])
async def test_any_other_head_is_left_to_the_library(
    monkeypatch: pytest.MonkeyPatch, lines: Lines
) -> None:
    ours, theirs = await both(monkeypatch, head(lines))

    assert not isinstance(ours.protocol, QuickLane)
    is_good = any(lines is each for each in UNUSUAL.values())
    assert ours.lines[0].startswith(b"HTTP/1.1 101" if is_good else b"HTTP/1.1 4"), "an answer"
    assert (ours.lines, ours.is_closed) == (theirs.lines, theirs.is_closed)
    assert ours.scopes == theirs.scopes


@pytest.mark.parametrize("target", TARGETS)
async def test_paths_methods_versions_and_refusals_come_out_alike(
    monkeypatch: pytest.MonkeyPatch, target: bytes
) -> None:
    ours, theirs = await both(monkeypatch, head(GOOD, target))

    assert (ours.lines, ours.is_closed) == (theirs.lines, theirs.is_closed)
    assert ours.scopes == theirs.scopes


@pytest.mark.parametrize(
    "frame",
    [b"\x81\x82\0\0\0\0hi", b"\x88\x82\0\0\0\0\x03\xe8", b"\x81\x02hi", b"\x89\x81\0\0\0\0p"],
    ids=["a text", "a close", "unmasked", "a ping"],
)
async def test_frames_after_the_handshake_come_out_alike(
    monkeypatch: pytest.MonkeyPatch, frame: bytes
) -> None:
    ours, theirs = await both(monkeypatch, head(GOOD), frame[:3], frame[3:])

    assert len(ours.lines[-1]) > 1, "something was said to it"
    assert (ours.lines, ours.is_closed) == (theirs.lines, theirs.is_closed)


GET = b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
HI, BYE = b"\x81\x82\0\0\0\0hi", b"\x88\x82\0\0\0\0\x03\xe8"


def cuts(of: bytes) -> list[tuple[bytes, ...]]:
    """Its bytes one by one, and two pieces of it in every way."""
    return [
        tuple(of[at : at + 1] for at in range(len(of))),
        *((of[:at], of[at:]) for at in range(1, len(of))),
    ]


@pytest.mark.parametrize("lines", [GOOD, UNUSUAL["two cookies"]], ids=["usual", "unusual"])
@pytest.mark.parametrize("before", [(), (GET,), (GET[:9], GET[9:], GET)], ids=len)
async def test_wherever_packets_end_a_socket_comes_out_alike(
    monkeypatch: pytest.MonkeyPatch, lines: Lines, before: tuple[bytes, ...]
) -> None:
    whole = await both(monkeypatch, *before, head(lines), HI)
    expected = (whole[0].lines, whole[0].is_closed)
    assert expected[0][-1] == b"\x81\x02hi"

    for pieces in cuts(head(lines)):
        for each in await both(monkeypatch, *before, *pieces, *cuts(HI)[0]):
            assert (each.lines, each.is_closed) == expected
            assert each.scopes == whole[0].scopes


@pytest.mark.parametrize("lines", [*USUAL.values(), *UNUSUAL.values()], ids=[*USUAL, *UNUSUAL])
async def test_what_comes_in_one_packet_with_a_head_comes_out_alike(
    monkeypatch: pytest.MonkeyPatch, lines: Lines
) -> None:
    for more in (HI, HI + BYE, HI[:3], BYE, GET, head(lines), b"\0"):
        for last in (HI, GET):
            ours, theirs = await both(monkeypatch, head(lines) + more, last)
            assert (ours.lines, ours.is_closed) == (theirs.lines, theirs.is_closed)
            assert ours.lines[0].startswith(b"HTTP/1.1 101"), "what came too early is not heard"


async def test_what_strangers_make_of_a_head_comes_out_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chance = random.Random(6455)
    heads = [head(lines) for lines in (*USUAL.values(), *UNUSUAL.values())]
    quick = 0
    for _ in range(MUTATIONS):
        ours, theirs = await both(monkeypatch, _mutated(chance, chance.choice(heads)))
        quick += isinstance(ours.protocol, QuickLane)
        assert (ours.lines, ours.is_closed) == (theirs.lines, theirs.is_closed)
        assert ours.scopes == theirs.scopes
    assert 20 < quick < MUTATIONS - 100, "both ways were taken"


def _mutated(chance: random.Random, head: bytes) -> bytes:
    """One line dropped, doubled or moved, or a few bytes of it changed."""
    *lines, _, _ = head.split(b"\r\n")
    at = chance.randrange(len(lines))
    match chance.randrange(4):
        case 0:
            del lines[at]
        case 1:
            lines.insert(chance.randrange(1, len(lines) + 1), lines[at])
        case 2:
            lines.append(lines.pop(at).swapcase())
        case _:
            line, place = lines[at], chance.randrange(len(lines[at]))
            new = chance.choice([b" ", b"\t", b",", b":", b"=", b"A", b"\x7f", b"\xff", b"", b"13"])
            lines[at] = line[:place] + new + line[place + 1 :]
    return b"\r\n".join([*lines, b"", b""])


async def test_behind_a_proxy_the_client_is_whom_the_proxy_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = [*GOOD, b"X-Forwarded-For: 10.9.9.9", b"X-Forwarded-Proto: https"]
    proxied = {"proxy_headers": True, "forwarded_allow_ips": ["10.0.0.2"]}

    ours, theirs = await both(monkeypatch, head(told), **proxied)
    assert isinstance(ours.protocol, QuickLane)
    assert ours.scopes == theirs.scopes
    assert (ours.scopes[0]["client"], ours.scopes[0]["scheme"]) == (("10.9.9.9", 0), "wss")

    alone, _ = await both(monkeypatch, head(told), proxy_headers=False)
    assert (alone.scopes[0]["client"], alone.scopes[0]["scheme"]) == (("10.0.0.2", 9), "ws")


async def test_over_tls_and_under_a_path_the_scope_is_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = await both(monkeypatch, head(GOOD), is_secure=True, root_path="/hall")

    assert isinstance(ours.protocol, QuickLane)
    assert ours.scopes == theirs.scopes
    assert (ours.scopes[0]["scheme"], ours.scopes[0]["path"]) == ("wss", "/hall/graphql")


@pytest.mark.parametrize("lines", [GOOD, UNUSUAL["two cookies"]], ids=["usual", "unusual"])
async def test_nothing_of_http_is_left_of_a_socket(lines: Lines) -> None:
    gc.disable()
    try:
        opened = await outcome(head(lines))
        assert opened.http() is None, "it is freed at once, not found by the collector"
    finally:
        gc.enable()
    assert isinstance(opened.protocol, LaneProtocol)


async def test_a_quick_lane_has_all_that_uvicorns_protocol_is_made_with() -> None:
    quick = (await outcome(head(GOOD))).protocol
    made = LaneProtocol(config=quick.config, server_state=ServerState(), app_state={})

    assert {name for name in vars(made) if not hasattr(quick, name)} == set()
    shared = {name: value for name, value in vars(QuickLane).items() if name in vars(made)}
    assert len(shared) > 10
    assert shared | {"handshake_initiated": False} == {name: vars(made)[name] for name in shared}
