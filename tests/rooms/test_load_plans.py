"""What the load clients say is valid, so that a run measures answers and not refusals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from graphql import GraphQLSchema, build_schema, parse, validate

from gateway.cli import SDL_FILE
from tests.load.clients.crowd import Opening
from tests.load.clients.receipts import lags_s, most_in_a_second
from tests.load.clients.resume import resuming
from tests.load.control import EVENT_BYTES, MARK, event, number_in
from tests.load.live import (
    ASGI,
    NUMBER,
    RAW,
    STRAWBERRY,
    board_following,
    board_opening,
    boards_opening,
    confirmation,
    inbox_opening,
    peer_openings,
    publication,
)
from tests.load.node_peers import GRAPHQL_WS, MERCURIUS
from tests.load.peers.members import is_member, token_of


@pytest.fixture(scope="module")
def sdl() -> GraphQLSchema:
    return build_schema(SDL_FILE.read_text())


def test_what_ours_is_asked_is_valid(sdl: GraphQLSchema) -> None:
    openings: list[Opening] = [
        board_opening("t", "n"),
        boards_opening("t", ["n", "m"], 7),
        inbox_opening("t", "u"),
        [(publication("z"), ""), (board_following(), ""), (confirmation("u"), "")],
    ]

    assert [mistakes(sdl, opening) for opening in openings] == [[]] * len(openings)


def test_as_many_documents_are_followed_as_are_wanted() -> None:
    openings = [board_opening("t", "n", number % 3) for number in range(9)]

    assert len({opening[1][0] for opening in openings}) == 3


@pytest.mark.parametrize("name", [RAW, ASGI, STRAWBERRY, GRAPHQL_WS, MERCURIUS])
def test_a_peer_is_told_who_comes(name: str) -> None:
    openings = peer_openings(name, 3)

    tokens = [token_in(orjson.loads(opening[0][0])) for opening in openings]
    assert all(map(is_member, tokens))
    assert len(set(tokens)) == 3


def test_who_comes_back_says_where_it_stands() -> None:
    opening = inbox_opening("t", "u")

    resumed = resuming(opening, {"ou:1": ["e", 7]})

    (initiated, subscribed), before = [orjson.loads(say) for say, _ in resumed], opening[1][0]
    assert initiated == orjson.loads(opening[0][0])
    assert subscribed["payload"].pop("extensions") == {"rt": {"since": {"ou:1": ["e", 7]}}}
    assert subscribed == orjson.loads(before)


def test_a_number_is_found_in_a_title_and_in_counts() -> None:
    title = publication("z").replace(NUMBER, f"{17:08d}").encode()

    assert number_in(title) == 17
    assert number_in(orjson.dumps(event(18))) == 18
    assert number_in(b'{"at":"2026-11-23T19:00:00+00:00","confirmed":1900}') is None


def test_a_summary_is_as_late_as_the_first_that_counts_a_union() -> None:
    boards = [(1.0, None, 1), (2.0, None, 3)]

    assert lags_s([0.5, 1.5, 1.75], boards) == [0.5, 0.5, 0.25]
    assert lags_s([0.5, 1.5, 1.75, 1.8], boards) == [0.5, 0.5, 0.25]
    assert lags_s([0.5], []) == []


def test_instants_a_second_apart_are_not_in_one_second() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)

    assert most_in_a_second([]) == 0
    assert most_in_a_second([start + timedelta(milliseconds=500 * n) for n in range(5)]) == 2


def test_a_forged_token_of_a_peer_is_noticed() -> None:
    assert not is_member(token_of("member-1").replace("1", "2", 1))
    assert not is_member(None)


def test_a_peers_event_has_the_size_that_the_figures_say() -> None:
    assert len(orjson.dumps(event(1))) == EVENT_BYTES
    assert event(1)["id"] == MARK + 1


def mistakes(sdl: GraphQLSchema, opening: Opening) -> list[str]:
    """What is wrong with the documents that are said."""
    said = [orjson.loads(say) for say, _ in opening]
    documents = [each["payload"]["query"] for each in said if each["type"] == "subscribe"]
    assert documents
    return [error.message for text in documents for error in validate(sdl, parse(text))]


def token_in(said: dict[str, object]) -> object:
    """The token in a peer's first word, whatever its dialect."""
    payload = said.get("payload", said)
    assert isinstance(payload, dict)
    return payload["token"]
