"""Whatever comes over a socket, with whatever token: a stable code, no effect, nobody harmed."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from typing import Any

import pytest

from domain.kernel.ids import new_id
from realtime.close_codes import CloseCode
from schema.nodes import global_id
from tests.support.access import APP, PASSWORD, signed_in
from tests.support.arena import CANARY, Arena, filled
from tests.support.operations import Operations
from tests.support.redis_server import eventually
from tests.support.rude import Door, Socket, a_socket, codes

OPERATIONS = Operations()
MINE = "subscription ($after: String) { myEvents(after: $after) { cursor } }"
TALK = """subscription ($id: ID!, $after: String) {
    conversationEvents(conversationId: $id, after: $after) { __typename } }"""


async def test_what_is_foreign_looks_absent_in_every_subscription(arena: Arena) -> None:
    leaves = [
        leaf for leaf in OPERATIONS.leaves() if leaf.kind == "subscription" and leaf.type == "ID"
    ]
    for caller in arena.callers[1:]:
        async with a_socket(arena.server.socket, caller.token) as socket:
            for leaf in leaves:
                answers = []
                for id_ in (arena.foreign[leaf.target], new_id()):
                    text = global_id(leaf.target, id_)
                    asked = OPERATIONS.ask(leaf, filled(leaf, text, caller))
                    answers.append(await socket.subscribe(*asked))
                assert answers[0] == answers[1], (str(leaf), caller.name)
                assert answers[0]["type"] == "error"
                (code,) = codes({"errors": answers[0]["payload"]})
                assert code in {"RT_FORBIDDEN", "not_found", "forbidden", "access.unauthenticated"}


async def test_positions_of_others_streams_lead_nowhere(arena: Arena) -> None:
    member, foreign = arena.callers[1], arena.foreign["Conversation"]
    own = global_id("Conversation", member.own["Conversation"])
    async with a_socket(arena.server.socket, member.token) as socket:
        for after in (
            f"cv:{member.own['Conversation']}:{CANARY}:1",
            f"cv:{member.own['Conversation']}::{'9' * 30}",
            CANARY,
            "::",
            ",".join(["a:b:1"] * 99),
        ):
            told = await socket.subscribe(TALK, {"id": own, "after": after})
            assert told["type"] == "error", after
            assert codes({"errors": told["payload"]}) == {"RT_UNRECOVERABLE"}, after
        # A stream that is not followed is not looked at: live from now, and nothing of it.
        after = f"cv:{foreign}::0"
        await socket.send(
            subscribing(payload={"query": TALK, "variables": {"id": own, "after": after}})
        )
        await assert_alive(socket, not_about=str(foreign))


# Frames


def subscribing(**given: Any) -> dict[str, Any]:
    return {"id": "1", "type": "subscribe", "payload": {"query": "{ __typename }"}, **given}


BAD = CloseCode.BAD_REQUEST
FRAMES: dict[str, tuple[Any, int]] = {
    "no json": (CANARY, BAD),
    "empty": ("", BAD),
    "null": ("null", BAD),
    "a list": ([{"type": "ping"}], BAD),
    "a text": (json.dumps(CANARY), BAD),
    "deep": ("[" * 60_000, BAD),
    "digits": ('{"type":"ping","payload":{"a":' + "9" * 5_000 + "}}", BAD),
    "not a number": ('{"type":"ping","payload":{"a":NaN}}', BAD),
    "twice": ('{"type":"ping","type":"pong"}', BAD),
    "unknown": ({"type": CANARY}, BAD),
    "no type": ({"id": CANARY}, BAD),
    "type list": ({"type": ["ping"]}, BAD),
    "no id": (subscribing(id=None), BAD),
    "id number": (subscribing(id=1), BAD),
    "id empty": (subscribing(id=""), BAD),
    "id long": (subscribing(id="a" * 65), BAD),
    "no payload": (subscribing(payload=None), BAD),
    "query list": (subscribing(payload={"query": [CANARY]}), BAD),
    "variables": (subscribing(payload={"query": "{a}", "variables": CANARY}), BAD),
    "nul": ({"type": "ping", "payload": {"a": f"{CANARY}\0"}}, BAD),
    "surrogate": ({"type": "ping", "payload": {"a": "\ud800"}}, BAD),
    "large": (subscribing(payload={"query": CANARY * 7_000}), BAD),
    "not utf-8": (b'{"type":"ping","payload":{"a":"\xff"}}', 1007),
    "hello again": ({"type": "connection_init"}, CloseCode.TOO_MANY_INITS),
}
FIRST_FRAMES: dict[str, tuple[Any, int]] = {
    "nobody": ({"type": "connection_init"}, CloseCode.FORBIDDEN),
    "token number": ({"type": "connection_init", "payload": {"token": 1}}, CloseCode.FORBIDDEN),
    "token long": (
        {"type": "connection_init", "payload": {"token": CANARY * 99}},
        CloseCode.FORBIDDEN,
    ),
    "payload text": ({"type": "connection_init", "payload": CANARY}, BAD),
    "no hello": (subscribing(), CloseCode.UNAUTHORISED),
    "no json": (CANARY, BAD),
}


async def test_no_frame_does_harm(arena: Arena) -> None:
    token = arena.callers[1].token
    for name, (frame, code) in FRAMES.items():
        async with a_socket(arena.server.socket, token) as socket:
            await socket.send(frame)
            assert await socket.closed() == code, name
    for name, (frame, code) in FIRST_FRAMES.items():
        async with a_socket(arena.server.socket, says_hello=False) as socket:
            await socket.send(frame)
            assert await socket.closed() == code, name
    async with a_socket(arena.server.socket, token) as socket:
        await socket.raw.send(CANARY.encode())  # a binary frame
        assert await socket.closed() == BAD
    async with a_socket(arena.server.socket, protocol="graphql-ws", says_hello=False) as socket:
        assert await socket.closed() == CloseCode.BAD_SUBPROTOCOL


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\x81\x02hi", id="not masked"),
        pytest.param(b"\x83\x80\0\0\0\0", id="reserved opcode"),
        pytest.param(b"\xf1\x80\0\0\0\0", id="reserved bits"),
        pytest.param(b"\x80\x80\0\0\0\0", id="goes on with nothing"),
        pytest.param(b"\x81\xff" + b"\xff" * 8, id="a length beyond all"),
        pytest.param(b"\x81\xff\0\0\0\0\0\x10\0\0" + b"a" * 1_000_000, id="a megabyte"),
    ],
)
async def test_no_bytes_do_harm(arena: Arena, raw: bytes) -> None:
    async with a_socket(arena.server.socket, arena.callers[1].token) as socket:
        socket.raw.transport.write(raw)
        # 1006: what was on its way meets a closed door, and the reason gets lost.
        assert await socket.closed() in {1002, 1006, 1009}


async def test_an_unspeakable_operation_ends_alone(arena: Arena) -> None:
    async with a_socket(arena.server.socket, arena.callers[1].token) as socket:
        for id_ in ("1", "\0", "\ud800"):
            told = await socket.subscribe("{ __typename }", {"a": f"{CANARY}\0"}, id_=id_)
            assert told["type"] == "error"
            assert codes({"errors": told["payload"]}) == {"json.bad_character"}
        assert (await socket.subscribe("{ __typename }"))["type"] == "next"


NO_OPERATIONS = {
    "empty": {"query": ""},
    "blank": {"query": " # nothing"},
    "broken": {"query": "{ me { "},
    "unknown field": {"query": "{ nothing }"},
    "unknown operation": {"query": "query A { __typename }", "operationName": "B"},
    "one of two": {"query": "query A { __typename } query B { __typename }"},
    "fragment only": {"query": "fragment F on Query { __typename }"},
    "unknown variable": {"query": "query ($a: Nothing) { __typename }"},
    "missing variable": {"query": "query ($a: ID!) { node(id: $a) { id } }"},
    "two at once": {"query": "subscription { a: myEvents { kind } b: myEvents { kind } }"},
    "unknown hash": {
        "query": "",
        "extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}},
    },
}


async def test_what_is_no_operation_is_an_error_without_complete_and_the_socket_goes_on(
    arena: Arena,
) -> None:
    async with a_socket(arena.server.socket, arena.callers[1].token) as socket:
        for name, payload in NO_OPERATIONS.items():
            await socket.send(subscribing(payload=payload))
            told = await socket.receive()
            assert (told["type"], told["id"]) == ("error", "1"), name
            assert all(error["message"] for error in told["payload"]), name
            await socket.send({"type": "ping"})
            assert await socket.receive() == {"type": "pong"}, name
        payload = {**NO_OPERATIONS["one of two"], "operationName": "B"}
        await socket.send(subscribing(payload=payload))
        assert [(await socket.receive())["type"] for _ in range(2)] == ["next", "complete"]


async def test_an_id_in_use_closes_the_socket(arena: Arena) -> None:
    async with a_socket(arena.server.socket, arena.callers[1].token) as socket:
        for _ in range(2):
            await socket.send(subscribing(payload={"query": MINE}))
        assert await socket.closed() == CloseCode.DUPLICATE_ID


# Floods


async def assert_alive(socket: Socket, *, not_about: str = CANARY) -> None:
    await socket.send({"type": "ping", "payload": {"n": 1}})
    while (message := await socket.receive())["type"] != "pong":
        assert not_about not in json.dumps(message)


async def test_a_flood_of_operations_is_limited_one_by_one(arena: Arena) -> None:
    async with a_socket(arena.server.socket, arena.callers[1].token) as socket:
        for number in range(200):
            await socket.send(subscribing(id=f"s{number}", payload={"query": MINE}))
        refused: set[str] = set()
        while len(refused) < 200 - 64:
            message = await socket.receive()
            assert message["type"] == "error"
            assert codes({"errors": message["payload"]}) == {"RT_LIMIT"}
            refused.add(message["id"])
        await assert_alive(socket)


async def test_an_account_has_ten_sockets_and_strangers_hold_none_up(arena: Arena) -> None:
    token = arena.callers[2].token
    async with AsyncExitStack() as stack:
        for _ in range(30):
            await stack.enter_async_context(a_socket(arena.server.socket, says_hello=False))
        sockets = [
            await stack.enter_async_context(a_socket(arena.server.socket, token)) for _ in range(10)
        ]
        one_more = await stack.enter_async_context(a_socket(arena.server.socket, says_hello=False))
        await one_more.send({"type": "connection_init", "payload": {"token": token}})
        assert await one_more.closed() == CloseCode.TOO_MANY_CONNECTIONS
        for socket in sockets:
            await assert_alive(socket)
        for socket in sockets[5:]:
            await socket.send(subscribing(payload={"query": MINE}))
            socket.raw.transport.abort()


# Tokens and texts


REFRESH = """mutation ($token: String!, $device: String) {
    refreshSession(input: {refreshToken: $token, device: $device}) { accessToken refreshToken } }"""
SIGN_IN = """mutation ($who: String!, $password: String!) {
    signIn(input: {identifier: $who, password: $password, heldAs: APP}) {
        accessToken refreshToken } }"""


async def assert_signs_nobody_in(arena: Arena, token: str) -> None:
    async with Door(arena.server.graphql, token) as door:
        response = await door.ask("{ viewer { kind } }")
        assert (response.status_code, codes(response.json())) == (401, {"access.unauthenticated"})
    async with a_socket(arena.server.socket, says_hello=False) as socket:
        await socket.send({"type": "connection_init", "payload": {"token": token}})
        assert await socket.closed() == CloseCode.FORBIDDEN


async def test_old_tokens_open_nothing(arena: Arena) -> None:
    account = arena.visitors[0]
    first = await signed_in(arena.works, account, client=APP)
    async with Door(arena.server.graphql) as door:

        async def refreshed(token: str) -> Any:
            return (await door.ask(REFRESH, {"token": token, "device": CANARY})).json()

        second = (await refreshed(first.refresh_token.text))["data"]["refreshSession"]
        await assert_signs_nobody_in(arena, first.token.text)  # exchanged
        async with a_socket(arena.server.socket, second["accessToken"]) as socket:
            # The token was stolen: whoever comes second ends the session, on open sockets too.
            assert codes(await refreshed(first.refresh_token.text)) == {"access.session_over"}
            assert await socket.closed() == CloseCode.FORBIDDEN
        assert codes(await refreshed(second["refreshToken"])) == {"access.session_over"}
        await assert_signs_nobody_in(arena, second["accessToken"])  # ended

    late = await signed_in(arena.works, account, client=APP)
    await arena.execute(
        "UPDATE access_session SET token_expires_at = now() - interval '1 second' WHERE id = $1",
        late.session_id,
    )
    await assert_signs_nobody_in(arena, late.token.text)  # expired
    for nonsense in (CANARY, "u1_" + "A" * 43, "A" * 200):
        await assert_signs_nobody_in(arena, nonsense)


async def test_unusual_texts_are_welcome(arena: Arena) -> None:
    account = arena.visitors[1]
    assert account.phone
    assert account.id_number
    wide = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")
    spellings = (
        account.phone.translate(wide),
        f"+86 {account.phone[:3]}-{account.phone[3:7]} {account.phone[7:]}",
        account.id_number.translate(wide),
        account.id_number.lower(),
    )
    async with Door(arena.server.graphql) as door:
        for who in spellings:
            answer = (await door.ask(SIGN_IN, {"who": who, "password": PASSWORD})).json()
            assert answer["data"]["signIn"]["accessToken"].startswith("u1_"), "signed in"
    log = arena.server.log
    assert not [each for each in (account.phone, account.id_number, *spellings) if each in log]
    for talker in arena.crowd.talkers:
        text = f"买买提·艾力 𠮷👩‍👩‍👧 {CANARY}\u202e\u200f é ﷽"
        await talker.say(text)
        await eventually(lambda heard=talker.heard, text=text: text in {each[2] for each in heard})
