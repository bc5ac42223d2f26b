"""W6, the receipts: one notice to two thousand unions, ten thousand officers online to confirm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.load.databases import database_facts, database_server, fresh_database
from tests.load.live import (
    NOTICE,
    NUMBER,
    OUR_WAY,
    RAW,
    STRAWBERRY,
    WAYS,
    board_following,
    confirmation,
    inbox_opening,
    initiation,
    json,
    of,
    publication,
    subscribe,
)
from tests.load.ours import OURS, prepared
from tests.load.ours_notices import Zone, enter_officers
from tests.load.peers.ground import lay_ground
from tests.load.peers.members import token_of
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

CLIENT = "tests.load.clients.receipts"
UNIONS, UNIONS_QUICK = 2_000, 200
OFFICERS, OFFICERS_QUICK = 10_000, 500
CONFIRM_S, CONFIRM_S_QUICK = 10, 2
CPU = "cpu_us_per_confirmation"
_GOALS = (
    *("publish_to_all_s", "confirm_p99_ms", "summary_lag_ms"),
    *("summary_events_s_max", CPU),
)
OUR_COUNT_SQL = """
SELECT c.kind, count(*) FROM notice_receipt c JOIN notice_version v ON v.notice_id = c.notice_id
 WHERE v.title LIKE $1 GROUP BY c.kind
"""
PEER_COUNT_SQL = """
SELECT 'confirmed' AS kind, count(*) FROM peer_receipt c JOIN peer_notice n ON n.id = c.notice_id
 WHERE n.title LIKE $1
