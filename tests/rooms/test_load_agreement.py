"""The peers of the query workload understand what ours is asked, and its answers are compared."""

from __future__ import annotations

import pytest
import strawberry
from graphql import parse, validate

from tests.load.agreement import values_in
from tests.load.operations import BOARD, CASE_LIST, MATRIX
from tests.load.peers import strawberry_ours

ROW = "0192f0c1-2345-7abc-8def-0123456789ab"


@pytest.mark.parametrize("query", [CASE_LIST, BOARD % ROW, MATRIX % ROW])
def test_the_strawberry_peer_is_asked_what_ours_is(query: str) -> None:
    schema = strawberry.Schema(strawberry_ours.Query)

    assert validate(schema._schema, parse(f"query M {query}")) == []


def test_a_missing_node_is_a_difference_and_another_order_of_keys_is_none() -> None:
    page = {"hasNextPage": False, "endCursor": None}
    edges = [{"node": {"id": "1", "name": "甲"}}, {"node": {"id": "2", "name": "乙"}}]

    assert values_in({"edges": edges, "pageInfo": page}) == 6
    assert values_in({"pageInfo": page, "edges": edges}) == 6
    assert values_in({"edges": edges[:1], "pageInfo": page}) == 4
