"""The ``graphql-transport-ws`` server's behaviour, message by message, without a socket."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.close_codes import MEANINGS, CloseCode, cut_reason
from realtime.protocol import (
    Authenticate,
    Close,
    Effect,
    OpenOperation,
    Phase,
    Send,
    ServerProtocol,
    Start,
    Stop,
)

SUBSCRIBE = {"id": "1", "type": "subscribe", "payload": {"query": "subscription"}}


def tell(protocol: ServerProtocol, message: object) -> list[Effect]:
    return protocol.receive_text(json.dumps(message).encode())


def ready() -> ServerProtocol:
    protocol = ServerProtocol()
    tell(protocol, {"type": "connection_init"})
    protocol.acknowledge(b"{}")
    return protocol


def started(protocol: ServerProtocol, message: object = SUBSCRIBE) -> OpenOperation:
    (start,) = tell(protocol, message)
    assert isinstance(start, Start)
    return start.operation


def close_code(effects: list[Effect]) -> int:
    assert isinstance(effects[-1], Close)
    return effects[-1].code


# Handshake and init


def test_a_socket_of_another_subprotocol_is_closed() -> None:
    assert close_code(ServerProtocol("graphql-ws").opened()) == 4406
    assert close_code(ServerProtocol(None).opened()) == 4406
    assert ServerProtocol().opened() == []


@pytest.mark.parametrize("payload", [{}, {"payload": None}, {"payload": {"token": "x"}}])
def test_init_asks_who_it_is_and_the_answer_acknowledges(payload: dict[str, Any]) -> None:
    protocol = ServerProtocol()
    effects = tell(protocol, {"type": "connection_init", **payload})

    assert effects == [Authenticate(payload.get("payload") or {})]
    (ack,) = protocol.acknowledge(b'{"rt":{"v":1}}')
    assert ack == Send(b'{"type":"connection_ack","payload":{"rt":{"v":1}}}')
    assert protocol.phase is Phase.READY


def test_a_refused_init_is_forbidden() -> None:
    protocol = ServerProtocol()
    tell(protocol, {"type": "connection_init"})
    assert protocol.refuse() == [Close(CloseCode.FORBIDDEN, "Forbidden")]
    assert protocol.acknowledge(b"{}") == []


def test_no_init_in_time_closes() -> None:
    protocol = ServerProtocol()
    assert protocol.init_timed_out() == [
        Close(CloseCode.INIT_TIMEOUT, "Connection initialisation timeout")
    ]


def test_an_init_that_is_being_looked_at_does_not_time_out() -> None:
    protocol = ServerProtocol()
    tell(protocol, {"type": "connection_init"})
    assert protocol.init_timed_out() == []
    protocol.acknowledge(b"{}")
    assert protocol.init_timed_out() == []


@pytest.mark.parametrize("is_done", [False, True])
def test_a_second_init_is_too_many(is_done: bool) -> None:
    protocol = ServerProtocol()
    tell(protocol, {"type": "connection_init"})
    if is_done:
        protocol.acknowledge(b"{}")
    effects = tell(protocol, {"type": "connection_init"})
    assert effects == [Close(CloseCode.TOO_MANY_INITS, "Too many initialisation requests")]


# Ping and pong


@pytest.mark.parametrize("payload", [{"a": [1, {"b": "ü"}]}, {}])
def test_a_ping_is_answered_with_its_payload(payload: object) -> None:
    (pong,) = tell(ServerProtocol(), {"type": "ping", "payload": payload})
    assert isinstance(pong, Send)
    assert json.loads(pong.frame) == {"type": "pong", "payload": payload}


@pytest.mark.parametrize("message", [{"type": "ping"}, {"type": "ping", "payload": None}])
def test_a_ping_without_payload_is_answered_without(message: object) -> None:
    assert tell(ServerProtocol(), message) == [Send(b'{"type":"pong"}')]


@pytest.mark.parametrize("given", [{}, {"payload": None}, {"payload": {"a": 1}}])
def test_a_pong_is_ignored(given: dict[str, object]) -> None:
    assert tell(ServerProtocol(), {"type": "pong", **given}) == []


# Operations


@pytest.mark.parametrize("is_pending", [False, True])
def test_subscribing_before_the_ack_is_unauthorised(is_pending: bool) -> None:
    protocol = ServerProtocol()
    if is_pending:
        tell(protocol, {"type": "connection_init"})
    assert tell(protocol, SUBSCRIBE) == [Close(CloseCode.UNAUTHORISED, "Unauthorized")]


def test_an_operation_carries_everything_the_client_said() -> None:
    (start,) = tell(
        ready(),
        {
            "id": "x",
            "type": "subscribe",
            "payload": {
                "query": "",
                "operationName": "O",
                "variables": {"a": 1},
                "extensions": {"b": 2},
            },
        },
    )
    assert isinstance(start, Start)
    request = start.request
    assert (request.query, request.operation_name) == ("", "O")
    assert (request.variables, request.extensions) == ({"a": 1}, {"b": 2})


def test_null_and_absent_are_the_same_in_a_subscribe() -> None:
    nothing = {"operationName": None, "variables": None, "extensions": None}
    (start,) = tell(ready(), {**SUBSCRIBE, "payload": {"query": "q", **nothing}})
    assert isinstance(start, Start)
    assert start.request.operation_name is None
    assert start.request.variables == start.request.extensions == {}


def test_results_then_complete() -> None:
    protocol = ready()
    operation = started(protocol)
    assert protocol.next_frame(operation, b'{"data":1}') == (
        b'{"id":"1","type":"next","payload":{"data":1}}'
    )
    assert protocol.complete(operation) == b'{"id":"1","type":"complete"}'
    assert protocol.next_frame(operation, b"{}") is None
    assert protocol.complete(operation) is None


def test_an_error_ends_the_operation_without_complete() -> None:
    protocol = ready()
    operation = started(protocol)
    frame = protocol.fail(operation, [{"message": "no"}])
    assert frame == b'{"id":"1","type":"error","payload":[{"message":"no"}]}'
    assert protocol.complete(operation) is None
    assert protocol.fail(operation, []) is None
    assert protocol.phase is Phase.READY


def test_an_id_in_use_closes_even_while_preparing() -> None:
    protocol = ready()
    operation = started(protocol)
    assert tell(protocol, SUBSCRIBE) == [
        Stop(operation),
        Close(CloseCode.DUPLICATE_ID, "Subscriber for 1 already exists"),
    ]


def test_an_id_may_be_used_again_after_an_end_of_any_kind() -> None:
    protocol = ready()
    protocol.complete(started(protocol))
    protocol.fail(started(protocol), [])
    operation = started(protocol)
    assert tell(protocol, {"type": "complete", "id": "1"}) == [Stop(operation)]
    started(protocol)


def test_after_the_clients_complete_nothing_is_sent_for_it() -> None:
    protocol = ready()
    operation = started(protocol)
    tell(protocol, {"type": "complete", "id": "1"})
    assert protocol.next_frame(operation, b"{}") is None
    assert protocol.complete(operation) is None
    assert protocol.fail(operation, []) is None


def test_a_former_bearer_of_an_id_does_not_speak_for_the_new_one() -> None:
    protocol = ready()
    former = started(protocol)
    tell(protocol, {"type": "complete", "id": "1"})
    current = started(protocol)
    assert protocol.next_frame(former, b"{}") is None
    assert protocol.complete(former) is None
    assert protocol.is_open(current)


def test_complete_of_an_unknown_id_is_ignored() -> None:
    assert tell(ready(), {"type": "complete", "id": "unknown"}) == []
    assert tell(ServerProtocol(), {"type": "complete", "id": "unknown"}) == []


def test_closing_stops_every_operation_first() -> None:
    protocol = ready()
    first, second = started(protocol), started(protocol, {**SUBSCRIBE, "id": "2"})
    effects = protocol.close(CloseCode.GOING_AWAY)
    assert effects == [Stop(first), Stop(second), Close(CloseCode.GOING_AWAY, "Going away")]


def test_nothing_follows_a_close() -> None:
    protocol = ready()
    operation = started(protocol)
    protocol.close(CloseCode.RESTART)
    assert tell(protocol, {"type": "ping"}) == []
    assert protocol.receive_binary() == []
    assert protocol.close(CloseCode.GOING_AWAY) == []
    assert protocol.next_frame(operation, b"{}") is None
    assert protocol.lost() == []


def test_a_lost_socket_stops_its_operations_without_a_close() -> None:
    protocol = ready()
    operation = started(protocol)
    assert protocol.lost() == [Stop(operation)]


# What is no message

BAD_TYPES: list[object] = [
    *(None, 1, 1.5, True, "x", "", [], [1, 2], [{"type": "ping"}]),
    *({}, {"type": None}, {"type": ""}, {"type": 1}, {"type": ["ping"]}, {"type": {}}),
    *({"type": "nope"}, {"type": "PING"}, {"id": "1"}, {"type": "start", "id": "1"}),
    *({"type": "connection_init", "payload": p} for p in ("x", 1, [], True, 0, "")),
    *({"type": "ping", "payload": p} for p in ("x", 0, [], False)),
    *({"type": "pong", "payload": p} for p in ("x", 0, [])),
    {"type": "connection_ack"},
    {"type": "connection_ack", "payload": "x"},
    {"type": "next", "id": "1", "payload": {"data": {}}},
    {"type": "next", "id": "1"},
    {"type": "error", "id": "1", "payload": [{"message": "x"}]},
    {"type": "error", "id": "1", "payload": {}},
    *({"type": "complete", "id": i} for i in (None, "", 1, [], {}, "x" * 65)),
    {"type": "complete"},
    {"type": "subscribe"},
    {"type": "subscribe", "payload": {"query": "q"}},
    *({"type": "subscribe", "id": i, "payload": {"query": "q"}} for i in (None, "", 1, [1])),
    {"type": "subscribe", "id": "x" * 65, "payload": {"query": "q"}},
    {"type": "subscribe", "id": "1"},
    *({"type": "subscribe", "id": "1", "payload": p} for p in (None, "q", 1, [], {})),
    *({"type": "subscribe", "id": "1", "payload": {"query": q}} for q in (None, 0, [], {})),
    *(
        {"type": "subscribe", "id": "1", "payload": {"query": "q", "operationName": n}}
        for n in (0, [], {}, False)
    ),
    *(
        {"type": "subscribe", "id": "1", "payload": {"query": "q", key: v}}
        for key in ("variables", "extensions")
        for v in ("x", 0, [], True)
    ),
]


@pytest.mark.parametrize("message", BAD_TYPES, ids=json.dumps)
def test_what_is_no_message_closes_with_4400(message: object) -> None:
    for protocol in (ServerProtocol(), ready()):
        assert close_code(tell(protocol, message)) == 4400


BAD_FRAMES = [
    *(b"", b" ", b"{", b"nonsense", b'{"type":"ping"} x', b"\xff\xfe", b"\x00", b"NaN"),
    b'{"type":"ping","payload":{"a":NaN}}',
    b'{"type":"ping","type":"pong"}',
    b'{"type":"ping","payload":{"a":' + b"9" * 5_000 + b"}}",
    b'{"type":"ping","payload":{"a":1e999}}',
    b'{"type":"ping","payload":' + b'{"a":' * 40 + b"1" + b"}" * 41,
    b"[" * 100_000,
    b"[" * 30_000,
    b'{"type":"ping","payload":{"a":"' + b"x" * 1_000_000 + b'"}}',
    b'{"type":"ping","payload":{"a":"\\ud800"}}',
    b'{"type":"complete","id":"\\u0000"}',
    b'\xef\xbb\xbf{"type":"ping"}',
    b'{"type":"ping","payload":{"a":"\xed\xa0\x80"}}',
]


@pytest.mark.parametrize("frame", BAD_FRAMES, ids=lambda f: repr(f[:40]))
def test_what_is_no_json_of_ours_closes_with_4400(frame: bytes) -> None:
    assert close_code(ready().receive_text(frame)) == 4400


def test_a_binary_frame_closes_with_4400() -> None:
    assert close_code(ready().receive_binary()) == 4400


@pytest.mark.parametrize("text", ["\\ud800", "\\u0000", "a\\udfffb"])
def test_an_unspeakable_text_in_an_operation_refuses_the_operation_only(text: str) -> None:
    protocol = ready()
    frame = '{"id":"1","type":"subscribe","payload":{"query":"q","variables":{"t":"TEXT"}}}'
    (send,) = protocol.receive_text(frame.replace("TEXT", text).encode())
    assert isinstance(send, Send)
    error = json.loads(send.frame)
    assert (error["type"], error["id"]) == ("error", "1")
    assert error["payload"][0]["extensions"]["code"] == "json.bad_character"
    started(protocol)


@pytest.mark.parametrize("length", [65_535, 65_536])
def test_a_frame_of_the_greatest_length_is_taken(length: int) -> None:
    frame = b'{"type":"pong","payload":{"a":""}}'
    frame = frame.replace(b'""', b'"' + b"x" * (length - len(frame)) + b'"')
    assert len(frame) == length
    assert ready().receive_text(frame) == []
    assert close_code(ready().receive_text(frame + b" " * (65_537 - length))) == 4400


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode("utf-8", "replace")))
def test_no_bytes_whatever_break_it(frame: bytes) -> None:
    for protocol in (ServerProtocol(), ready()):
        for effect in protocol.receive_text(frame):
            assert isinstance(effect, (Send, Close, Authenticate, Start, Stop))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
message_like = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["connection_init", "ping", "pong", "subscribe", "complete", "x"]),
        "id": st.sampled_from(["1", "2", ""]) | json_values,
        "payload": st.fixed_dictionaries({}, optional={"query": json_values}) | json_values,
    },
)


@given(st.lists(message_like, max_size=8))
def test_no_sequence_of_messages_breaks_it(messages: list[dict[str, Any]]) -> None:
    protocol = ServerProtocol()
    for message in messages:
        effects = tell(protocol, message)
        if any(isinstance(effect, Authenticate) for effect in effects):
            protocol.acknowledge(b"{}")
        closes = [effect for effect in effects if isinstance(effect, Close)]
        assert len(closes) <= 1
        assert (protocol.phase is Phase.CLOSED) >= bool(closes)
        for effect in effects:
            if isinstance(effect, Send):
                json.loads(effect.frame)


# Close codes


def test_every_code_has_a_meaning_that_fits_a_close_frame() -> None:
    assert set(MEANINGS) == set(CloseCode)
    for meaning in MEANINGS.values():
        assert cut_reason(meaning.text) == meaning.text


@given(st.text(st.characters(), max_size=200))
def test_reasons_fit_a_close_frame_and_end_between_characters(text: str) -> None:
    cut = cut_reason(text).encode()
    assert len(cut) <= 123
    assert text.encode("utf-8", "replace").startswith(cut)


def test_a_long_id_still_gives_a_whole_reason() -> None:
    protocol = ready()
    message = {**SUBSCRIBE, "id": "工" * 64}
    started(protocol, message)
    close = tell(protocol, message)[-1]
    assert isinstance(close, Close)
    assert close.reason.startswith("Subscriber for 工")
    assert 120 <= len(close.reason.encode()) <= 123