"""
TITLE, BODY = f"第 :19{NUMBER} 号通知", "请于12月底前完成换届,并请确认收到。"

KEYS = {
    "publish_to_all_s": "from the publisher's request until the last officer online has the notice",
    "confirm_p99_ms": "from the instant a confirmation was due until it was acknowledged",
    "summary_lag_ms": "the longest from a union's acknowledgement until a summary counted it",
    "summary_events_s_max": "the most summaries of one notice in one second",
    "cpu_us_per_confirmation": "server CPU a confirmation, ours, microseconds",
    "cpu_vs_websockets": "the same by raw `websockets` with one INSERT each",
    "cpu_vs_strawberry": "the same by strawberry with Tortoise and caches",
    "lost": "officers who never got it, and confirmations acknowledged and not counted",
    "delivered_missing": "automatic receipts that were not in the rows at the end",
    "failed": "confirmations that were refused or never acknowledged",
}


async def run(pace: Pace) -> Figures:
    """Set up, let the candidates take turns, compare."""
    unions = UNIONS_QUICK if pace.is_quick else UNIONS
    officers = OFFICERS_QUICK if pace.is_quick else OFFICERS
    with database_server() as server_url:
        async with (
            fresh_database(server_url, "peers") as peers_url,
            fresh_database(server_url, "ours") as ours_url,
        ):
            tell(f"{officers} officers of {unions} unions")
            await lay_ground(peers_url, unions=unions, members=1)
            async with prepared(ours_url) as house:
                zone = await enter_officers(house, unions=unions, officers=officers)
                programs = [house.program(), *_peers(peers_url)]
                tell("starting the servers")
                async with serving(programs) as servers:
                    ours = _ours(pace, servers[OURS], zone, ours_url)
                    others = [
                        _other(pace, servers[name], unions, officers, peers_url)
                        for name in (RAW, STRAWBERRY)
                    ]
                    measured = await take_turns(pace, [ours, *others])
            facts = {"officers": officers, "unions": unions}
            return _figures(measured) | facts | {"database": await database_facts(ours_url)}


def _peers(url: str) -> list[Program]:
    return [
        peer("raw_receipts", RAW, PEER_DATABASE_URL=url),
        peer("strawberry_receipts", STRAWBERRY, PEER_DATABASE_URL=url, PEER_CACHES="on"),
    ]


def _rate_s(pace: Pace, officers: int) -> float:
    return officers / (CONFIRM_S_QUICK if pace.is_quick else CONFIRM_S)


def _ours(pace: Pace, server: Server, zone: Zone, url: str) -> Candidate:
    followers = [inbox_opening(officer.token, officer.union) for officer in zone.officers]
    plan = {
        "openings": [[initiation(zone.publisher_token)], *followers],
        "publication": publication(zone.global_id),
        "board": board_following(),
        "confirmations": [confirmation(officer.union) for officer in zone.officers],
        "unions": [officer.union for officer in zone.officers],
        "rate_s": _rate_s(pace, len(zone.officers)),
        "database_url": url,
        "count_sql": OUR_COUNT_SQL,
        "is_delivery_kept": True,
    }
    return Candidate(server, CLIENT, OUR_WAY | plan)


def _other(pace: Pace, server: Server, unions: int, officers: int, url: str) -> Candidate:
    say = _strawberry if server.name == STRAWBERRY else _raw
    seats = [1 + number * unions // officers for number in range(officers)]
    plan = {
        **say(seats),
        "unions": [str(union) for union in seats],
        "rate_s": _rate_s(pace, officers),
        "database_url": url,
        "count_sql": PEER_COUNT_SQL,
        "is_delivery_kept": False,
    }
    return Candidate(server, CLIENT, WAYS[server.name] | plan)


def _raw(seats: Sequence[int]) -> dict[str, Any]:
    came = [{"token": token_of("publisher")}]
    came += [{"token": token_of(f"m{n}"), "union": str(union)} for n, union in enumerate(seats)]
    given = [
        {"id": "c", "confirm": NOTICE, "union": union, "officer": n}
        for n, union in enumerate(seats)
    ]
    return {
        "openings": [[(json(each), "ready")] for each in came],
        "publication": json({"id": "p", "publish": TITLE, "body": BODY}),
        "board": json({"id": "b", "board": NOTICE}),
        "confirmations": [json(each) for each in given],
    }


def _strawberry(seats: Sequence[int]) -> dict[str, Any]:
    publish = (
        "mutation P($title: String!, $body: String!)"
        " { publish(title: $title, body: $body) { notice { id } } }"
    )
    words = {"title": TITLE, "body": BODY}
    confirm = (
        "mutation C($notice: ID!, $union: Int!, $officer: Int!)"
        " { confirm(notice: $notice, union: $union, officer: $officer) }"
    )
    board = "subscription B($notice: ID!) { board(notice: $notice) { counts { confirmed } } }"
    following = [
        (subscribe("s", {"query": "subscription S { inbox { id title body } }"}), ""),
        (subscribe("q", {"query": "{ __typename }"}), "complete"),
    ]
    given = [{"notice": NOTICE, "union": union, "officer": n} for n, union in enumerate(seats)]
    return {
        "openings": [
            [initiation(token_of("publisher"))],
            *([initiation(token_of(f"m{n}")), *following] for n in range(len(seats))),
        ],
        "publication": subscribe("p", {"query": publish, "variables": words}),
        "board": subscribe("b", {"query": board, "variables": {"notice": NOTICE}}),
        "confirmations": [subscribe("c", {"query": confirm, "variables": v}) for v in given],
    }


def _figures(measured: Sequence[Figures]) -> Figures:
    middle = medians(measured)
    return {
        **of(middle, OURS, _GOALS),
        "cpu_vs_websockets": ratio(measured, CPU, OURS, RAW),
        "cpu_vs_strawberry": ratio(measured, CPU, OURS, STRAWBERRY),
        "lost": total(measured, OURS, "never_got_it", "uncounted"),
        "delivered_missing": total(measured, OURS, "delivered_missing"),
        "failed": total(measured, OURS, "failed"),
        **verdict(measured),
        "peers": middle,
        "rounds": list(measured),
    }


WORKLOAD = Workload(
    name="receipts",
    promise="W6: a notice to everybody online, and everybody's receipt",
    keys=KEYS | COMMON_KEYS,
    run=run,
)
"""`python -m tests.load receipts`."""
