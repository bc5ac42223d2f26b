"""W6's client: a notice to everybody online, then everybody's confirmation at a held rate.

The publisher's own subscription to the board says how late the counts are: for the k-th union that
was told "confirmed", the time until a summary counted k of them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
import orjson

from tests.load.clients.crowd import Crowd, Guest
from tests.load.clients.frames import upgrade
from tests.load.clients.window import Window, answer, percentile_ms, read_plan
from tests.load.control import number_in

NUMBER, NOTICE = "%NUMBER%", "%NOTICE%"
DIGITS = 8
NUMBERS_A_ROUND = 10
PUBLISH_PATIENCE_S = 30.0
CONFIRM_PATIENCE_S = 30.0
"""After the last confirmation has been sent; what is not answered by then counts as failed."""
COUNT_PATIENCE_S = 15.0
"""For the board, and for the automatic receipts, to come to rest."""
SETTLING_S = 1.0

Summary = tuple[float, str | None, int]
"""When it came, the server's own instant, unions confirmed."""


class Notices:
    """The publisher (the first guest), the officers, and what came to whom."""

    def __init__(self, plan: dict[str, Any]) -> None:
        request = upgrade(plan["path"], plan["port"], plan["headers"])
        self.crowd = Crowd(plan["ports"], request, plan["openings"], self._hear)
        self.publisher, *self.officers = self.crowd.guests
        self.number = plan["round"] * NUMBERS_A_ROUND
        self.notice = ""
        """The id of the notice published last, once the server has said it."""
        self.received_at: dict[int, float] = {}
        self.due: dict[int, float] = {}
        self.confirmed_at: dict[int, float] = {}
        self.failed = self.twice = 0
        self.boards: list[Summary] = []
        self.is_watching = False

    def publish(self, template: str) -> tuple[float, bool]:
        """One more notice; seconds until all officers have it, and whether all do."""
        self.number += 1
        self.received_at.clear()
        self.notice = ""
        text = template.replace(NUMBER, f"{self.number:0{DIGITS}d}")
        started = time.perf_counter()
        self.publisher.say(text.encode())
        is_whole = self.crowd.pump_until(self._is_out, PUBLISH_PATIENCE_S)
        return max(self.received_at.values(), default=started) - started, is_whole

    def confirm(self, confirmations: Sequence[str], rate_s: float) -> None:
        """Each officer's confirmation when it is due, whatever has become of the former ones."""
        texts = [text.replace(NOTICE, self.notice).encode() for text in confirmations]
        start = time.perf_counter()
        for count, (officer, text) in enumerate(zip(self.officers, texts, strict=True)):
            due = self.due[officer.index] = start + count / rate_s
            self.crowd.pump(0)
            while (wait := due - time.perf_counter()) > 0:
                self.crowd.pump(wait)
            if officer.is_ready:
                officer.say(text)
        self.crowd.pump_until(
            lambda: len(self.confirmed_at) + self.failed == len(texts), CONFIRM_PATIENCE_S
        )

    def _is_out(self) -> bool:
        return bool(self.notice) and len(self.received_at) == len(self.officers)

    def _hear(self, guest: Guest, payload: bytes) -> None:
        now = time.perf_counter()
        if guest is not self.publisher and (number := number_in(payload)) is not None:
            if number == self.number:
                self.twice += guest.index in self.received_at
                self.received_at.setdefault(guest.index, now)
            return
        said = orjson.loads(payload)
        match str(said.get("id", ""))[:1], said["type"]:
            case "p", "next" if "errors" not in said["payload"]:
                (data,) = said["payload"]["data"].values()
                self.notice = data["notice"]["id"]
            case "b", "next":
                (data,) = said["payload"]["data"].values()
                self._count(now, data)
            case "c", "next" if "errors" not in said["payload"]:
                self.confirmed_at[guest.index] = now
            case "c", "next" | "error":
                self.failed += 1
                self.crowd.note_errors(payload)
            case _, "ping":
                self.is_watching = self.is_watching or b'"live"' in payload
            case _:
                self.crowd.note_errors(payload)

    def _count(self, now: float, board: dict[str, Any]) -> None:
        self.is_watching = True
        if board["counts"] is not None:
            self.boards.append((now, board.get("at"), board["counts"]["confirmed"]))


def lags_s(acknowledged: Sequence[float], boards: Sequence[Summary]) -> list[float]:
    """For each k, from the k-th union's acknowledgement until a summary counted so many.

    A union that no summary counted is left out here: it counts as lost.
    """
    lags: list[float] = []
    seen = iter(boards)
    at, counted = 0.0, 0
    for count, told in enumerate(sorted(acknowledged), 1):
        while counted < count:
            following = next(seen, None)
            if following is None:
                return lags
            at, _, counted = following
        lags.append(max(0.0, at - told))
    return lags


