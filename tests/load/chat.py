"""W3, the chat: one-to-one conversations, each member sending and the peer receiving."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import orjson

from tests.load.databases import database_facts, database_server, fresh_database
from tests.load.node_peers import GRAPHQL_WS, LEFT_OUT_KEYS, node_peers
from tests.load.ours import OURS, Pair, prepared
from tests.load.peers.ground import lay_ground
from tests.load.progress import tell
from tests.load.servers import Program, Server, peer, serving
from tests.load.workload import (
    COMMON_KEYS,
    Candidate,
    Figures,
    Pace,
    Workload,
    medians,
    ratio,
    take_turns,
    total,
    verdict,
)

CLIENT = "tests.load.clients.chat"
CONVERSATIONS = 200
CONVERSATIONS_QUICK = 60
"""So that the slowest peer opens and drains within the budget of a quick run."""
NUMBER = "%NUMBER%"
TEXT = f"#n{NUMBER} " + "a message of a hundred characters ".ljust(89, "x")
"""The client writes each message's number where NUMBER stands and finds it again at the peer's."""
SUBPROTOCOL = {"Sec-WebSocket-Protocol": "graphql-transport-ws"}
RAW, PLAIN, CACHED = "raw", "strawberry", "strawberry_cached"
NODE_SCRIPTS = {GRAPHQL_WS: "graphql_ws_chat"}

PEER_SUBSCRIPTION = (
    "subscription S($me: Int!) { messages(me: $me) { id conversation sender body at } }"
)
PEER_MUTATION = (
    "mutation M($to: Int!, $conversation: Int!, $sender: Int!, $text: String!)"
    " { send(to: $to, conversation: $conversation, sender: $sender, text: $text) }"
)

CLIENT_KEY = f"00000000-0000-7000-8000-0000{NUMBER}"
OUR_SUBSCRIPTION = (
    "subscription S($conversationId: ID!) { conversationEvents(conversationId: $conversationId)"
    " { __typename ... on MessageSent { message { id seq text sentAt } } } }"
)
OUR_MUTATION = (
    "mutation M($input: SendMessageInput!) { sendMessage(input: $input) { message { id } } }"
)

Dialect: TypeAlias = Callable[[int, int, int], dict[str, Any]]
"""What member ``me`` says, talking to ``to`` in ``conversation``: opening and template."""

KEYS = {
    "msgs_s": "messages a second of ours that were kept and came to the peer, closed loop",
    "cpu_us_per_message": "server CPU a message, ours, at saturation, microseconds",
    "cpu_vs_raw": "the same by the raw limit's",
    "cpu_vs_node_graphql_ws": "the same by graphql-ws and pg (Node.js); null when left out",
    "p99_ms": "ours, from the instant a message was due until the peer had it, at half the rate",
    "lost": "messages of ours that were acknowledged and never came",
    "failed": "messages of ours that the server refused or never answered",
}


async def run(pace: Pace) -> Figures:
    """Set up, let the candidates take turns, compare."""
    pairs = CONVERSATIONS_QUICK if pace.is_quick else CONVERSATIONS
    with database_server() as server_url:
        async with (
            fresh_database(server_url, "peers") as peers_url,
            fresh_database(server_url, "ours") as ours_url,
        ):
            tell(f"{pairs} conversations")
            await lay_ground(peers_url, unions=1, members=1)
            async with prepared(ours_url) as house:
                talking = await house.enter_conversations(pairs)
                node = node_peers(pace, NODE_SCRIPTS, PEER_DATABASE_URL=peers_url)
                programs = [house.program(), *_peers(peers_url), *node.programs]
                tell("starting the servers")
                async with serving(programs) as servers:
                    measured = await take_turns(pace, _candidates(pace, servers, talking))
            facts = {"conversations": pairs, "database": await database_facts(ours_url)}
            return _figures(measured) | {"left_out": node.left_out} | facts


def _peers(url: str) -> list[Program]:
    return [
        peer("raw_chat", RAW, PEER_DATABASE_URL=url),
        peer("strawberry_chat", PLAIN, PEER_DATABASE_URL=url),
        peer("strawberry_chat", CACHED, PEER_DATABASE_URL=url, PEER_CACHES="on"),
    ]


def _candidates(
    pace: Pace, servers: Mapping[str, Server], talking: Sequence[Pair]
) -> list[Candidate]:
    pairs = len(talking)
    stock, raw = _members(pairs, _stock), _members(pairs, _raw)
    ways: dict[str, dict[str, Any]] = {
        OURS: {"path": "/graphql", "headers": SUBPROTOCOL, "members": _our_members(talking)},
        PLAIN: {"path": "/graphql/", "headers": SUBPROTOCOL, "members": stock},
        CACHED: {"path": "/graphql/", "headers": SUBPROTOCOL, "members": stock},
        RAW: {"path": "/", "headers": {}, "members": raw},
        GRAPHQL_WS: {"path": "/graphql", "headers": SUBPROTOCOL, "members": stock},
    }
    return [
        Candidate(
            server,
            CLIENT,
            {
                **ways[name],
                "warm_s": pace.warm_s,
                "measure_s": pace.measure_s,
                # A quick run has time for ours alone.
                "is_rate_held": name == OURS or not pace.is_quick,
            },
        )
        for name, server in servers.items()
    ]


def _members(pairs: int, dialect: Dialect) -> list[dict[str, Any]]:
    """Member i talks with member i + pairs: those who send one after another share nothing."""
    return [
        {"peer": (i + pairs) % (2 * pairs), **dialect(i, (i + pairs) % (2 * pairs), i % pairs)}
        for i in range(2 * pairs)
    ]


def _raw(me: int, to: int, conversation: int) -> dict[str, Any]:
    sent = {"to": to, "conversation": conversation, "sender": me, "text": TEXT, "n": NUMBER}
    return {"opening": [(_json({"me": me}), "joined")], "template": _json(sent)}


def _stock(me: int, to: int, conversation: int) -> dict[str, Any]:
    sent = {"to": to, "conversation": conversation, "sender": me, "text": TEXT}
    subscribe = {"query": PEER_SUBSCRIPTION, "variables": {"me": me}}
    # The peers' subscriptions have no acknowledgement, but a question asked after one is answered
    # when the server has come past it: they ask nobody for permission.
    asked = {"id": "q", "type": "subscribe", "payload": {"query": "{ __typename }"}}
    return {
        "opening": [*_opening({}, subscribe, ""), (_json(asked), "complete")],
        "template": _template({"query": PEER_MUTATION, "variables": sent}),
    }


def _our_members(talking: Sequence[Pair]) -> list[dict[str, Any]]:
    def dialect(me: int, _to: int, conversation: int) -> dict[str, Any]:
        pair = talking[conversation]
        token = pair.member_token if me < len(talking) else pair.consultant_token
        where = {"conversationId": pair.conversation_id}
        sent = {**where, "clientKey": CLIENT_KEY, "text": TEXT}
        subscribe = {"query": OUR_SUBSCRIPTION, "variables": where}
        return {
            # Ours says when it is live. What was sent before that is in the history instead.
            "opening": _opening({"token": token}, subscribe, '"live"'),
            "template": _template({"query": OUR_MUTATION, "variables": {"input": sent}}),
        }

    return _members(len(talking), dialect)


def _opening(
    init: Mapping[str, Any], subscribe: Mapping[str, Any], hear: str
) -> list[tuple[str, str]]:
    """What a member of graphql-transport-ws says first, and hears in answer."""
    return [
        (_json({"type": "connection_init", "payload": init}), "connection_ack"),
        (_json({"id": "s", "type": "subscribe", "payload": subscribe}), hear),
    ]


def _template(send: Mapping[str, Any]) -> str:
    return _json({"id": f"m{NUMBER}", "type": "subscribe", "payload": send})


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _figures(measured: Sequence[Figures]) -> Figures:
    middle = medians(measured)
    ours = middle.get(OURS, {})
    return {
        "msgs_s": ours.get("msgs_s"),
        "cpu_us_per_message": ours.get("cpu_us_per_message"),
        "cpu_vs_raw": ratio(measured, "cpu_us_per_message", OURS, RAW),
        "cpu_vs_node_graphql_ws": ratio(measured, "cpu_us_per_message", OURS, GRAPHQL_WS),
        "p99_ms": ours.get("p99_ms"),
        "lost": total(measured, OURS, "lost"),
        "failed": total(measured, OURS, "failed", "unanswered"),
        **verdict(measured),
        "peers": middle,
        "rounds": list(measured),
    }


WORKLOAD = Workload(
    name="chat",
    promise="W3: each member sends, its peer must receive; acknowledged means on disk",
    keys=KEYS | LEFT_OUT_KEYS | COMMON_KEYS,
    run=run,
)
