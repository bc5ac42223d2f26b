"""What the live workloads share: how each dialect opens a socket and follows something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from tests.load.clients.crowd import Opening
from tests.load.node_peers import GRAPHQL_WS, MERCURIUS
from tests.load.peers.members import token_of

SUBPROTOCOL = {"Sec-WebSocket-Protocol": "graphql-transport-ws"}
RAW, FLOOR, ASGI, STRAWBERRY = "websockets", "floor", "asgi", "strawberry"
SPEAKING_GRAPHQL = (STRAWBERRY, GRAPHQL_WS, MERCURIUS)
OUR_WAY: dict[str, Any] = {"path": "/graphql", "headers": SUBPROTOCOL}
WAYS: Mapping[str, dict[str, Any]] = {
    RAW: {"path": "/", "headers": {}},
    FLOOR: {"path": "/", "headers": {}},
    ASGI: {"path": "/", "headers": {}},
    STRAWBERRY: {"path": "/graphql/", "headers": SUBPROTOCOL},
    GRAPHQL_WS: OUR_WAY,
    MERCURIUS: OUR_WAY,
}
"""Where each peer is reached."""

BOARD_EVENTS = (
    "subscription S($noticeId: ID!) { receiptBoardEvents(noticeId: $noticeId)"
    " { kind at noticeId counts { recipients%s delivered read confirmed confirmedLate } } }"
)
"""What is followed of a board; a number as an alias makes as many different documents as wanted."""
INBOX_EVENTS = (
    "subscription S($unionId: ID!) { inboxEvents(unionId: $unionId)"
    " { kind at noticeId versionNo title body wantsConfirmation } }"
)
PUBLISH = (
    "mutation P($input: PublishNoticeInput!) { publishNotice(input: $input) { notice { id } } }"
)
CONFIRM = (
    "mutation C($input: ConfirmNoticeInput!)"
    " { confirmNotice(input: $input) { receipt { at isLate } } }"
)
NOTICE = "%NOTICE%"
"""Where the client writes the id that the server has given to the notice."""
NUMBER = "%NUMBER%"
"""Where the client writes an event's number, in eight digits: behind 19 it is ``control.MARK``."""
PEER_EVENTS = "subscription S { event { id kind room actor at body } }"
LIVE = '"live"'
"""Ours says when a subscription is live, and from which position on."""


def board_opening(token: str, notice: str, alias: int | None = None) -> Opening:
    """A cadre who follows the board of a notice."""
    return boards_opening(token, [notice], alias)


def boards_opening(token: str, notices: Sequence[str], alias: int | None = None) -> Opening:
    """A cadre who follows the boards of these notices, or one board several times over."""
    query = BOARD_EVENTS % ("" if alias is None else f" n{alias}: recipients")
    asked = [{"query": query, "variables": {"noticeId": notice}} for notice in notices]
    return [
        initiation(token),
        *((subscribe(f"s{number}", each), LIVE) for number, each in enumerate(asked)),
    ]


def inbox_opening(token: str, union: str) -> Opening:
    """An officer who follows the union's inbox."""
    asked = {"query": INBOX_EVENTS, "variables": {"unionId": union}}
    return [initiation(token), (subscribe("s", asked), LIVE)]


def publication(zone: str) -> str:
    """What a cadre says to publish the notice of a number to the whole zone."""
    words = {"title": f"第 :19{NUMBER} 号通知", "body": "请于12月底前完成换届,并请确认收到。"}
    given = {
        "publisherId": zone,
        "audience": {"zoneId": zone},
        "wantsConfirmation": True,
        "clientKey": f"00000000-0000-7000-8000-0000{NUMBER}",
    }
    asked = {"query": PUBLISH, "variables": {"input": words | given}}
    return subscribe(f"p{NUMBER}", asked)


def board_following() -> str:
    """What the publisher says to follow the board of the notice just published."""
    asked = {"query": BOARD_EVENTS % "", "variables": {"noticeId": NOTICE}}
    return subscribe("b", asked)


def confirmation(union: str) -> str:
    """What an officer says to confirm the notice for a union."""
    given = {"noticeId": NOTICE, "unionId": union, "versionNo": 1}
    return subscribe("c", {"query": CONFIRM, "variables": {"input": given}})


def peer_openings(name: str, count: int) -> list[Opening]:
    """So many members of a peer, each following its events."""
    tokens = [token_of(f"member-{number}") for number in range(count)]
    if name not in SPEAKING_GRAPHQL:
        return [[(json({"token": token}), "ready")] for token in tokens]
    # A stock subscription has no acknowledgement, but a question asked after it is answered when
    # the server has come past it.
    return [
        [
            initiation(token),
            (subscribe("s", {"query": PEER_EVENTS}), ""),
            (subscribe("q", {"query": "{ __typename }"}), "complete"),
        ]
        for token in tokens
    ]


def initiation(token: str) -> tuple[str, str]:
    """The first word of ``graphql-transport-ws``, and what is heard in answer."""
    return json({"type": "connection_init", "payload": {"token": token}}), "connection_ack"


def subscribe(id: str, payload: Mapping[str, Any]) -> str:
    """An operation of any kind."""
    return json({"id": id, "type": "subscribe", "payload": payload})


def json(value: Any) -> str:
    """As text."""
    return orjson.dumps(value).decode()


def sizes(pace_is_quick: bool, full: int, quick: int) -> int:
    """The size of this run."""
    return quick if pace_is_quick else full


def of(middle: Mapping[str, Mapping[str, Any]], name: str, keys: Sequence[str]) -> dict[str, Any]:
    """Some figures of one candidate; those that were not measured are null."""
    return {key: middle.get(name, {}).get(key) for key in keys}
