"""A read under an actor's row-level security: one statement, which cannot outrun its context."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import orjson
import pytest

from domain.kernel.actor import NOBODY, SYSTEM, Actor
from domain.kernel.context import SETTINGS, beginning, context_of, reading
from domain.kernel.database import connection, fetch, fetch_as, pool
from domain.kernel.ids import new_id
from domain.kernel.work import Works
from tests.support.consultations import a_consultant, a_person, running, say
from tests.support.statements import counted_round_trips

CASES = "SELECT id FROM consultation_case"
MESSAGES = "SELECT m.seq FROM consultation_message m WHERE m.seq >= $1 ORDER BY m.seq LIMIT 5"
SLEEP = "SELECT pg_advisory_xact_lock(77) AS held, pg_sleep(60) AS slept"
CONTEXT = "SELECT current_setting('app.account', true) AS account"

pytestmark = pytest.mark.usefixtures("test_keyring")


async def plan_of(actor: Actor, sql: str, *args: object) -> dict[str, Any]:
    async with connection() as conn:
        text = await conn.fetchval(
            f"EXPLAIN (FORMAT JSON) {reading(sql, len(args))}", *args, *context_of(actor)
        )
    plan: dict[str, Any] = orjson.loads(text)[0]["Plan"]
    return plan


def tables_below(node: dict[str, Any]) -> set[str]:
    below = [tables_below(child) for child in node.get("Plans", [])]
    own = {node["Relation Name"]} if "Relation Name" in node else set()
    return own.union(*below)


@pytest.mark.parametrize(
    ("sql", "args"), [(CASES, ()), (MESSAGES, (1,)), ("SELECT count(*) AS n FROM member", ())]
)
async def test_every_table_lies_on_the_inner_side_of_the_context(
    works: Works, sql: str, args: tuple[object, ...]
) -> None:
    plan = await plan_of(a_person(), sql, *args)
    context, outer, inner = plan["Plans"]

    assert (context["Subplan Name"], context["Parent Relationship"]) == ("CTE context", "InitPlan")
    assert not tables_below(context)
    assert plan["Node Type"] == "Nested Loop"
    assert (outer["Parent Relationship"], outer["CTE Name"]) == ("Outer", "context")
    # Not pulled up: the subquery's own OFFSET stands between the context and every table.
    assert (inner["Parent Relationship"], inner["Node Type"]) == ("Inner", "Limit")
    assert tables_below(inner) == tables_below(plan)


async def test_actors_in_turn_on_one_connection_see_their_own_rows_under_a_kept_plan(
    works: Works,
) -> None:
    one, two, consultant = a_person(), a_person(), await a_consultant(works)
    seen_by = {one: set[Any](), two: set[Any]()}
    for member in seen_by:
        case, talk = await running(works, member, consultant)
        seen_by[member] = {case}
        await say(works, member, talk, "你好")

    # PostgreSQL considers a generic plan from the sixth execution on.
    for _ in range(8):
        for actor, cases in (*seen_by.items(), (NOBODY, set()), (a_person(), set())):
            assert {row["id"] for row in await fetch_as(actor, CASES)} == cases
            assert len(await fetch_as(actor, MESSAGES, 1)) == len(cases)
    async with connection() as conn:
        await conn.execute("SET plan_cache_mode = force_generic_plan")
        try:
            for actor, cases in (*seen_by.items(), (NOBODY, set())):
                rows = await conn.fetch(reading(CASES, 0), *context_of(actor))
                assert {row["id"] for row in rows} == cases
        finally:
            await conn.execute("RESET plan_cache_mode")


async def test_many_at_once_each_see_their_own_context(database: str) -> None:
    actors = [a_person() for _ in range(30)]

    found = await asyncio.gather(*(fetch_as(actor, CONTEXT) for actor in actors))

    assert [rows[0]["account"] for rows in found] == [str(actor.account_id) for actor in actors]


async def test_nothing_of_a_context_outlives_its_read(database: str) -> None:
    await fetch_as(SYSTEM, CONTEXT)
    (row,) = await fetch(
        "SELECT current_setting('app.system', true) AS system,"
        " current_setting('transaction_read_only') AS is_read_only"
    )

    assert not row["system"]
    assert row["is_read_only"] == "off"


@pytest.mark.parametrize(
    ("sql", "refusal"),
    [
        ("UPDATE stream SET top = 9 RETURNING id", asyncpg.PostgresSyntaxError),
        ("DELETE FROM stream RETURNING id", asyncpg.PostgresSyntaxError),
        (
            "WITH x AS (INSERT INTO stream (id, epoch) VALUES ('a', '') RETURNING id)"
            " SELECT * FROM x",
            asyncpg.FeatureNotSupportedError,
        ),
        ("SELECT nextval('org_union_seq') AS seq", asyncpg.ReadOnlySQLTransactionError),
        ("SELECT 1) q) r; DELETE FROM stream; --", asyncpg.PostgresSyntaxError),
    ],
)
async def test_a_read_that_would_write_is_refused(
    database: str, sql: str, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        await fetch_as(SYSTEM, sql)


async def test_a_read_is_one_round_trip_once_its_statement_is_known(works: Works) -> None:
    person = a_person()
    await fetch_as(person, MESSAGES, 1)

    async with counted_round_trips() as trips:
        await fetch_as(a_person(), MESSAGES, 2)

    assert len(trips) == 1
    assert "set_config" in trips[0]


async def test_a_read_keeps_its_order_and_its_names(database: str) -> None:
    rows = await fetch_as(
        NOBODY, 'SELECT n, -n AS "Minus" FROM generate_series(1, 50) n ORDER BY n DESC -- last'
    )

    assert [row["n"] for row in rows] == list(range(50, 0, -1))
    assert rows[0]["Minus"] == -50


async def test_inside_a_work_a_read_of_another_actor_is_an_assertion(works: Works) -> None:
    with pytest.raises(AssertionError):
        async with works.open(a_person()):
            await fetch_as(a_person(), CASES)


def test_a_literal_of_the_beginning_can_hold_ids_and_paths_only() -> None:
    actor = Actor(account_id=new_id(), is_system=True)
    assert beginning(actor) == (
        f"BEGIN;SET LOCAL app.account='{actor.account_id}';SET LOCAL app.system='on'"
    )
    assert beginning(NOBODY) == "BEGIN"
    hostile: Any = "x'; DROP TABLE member; --"
    with pytest.raises(ValueError, match="ids and paths"):
        beginning(Actor(account_id=hostile))


async def is_sleeping() -> bool:
    return bool(await fetch("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 77"))


async def test_a_read_that_is_given_up_harms_nobody_who_reads_next(database: str) -> None:
    for _ in range(3):
        hanging = asyncio.create_task(fetch_as(SYSTEM, SLEEP))
        async with asyncio.timeout(5):
            while not await is_sleeping():
                pass
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging

        (row,) = await fetch_as(actor := a_person(), CONTEXT)
        assert row["account"] == str(actor.account_id)
    assert pool().in_use == 0


async def test_the_database_function_sets_the_same_context(works: Works) -> None:
    async with works.open(NOBODY) as w:
        values = orjson.dumps([f"the {name}" for name in SETTINGS]).decode()
        await w.execute("SELECT app_context($1)", values)
        shown = ", ".join(f"current_setting('app.{name}') AS {name}" for name in SETTINGS)
        (row,) = await w.fetch(f"SELECT {shown}")

    assert dict(row) == {name: f"the {name}" for name in SETTINGS}
