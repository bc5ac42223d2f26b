"""The database is an older one now: positions of the lost history are refused, all converge."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from domain.kernel import generations, streams
from domain.kernel.actor import NOBODY, SYSTEM, Actor
from domain.kernel.database import fetch
from domain.kernel.streams import position_of
from domain.kernel.work import Works
from tests.support.clock import FrozenClock
from tests.support.live import SmallClient, SmallNode, running
from tests.support.log_facts import Said
from tests.support.redis_server import eventually


@pytest_asyncio.fixture
async def node(database: str) -> AsyncIterator[SmallNode]:
    """A node whose log is the database."""
    async with running(SmallNode(log=streams)) as started:
        yield started


class Backup:
    """The log as it was: what a dump holds."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._rows: dict[str, list[tuple[object, ...]]] = {}

    async def take(self) -> None:
        owner = await asyncpg.connect(self._database)
        for table in ("stream", "event", "log_generation"):
            rows = await owner.fetch(f"SELECT * FROM {table}")
            self._rows[table] = [tuple(row) for row in rows]
        await owner.close()

    async def restore(self) -> None:
        owner = await asyncpg.connect(self._database)
        async with owner.transaction():
            for table, rows in self._rows.items():
                await owner.execute(f"DELETE FROM {table}")
                await owner.copy_records_to_table(table, records=rows)
        await owner.close()


async def say(works: Works, *texts: str) -> None:
    for text in texts:
        async with works.open(NOBODY) as w:
            w.record(Said(text))


async def renew(works: Works) -> None:
    """As ``unionhall restored`` does."""
    async with works.open(SYSTEM) as w:
        await generations.renew(w, await generations.timeline_here())


async def a_client(node: SmallNode) -> SmallClient:
    actor: Actor = node.sessions.sign_in()
    node.engine.allow(actor, "cv:1")
    client = await node.client().init()
    await eventually(lambda: client.connection.is_ready)
    return client


def texts(client: SmallClient, id_: str) -> list[str]:
    answers = [frame for frame in client.of(id_) if frame["type"] == "next"]
    return [frame["payload"]["data"]["event"]["text"] for frame in answers]


async def test_after_a_restore_old_positions_are_refused_and_all_converge(
    database: str, node: SmallNode, clock: FrozenClock
) -> None:
    works, backup = Works(clock, node.announcer), Backup(database)
    client = await a_client(node)
    await say(works, "a", "b")
    await backup.take()
    await client.subscribe("live", "cv:1")
    await eventually(client.lives)
    await say(works, "lost 1", "lost 2")
    await eventually(lambda: len(client.offsets("live")) == 2)
    _, epoch, _ = (await position_of("cv:1")).rsplit(":", 2)

    await backup.restore()
    await renew(works)
    await say(works, "new 3", "new 4", "new 5")
    await node.timers.advance(6)
    await eventually(lambda: client.of("live")[-1]["type"] == "error")
    assert client.code("live") == "RT_UNRECOVERABLE"
    assert texts(client, "live") == ["lost 1", "lost 2"]

    # Offsets that the new history has, too, and one that it has not.
    for offset in (2, 4, 9):
        await client.subscribe(f"at {offset}", "cv:1", since={"cv:1": [epoch, offset]})
        await eventually(lambda offset=offset: client.of(f"at {offset}"))
        assert client.code(f"at {offset}") == "RT_UNRECOVERABLE"

    snapshot = await position_of("cv:1")
    rows = await fetch("SELECT body->>'text' AS text FROM event ORDER BY \"offset\"")
    assert [row["text"] for row in rows] == ["a", "b", "new 3", "new 4", "new 5"]
    await client.subscribe("again", "cv:1", after=snapshot)
    await eventually(lambda: len(client.lives()) == 2)
    await say(works, "new 6")
    await eventually(lambda: texts(client, "again") == ["new 6"])


async def test_the_same_backup_restored_twice_gives_two_histories(
    database: str, works: Works
) -> None:
    backup, positions = Backup(database), set()
    await say(works, "a")
    await backup.take()
    for _ in range(2):
        await backup.restore()
        await renew(works)
        positions.add(await position_of("cv:1"))
    assert len(positions) == 2


async def test_a_promoted_standby_is_noticed_by_its_timeline_and_renewed_once(
    database: str, works: Works
) -> None:
    await say(works, "a")
    before = await position_of("cv:1")
    assert not await generations.renew_if_promoted(works)
    assert await position_of("cv:1") == before
    async with works.open(SYSTEM) as w:
        await w.execute("UPDATE log_generation SET timeline = timeline + 7")

    assert [await generations.renew_if_promoted(works) for _ in range(2)] == [True, False]
    assert await position_of("cv:1") != before
    async with works.open(NOBODY) as w:
        w.record(Said("b"))
    (event,) = w.events
    assert f"{event.stream}:{event.epoch}:{event.offset}" == await position_of("cv:1")


async def test_only_the_program_renews(works: Works) -> None:
    with pytest.raises(AssertionError):
        async with works.open(NOBODY) as w:
            await generations.renew(w, None)
