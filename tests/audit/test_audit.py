"""The trail: with the work or not at all, never changed unnoticed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio

from domain.audit import service as audit
from domain.audit.rules import GENESIS, AuditorOnly
from domain.kernel.actor import NOBODY, SYSTEM, Actor, Hierarchy, Reach
from domain.kernel.capabilities import Capability
from domain.kernel.database import connection, fetch
from domain.kernel.errors import NotFound, Unauthenticated
from domain.kernel.texts import TextMissing
from domain.kernel.work import Works

pytestmark = pytest.mark.usefixtures("test_keyring")


def an_auditor(path: str = "/1/") -> Actor:
    held = frozenset({Capability.AUDIT_READ})
    return Actor(uuid4(), reaches=(Reach("auditor", held, Hierarchy.TERRITORY, path, uuid4()),))


CHANGES = (
    "UPDATE audit_entry SET action = 'a.b'",
    "DELETE FROM audit_entry",
    "TRUNCATE audit_entry",
)
CADRE = Actor(uuid4(), session_id=uuid4())
STREAM = f"ac:{CADRE.account_id}"


async def look(works: Works, times: int = 1, *, actor: Actor = CADRE, reason: str = "核对") -> UUID:
    for _ in range(times):
        async with works.open(actor) as w:
            entry_id = await audit.record(
                w,
                "members.revealed",
                subject_kind="member",
                subject_id=uuid4(),
                fields=("phone", "id_number"),
                reason=reason,
            )
    return entry_id


@pytest_asyncio.fixture
async def owner(database: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """The tables' owner with the triggers off: a database administrator with bad intentions."""
    conn = await asyncpg.connect(database)
    await conn.execute("SET session_replication_role = replica")
    yield conn
    await conn.close()


async def test_entries_are_numbered_from_one_without_gaps_in_each_actors_chain(
    works: Works,
) -> None:
    other = Actor(uuid4())
    await asyncio.gather(
        *(look(works) for _ in range(10)), *(look(works, actor=other) for _ in range(5))
    )
    await look(works, actor=SYSTEM)

    rows = await fetch(
        "SELECT stream, array_agg(seq ORDER BY seq) AS s FROM audit_entry GROUP BY 1"
    )
    assert {row["stream"]: row["s"] for row in rows} == {
        STREAM: list(range(1, 11)),
        f"ac:{other.account_id}": list(range(1, 6)),
        "system": [1],
    }
    assert [bad async for bad in audit.verify_all(SYSTEM)] == []


async def test_a_rollback_leaves_no_entry_and_no_gap(works: Works) -> None:
    async def fail() -> None:
        async with works.open(CADRE) as w:
            await audit.record(w, "members.revealed", subject_kind="member", subject_id=uuid4())
            raise ZeroDivisionError

    await look(works)
    with pytest.raises(ZeroDivisionError):
        await fail()
    await look(works)

    rows = await fetch("SELECT seq FROM audit_entry ORDER BY seq")
    assert [row["seq"] for row in rows] == [1, 2]
    assert await audit.verify(SYSTEM, STREAM) is None


async def test_reasons_are_sealed_and_open_for_auditors_only(works: Works) -> None:
    entry_id = await look(works, reason="举报电话核实")
    (row,) = await fetch("SELECT e::text AS text FROM audit_entry e")

    assert "举报" not in row["text"]
    assert "举报".encode().hex() not in row["text"]
    assert await audit.open_reason(an_auditor(), entry_id) == "举报电话核实"
    with pytest.raises(NotFound):
        await audit.open_reason(an_auditor(), uuid4())
    for stranger in (CADRE, an_auditor("/1/2/")):
        with pytest.raises(AuditorOnly):
            await audit.open_reason(stranger, entry_id)
        with pytest.raises(AuditorOnly):
            await audit.verify(stranger, STREAM)
        with pytest.raises(AuditorOnly):
            await audit.list_heads(stranger)
    with pytest.raises(Unauthenticated):
        await audit.verify(NOBODY, STREAM)


async def test_a_bad_reason_leaves_nothing(works: Works) -> None:
    with pytest.raises(TextMissing):
        await look(works, reason="  ")

    assert not await fetch("SELECT 1 FROM audit_entry")
    assert not await fetch("SELECT 1 FROM audit_stream")


@pytest.mark.parametrize("fields", [("phone=138",), ("13800138000",), ("张三",)])
async def test_values_in_place_of_names_are_a_bug(works: Works, fields: tuple[str, ...]) -> None:
    async with works.open(CADRE) as w:
        with pytest.raises(AssertionError):
            await audit.record(w, "a.b", subject_kind="member", subject_id=None, fields=fields)


