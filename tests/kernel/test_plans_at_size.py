"""No statement reads a table that grows from one end to the other, whoever asks whatever."""

from __future__ import annotations

from datetime import UTC, datetime

from domain.kernel.database import fetch
from domain.kernel.work import Works
from domain.notices.board import Place, find_stale_boards
from tests.support.asking import an_engine, ask_everything
from tests.support.federation import a_busy_federation
from tests.support.growing import GROWING, Growth, grow
from tests.support.plans import Ran, watched_plans

GROWTH = Growth(members=2_500, others=2_500, unions=500)
"""Enough that reading all of a table costs the planner more than any index."""
NOT_ASKED_FOR = {"access_attempt"}
"""Is read by signing in, which costs more than all of this together."""


async def test_nothing_that_clients_ask_scans_a_table_that_grows(
    works: Works, database: str, test_keyring: object
) -> None:
    askers = await a_busy_federation(works)
    await grow(database, GROWTH)
    engine = an_engine(works)
    ran: list[Ran] = []
    async with watched_plans("custom") as plans:
        await ask_everything(engine, works.clock, askers)
        await find_stale_boards(Place(works.clock.now()))
    ran += plans
    async with watched_plans("generic") as plans:
        await ask_everything(engine, works.clock, askers)
        await find_stale_boards(Place(works.clock.now()))
    ran += plans

    read = {
        node["Relation Name"] for each in ran for node in each.nodes() if "Relation Name" in node
    }
    assert read >= GROWING - NOT_ASKED_FOR, "else it shows nothing"
    assert [each.sql for each in ran if each.scanned_whole & GROWING and not each.is_count] == []


async def test_a_scan_would_be_seen_in_a_function_too(database: str) -> None:
    async with watched_plans("custom") as ran:
        await fetch("SELECT 1 FROM member WHERE name_mask = $1", "王**")
        await fetch("SELECT * FROM stream_append($1, $2, $3)", "[]", "e", datetime.now(UTC))

    assert ran[0].scanned_whole == {"member"}
    assert {node.get("Relation Name") for each in ran[1:] for node in each.nodes()} >= {"event"}