def most_in_a_second(instants: Sequence[datetime]) -> int:
    """The most instants that lie in one second."""
    ordered = sorted(instants)
    return max((sum(0 <= (b - a).total_seconds() < 1 for b in ordered) for a in ordered), default=0)


async def _rows(url: str, sql: str, title: str) -> dict[str, int]:
    connection = await asyncpg.connect(url)
    try:
        return {row["kind"]: row["count"] for row in await connection.fetch(sql, title)}
    finally:
        await connection.close()


def count_rows(notices: Notices, plan: dict[str, Any]) -> dict[str, int]:
    """Receipts by kind, as the database has them once they have come to rest."""
    wanted = len(notices.officers) if plan["is_delivery_kept"] else 0
    until = time.perf_counter() + COUNT_PATIENCE_S
    while True:
        title = f"%:19{notices.number:0{DIGITS}d}%"
        rows = asyncio.run(_rows(plan["database_url"], plan["count_sql"], title))
        if rows.get("delivered", 0) >= wanted or time.perf_counter() > until:
            return rows
        notices.crowd.pump_for(0.5)


def run(plan: dict[str, Any]) -> dict[str, Any]:
    """The figures of one run."""
    notices = Notices(plan)
    crowd, pids = notices.crowd, plan["server_pids"]
    if not crowd.open():
        return {"broke": f"{crowd.ready} are in; {crowd.reasons}"}
    crowd.pump_for(SETTLING_S)
    if not notices.publish(plan["publication"])[1]:  # unmeasured: the first of its kind
        return {"broke": f"{len(notices.received_at)} got the first notice; {crowd.reasons}"}
    crowd.pump_for(2 * SETTLING_S)
    publishing = Window(pids)
    publish_s, _ = notices.publish(plan["publication"])
    publishing.close()
    notices.publisher.say(plan["board"].replace(NOTICE, notices.notice).encode())
    crowd.pump_until(lambda: notices.is_watching, PUBLISH_PATIENCE_S)
    crowd.pump_for(SETTLING_S)

    confirming = Window(pids)
    notices.confirm(plan["confirmations"], plan["rate_s"])
    confirming.close()
    return {
        "publish_to_all_s": round(publish_s, 3),
        "publish_cpu_us_per_officer": _each_us(publishing, len(notices.officers)),
        "cpu_us_per_confirmation": _each_us(confirming, len(notices.confirmed_at)),
        "server_cpu_share": confirming.server_cpu_share,
        "client_cpu_share": confirming.client_cpu_share,
        **_come_to_rest(notices, plan),
        **crowd.fault(),
    }


def _come_to_rest(notices: Notices, plan: dict[str, Any]) -> dict[str, Any]:
    """What was late and what was lost, once the last summary is there."""
    by_union: dict[str, float] = {}
    for guest in notices.officers:
        if at := notices.confirmed_at.get(guest.index):
            union = plan["unions"][guest.index - 1]
            by_union[union] = min(at, by_union.get(union, at))
    notices.crowd.pump_until(
        lambda: bool(notices.boards) and notices.boards[-1][2] >= len(by_union), COUNT_PATIENCE_S
    )
    rows = count_rows(notices, plan)
    lags = lags_s(list(by_union.values()), notices.boards)
    took = [at - notices.due[index] for index, at in notices.confirmed_at.items()]
    instants = [datetime.fromisoformat(at) for _, at, _ in notices.boards if at]
    officers, confirmed = len(notices.officers), len(notices.confirmed_at)
    return {
        "confirm_p50_ms": percentile_ms(took, 0.5),
        "confirm_p99_ms": percentile_ms(took, 0.99),
        "summary_lag_p50_ms": percentile_ms(lags, 0.5),
        "summary_lag_ms": round(max(lags, default=0.0) * 1e3, 1),
        "summary_events_s_max": most_in_a_second(instants),
        "summaries": len(notices.boards),
        "confirmed": confirmed,
        "never_got_it": officers - len(notices.received_at),
        "uncounted": len(by_union) - len(lags) + max(0, confirmed - rows.get("confirmed", 0)),
        "delivered_missing": officers - rows.get("delivered", 0) if plan["is_delivery_kept"] else 0,
        "failed": officers - confirmed,
        "twice": notices.twice,
    }


def _each_us(window: Window, count: int) -> float | None:
    return round(window.server_cpu_s * 1e6 / count, 1) if count else None


if __name__ == "__main__":
    answer(run(read_plan()))