@pytest.mark.parametrize("statement", CHANGES)
async def test_the_running_program_can_change_no_entry(works: Works, statement: str) -> None:
    await look(works)

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with connection() as conn:
            await conn.execute(statement)

    assert await audit.verify(SYSTEM, STREAM) is None


@pytest.mark.parametrize("statement", CHANGES)
async def test_not_even_the_owner_changes_an_entry_by_accident(
    works: Works, database: str, statement: str
) -> None:
    await look(works)
    conn = await asyncpg.connect(database)

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await conn.execute(statement)
    await conn.close()


TAMPERINGS = {
    "an action": ("UPDATE audit_entry SET action = 'members.listed' WHERE seq = 3", 3),
    "a subject": ("UPDATE audit_entry SET subject_id = gen_random_uuid() WHERE seq = 2", 2),
    "a time": ("UPDATE audit_entry SET at = at + interval '1 microsecond' WHERE seq = 4", 4),
    "the fields": ("""UPDATE audit_entry SET fields = '["name"]' WHERE seq = 1""", 1),
    "a reason": ("UPDATE audit_entry SET reason = NULL WHERE seq = 5", 5),
    "who": ("UPDATE audit_entry SET account_id = gen_random_uuid() WHERE seq = 3", 3),
    "a hash": ("UPDATE audit_entry SET hash = sha256('x') WHERE seq = 3", 3),
    "a mac": ("UPDATE audit_entry SET mac = sha256('x') WHERE seq = 3", 3),
    "an entry gone": ("DELETE FROM audit_entry WHERE seq = 2", 2),
    "the first gone": ("DELETE FROM audit_entry WHERE seq = 1", 1),
    "the newest gone": ("DELETE FROM audit_entry WHERE seq = 5", 5),
    "all gone": ("DELETE FROM audit_entry", 1),
    "two swapped": (
        "UPDATE audit_entry SET seq = CASE seq WHEN 2 THEN 1000003 ELSE 1000002 END"
        " WHERE seq IN (2, 3); UPDATE audit_entry SET seq = seq - 1000000 WHERE seq > 1000000",
        2,
    ),
    "an entry before the first": ("UPDATE audit_entry SET seq = 0 WHERE seq = 1", 1),
    "the head": ("UPDATE audit_stream SET head = sha256('x')", 5),
    "the newest gone and the counter turned back": (
        "DELETE FROM audit_entry WHERE seq = 5; UPDATE audit_stream SET top = 4",
        4,
    ),
    "the counter gone": ("DELETE FROM audit_stream", 5),
}


@pytest.mark.parametrize("what", TAMPERINGS)
async def test_verifying_names_the_first_bad_entry(
    works: Works, owner: asyncpg.Connection[asyncpg.Record], what: str
) -> None:
    await look(works, 5)
    assert await audit.verify(an_auditor(), STREAM) is None
    statement, first_bad = TAMPERINGS[what]

    await owner.execute(statement)

    assert await audit.verify(an_auditor(), STREAM) == first_bad
    assert [bad async for bad in audit.verify_all(SYSTEM)] == [(STREAM, first_bad)]


async def test_a_recomputed_chain_fails_without_the_vaults_key(
    works: Works, owner: asyncpg.Connection[asyncpg.Record]
) -> None:
    from domain.audit import rules

    await look(works, 3)
    await owner.execute("UPDATE audit_entry SET action = 'members.listed' WHERE seq = 2")
    previous = GENESIS
    for row in await owner.fetch("SELECT * FROM audit_entry ORDER BY seq"):
        previous = rules.linked(previous, rules.entry_of(row))
        await owner.execute("UPDATE audit_entry SET hash = $2 WHERE id = $1", row["id"], previous)
    await owner.execute("UPDATE audit_stream SET head = $1", previous)

    assert await audit.verify(an_auditor(), STREAM) == 2


async def test_a_chain_verifies_across_many_reads(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "VERIFY_ROWS", 3)
    monkeypatch.setattr(audit, "STREAMS_MAX", 2)
    await look(works, 7)
    for _ in range(4):
        await look(works, actor=Actor(uuid4()))

    assert await audit.verify(SYSTEM, STREAM) is None
    assert [bad async for bad in audit.verify_all(SYSTEM)] == []


async def test_heads_tell_where_each_chain_stands(works: Works) -> None:
    await look(works, 3)

    (head,) = await audit.list_heads(an_auditor())
    assert (head["id"], head["top"]) == (STREAM, 3)
    assert len(head["mac"]) == 32
    assert not await audit.list_heads(an_auditor(), after=STREAM)
