"""The sample federation: its shape, its sign-ins, once and only once, never in production."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date

import pytest

from domain.access import service as access
from domain.kernel.actor import NOBODY, SYSTEM
from domain.kernel.capabilities import Capability
from domain.kernel.database import fetch, fetch_as
from domain.kernel.errors import NotFound
from domain.kernel.work import Works
from domain.members import service as members
from domain.members.models import IdType
from domain.members.rules import clean_identity, clean_phone
from domain.org import bulk
from domain.org.rules import clean_credit_code
from gateway import sample
from gateway.sample_people import staff
from gateway.sample_unions import federation
from gateway.seed import PASSWORD, SampleRefused, seed, sign_ins
from gateway.settings import Profile

FEW = 1_200
TABLES = (
    "org_union",
    "org_employer",
    "org_department",
    "org_seat",
    "member",
    "member_membership",
    "access_account",
    "access_grant",
    "consultation_consultant",
    "notice",
    "vault_dek",
)


async def sown(works: Works, number: int = FEW) -> list[tuple[str, int, int]]:
    told: list[tuple[str, int, int]] = []
    await seed(
        works,
        members=number,
        profile=Profile.DEVELOPMENT,
        progress=lambda *step: told.append(step),
    )
    return told


async def counted() -> dict[str, int]:
    counts = ", ".join(f"(SELECT count(*) FROM {table}) AS {table}" for table in TABLES)
    return dict((await fetch_as(SYSTEM, f"SELECT {counts}"))[0])


async def test_the_sample_has_the_shape_of_the_report_and_comes_once(
    works: Works,
    test_keyring: object,  # the fixture
) -> None:
    told = await sown(works)
    first = await counted()

    assert await sown(works, FEW * 2) == []

    assert await counted() == first
    assert told[-1] == ("Sample: members", FEW, FEW)
    levels = Counter(row["level"] for row in await fetch("SELECT level FROM org_union"))
    assert levels == {"federation": 1, "zone": 11, "line": 8, "grassroots": 2_000}
    (row,) = await fetch(
        "SELECT count(*) FILTER (WHERE investor_country = 'DE') AS german,"
        " count(*) FILTER (WHERE investor_country = 'DE' AND zone_id = $1) AS in_zone"
        " FROM org_employer",
        sample.zone_id(0),
    )
    assert (row["german"], row["in_zone"]) == (256, 240)
    (both,) = await fetch(
        "SELECT count(*) AS n FROM org_union WHERE level = 'grassroots' AND line_path IS NOT NULL"
    )
    assert 300 < both["n"] < 1_000
    services = Counter(
        row["service"] for row in await fetch("SELECT service FROM consultation_consultant")
    )
    assert services == {"counselling": 14, "legal_aid": 26}
    assert (first["member"], first["member_membership"]) == (FEW, FEW)
    assert first["access_account"] == FEW + len(staff())
    (zoned,) = await fetch(
        "SELECT count(*) AS n FROM notice_recipient r JOIN notice n ON n.id = r.notice_id"
        " WHERE n.wants_confirmation AND r.union_id = $1",
        sample.grassroots_id(sample.FLAGSHIP),
    )
    assert zoned["n"] == 1
    await assert_sign_ins_work(works)


async def assert_sign_ins_work(works: Works) -> None:
    found = {}
    for one in sign_ins():
        client = access.Client(access.SessionKind.APP, network="n", user_agent="t", device="d")
        signed_in = await access.sign_in(works, one.login, PASSWORD, client=client)
        actor = await access.actor_of_session(signed_in.session_id, works.clock.now())
        assert actor is not None, one.person
        found[one.person] = actor
    assert found["会员"].member_id == sample.member_id(1)
    assert found["会员"].reaches == ()
    chair = found["基层工会主席"]
    assert chair.offices == {sample.grassroots_id(sample.FLAGSHIP)}
    assert await members.count_members(chair) >= 2
    assert await members.count_members(found["高新区总工会干部"]) < FEW
    assert await members.count_members(found["市总办公室干部"]) == FEW
    assert found["心理咨询师01"].consultant_id is not None
    assert found["高新区信息采集员"].has(Capability.MEMBER_COLLECT)
    assert not chair.has(Capability.MEMBER_COLLECT), "a chair signs the pledge oneself"


async def test_an_interrupted_seed_goes_on_where_it_stopped(
    works: Works,
    test_keyring: object,  # the fixture
) -> None:
    class Interrupted(Exception):
        pass

    def interrupt(step: str, done: int, total: int) -> None:
        if done == 1_000:
            raise Interrupted

    with pytest.raises(Interrupted):
        await seed(works, members=FEW, profile=Profile.DEVELOPMENT, progress=interrupt)
    assert (await counted())["member"] == 1_000

    await sown(works)

    assert (await counted())["member"] == FEW
    rows = await fetch("SELECT is_finished FROM org_sample_marker")
    assert [row["is_finished"] for row in rows] == [True]


async def test_sample_data_never_enter_production_nor_a_real_federation(
    works: Works,
    test_keyring: object,  # the fixture
) -> None:
    with pytest.raises(SampleRefused):
        await seed(
            works, members=1, profile=Profile.PRODUCTION, progress=lambda *_: pytest.fail("began")
        )
    async with works.open(SYSTEM) as w:
        await bulk.found_federation(w, "某市总工会")
    with pytest.raises(bulk.FederationExists):
        await sown(works)
    with pytest.raises(NotFound):
        async with works.open(NOBODY) as w:
            await bulk.begin_sample(w, 1)

    assert sum((await counted()).values()) == 1


def test_everybody_is_formally_valid_different_and_marked_as_a_sample() -> None:
    numbers = [*range(30_000), *range(189_000, 190_000), *(one.number for one in staff())]
    ids = [sample.person_id_number(n) for n in numbers]
    phones = [sample.person_phone(n) for n in numbers]
    made = federation(20_000)

    for id_number, phone in zip(ids[::97], phones[::97], strict=True):
        clean_identity(IdType.RESIDENT, id_number, today=date(2024, 1, 1), field="f")
        clean_phone(phone, "f")
    assert len(set(ids)) == len(set(phones)) == len(numbers)
    assert all(phone.startswith("154") for phone in phones)
    names = [union.name for union in (*made.upper, *made.grassroots)]
    assert all("示例" in name for name in (*names, *(e.name for e in made.employers)))
    assert all(clean_credit_code(e.uscc, "uscc") for e in made.employers[::50])
    assert not any(re.search(r"\d{11}", name) for name in names)


def test_the_same_sample_is_made_every_time_and_its_members_add_up() -> None:
    assert federation(20_000) == federation(20_000)
    for number in (0, 1, 5, 1_200, 20_000, 190_000):
        blocks = sample.member_blocks(number)
        assert sum(block.count for block in blocks) == number
        assert blocks[0].union == sample.FLAGSHIP
        assert blocks[0].count >= min(number, 12)
        assert [b.first for b in blocks] == sorted(b.first for b in blocks)
