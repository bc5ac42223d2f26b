"""Publishing, correcting, withdrawing: who may, whom it reaches, what is kept."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from domain.kernel.actor import NOBODY, Actor, Hierarchy
from domain.kernel.database import fetch
from domain.kernel.errors import DomainError, Forbidden, NotFound, Unauthenticated
from domain.kernel.ids import new_id
from domain.kernel.pages import PageRequest
from domain.kernel.texts import TextMissing
from domain.kernel.work import Works
from domain.notices import queries, rules, service
from domain.notices.audience import select_addressed
from domain.notices.facts import BODY_INLINE_BYTES_MAX
from domain.notices.models import NoticeState
from domain.notices.rules import Audience, Terms, Words
from domain.org.models import Level, Ownership, Union
from tests.support.announcing import RememberedAnnouncements
from tests.support.clock import FrozenClock
from tests.support.matrix import Matrix, a_cadre, a_matrix, a_union, an_officer
from tests.support.notices import WORDS, publish, refused, rows_of_notices
from tests.support.statements import counted_statements


async def recipients(notice_id: UUID) -> set[UUID]:
    rows = await fetch("SELECT union_id FROM notice_recipient WHERE notice_id = $1", notice_id)
    return {row["union_id"] for row in rows}


async def test_a_zone_is_addressed_without_the_publisher_itself(works: Works) -> None:
    m = await a_matrix()
    notice_id = await publish(works, a_cadre(m.east), m.east, Audience(zone_id=m.east.id))
    assert await recipients(notice_id) == {m.a.id, m.b.id, m.c.id}


async def test_a_line_is_addressed_across_the_zones(works: Works) -> None:
    m = await a_matrix()
    cadre = a_cadre(m.metal, Hierarchy.LINE)
    notice_id = await publish(works, cadre, m.metal, Audience(line_id=m.metal.id))
    assert await recipients(notice_id) == {m.a.id, m.b.id, m.d.id}


async def test_named_unions_are_addressed_once_each_and_dissolved_ones_are_not(
    works: Works,
) -> None:
    m = await a_matrix()
    await Union.filter(id=m.c.id).update(dissolved_on="2026-01-01")
    named = Audience(union_ids=(m.a.id, m.d.id, m.a.id, m.c.id))
    notice_id = await publish(works, a_cadre(m.city), m.city, named)
    assert await recipients(notice_id) == {m.a.id, m.d.id}


@pytest.mark.parametrize(
    ("ownership", "country", "found"),
    [
        (Ownership.FOREIGN, None, "a"),
        (Ownership.PRIVATE, None, "b"),
        (None, "DE", "a"),
        (Ownership.FOREIGN, "DE", "a"),
    ],
)
async def test_an_audience_is_narrowed_by_ownership_and_investor_country(
    works: Works, ownership: Ownership | None, country: str | None, found: str
) -> None:
    m = await a_matrix()
    audience = Audience(zone_id=m.city.id, ownership=ownership, investor_country=country)
    notice_id = await publish(works, a_cadre(m.city), m.city, audience)
    assert await recipients(notice_id) == {getattr(m, found).id}


async def test_the_preview_is_what_publishing_then_addresses(works: Works) -> None:
    m = await a_matrix()
    cadre = a_cadre(m.city)
    selection = await select_addressed(cadre, m.city.id, Audience(zone_id=m.city.id))
    first = await selection.page(cadre, PageRequest(first=5))
    cursor = selection.listing.cursor(first.rows[-1])
    second = await selection.page(cadre, PageRequest(first=5, after=cursor))
    previewed = [row["id"] for row in (*first.rows, *second.rows)]

    notice_id = await publish(works, cadre, m.city, Audience(zone_id=m.city.id))

    assert (first.has_next, second.has_next) == (True, False)
    assert await selection.count(cadre) == len(previewed) == 8
    assert await recipients(notice_id) == set(previewed)


async def test_one_fact_lies_on_each_recipients_stream_with_the_short_text_inside(
    works: Works, announcements: RememberedAnnouncements, clock: FrozenClock
) -> None:
    m = await a_matrix()
    due = clock.now() + timedelta(days=7)
    notice_id = await publish(
        works,
        a_cadre(m.east),
        m.east,
        Audience(zone_id=m.east.id),
        terms=Terms(due, wants_confirmation=True),
    )
    assert {event.stream for event in announcements.events} == {
        f"ou:{union.id}" for union in (m.a, m.b, m.c)
    }
    assert len(announcements.events) == 3
    assert announcements.events[0].kind == "notices.published"
    assert announcements.events[0].body == {
        "notice_id": str(notice_id),
        "publisher_id": str(m.east.id),
        "version_no": 1,
        "title": WORDS.title,
        "text": WORDS.body,
        "reply_by": due.isoformat(),
        "wants_confirmation": True,
    }


async def test_a_long_text_is_fetched_by_query_only(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    m = await a_matrix()
    body = "知" * (BODY_INLINE_BYTES_MAX // 3 + 1)
    cadre = a_cadre(m.east)
    notice_id = await publish(
        works, cadre, m.east, Audience(zone_id=m.east.id), words=Words("长", body)
    )
    assert announcements.events[0].body["text"] is None
    assert (await service.get_notice(an_officer(m.a), notice_id))["body"] == body


async def test_zone_and_line_of_that_day_are_kept_with_each_recipient(works: Works) -> None:
    m = await a_matrix()
    notice_id = await publish(works, a_cadre(m.city), m.city, Audience(zone_id=m.city.id))
    rows = await fetch("SELECT * FROM notice_recipient WHERE notice_id = $1", notice_id)
    placed = {row["union_id"]: (row["zone_id"], row["line_id"]) for row in rows}
    assert placed[m.a.id] == (m.east.id, m.metal.id)
    assert placed[m.c.id] == (m.east.id, None)
    assert placed[m.west.id] == (m.west.id, None)
    assert placed[m.metal.id] == (None, m.metal.id)


async def test_a_repeated_client_key_is_the_same_notice_even_at_the_same_moment(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    m = await a_matrix()
    cadre, key = a_cadre(m.east), new_id()
    audience = Audience(zone_id=m.east.id)

    ids = await asyncio.gather(
        *(publish(works, cadre, m.east, audience, client_key=key) for _ in range(4))
    )

    assert len(set(ids)) == 1
    assert len(announcements.events) == 3
    async with refused(rules.ClientKeyReused, announcements):
        await publish(works, cadre, m.east, audience, client_key=key, words=Words("别的", "话"))


async def test_another_accounts_equal_client_key_is_another_notice(works: Works) -> None:
    m = await a_matrix()
    key, audience = new_id(), Audience(zone_id=m.east.id)
    one = await publish(works, a_cadre(m.east), m.east, audience, client_key=key)
    two = await publish(works, a_cadre(m.east), m.east, audience, client_key=key)
    assert one != two


def _publishing_strangers(m: Matrix) -> list[tuple[Actor, type[DomainError]]]:
    return [
        (NOBODY, Unauthenticated),
        (Actor(account_id=new_id(), member_id=new_id()), Forbidden),
        (an_officer(m.a), Forbidden),
        (a_cadre(m.d), NotFound),
        (a_cadre(m.west), NotFound),
        (a_cadre(m.city), NotFound),
    ]


async def test_only_cadres_of_a_union_publish_in_its_name(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    m = await a_matrix()
    for actor, error in _publishing_strangers(m):
        async with refused(error, announcements):
            await publish(works, actor, m.east, Audience(zone_id=m.east.id))


async def test_nothing_outside_the_publishers_scope_is_addressed_or_shown_to_exist(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    m = await a_matrix()
    cadre = a_cadre(m.east)
    for audience in (
        Audience(zone_id=m.west.id),
        Audience(zone_id=m.city.id),
        Audience(zone_id=new_id()),
        Audience(line_id=m.metal.id),
        Audience(line_id=m.c.id),
        Audience(union_ids=(m.a.id, m.d.id)),
        Audience(union_ids=(m.a.id, new_id())),
    ):
        async with refused(NotFound, announcements):
            await publish(works, cadre, m.east, audience)
        with pytest.raises(NotFound):
            await select_addressed(cadre, m.east.id, audience)


async def test_an_audience_of_nobody_a_past_day_and_missing_words_leave_nothing(
    works: Works, announcements: RememberedAnnouncements, clock: FrozenClock
) -> None:
    m = await a_matrix()
    cadre, east = a_cadre(m.east), Audience(zone_id=m.east.id)
    async with refused(rules.AudienceEmpty, announcements):
        await publish(works, cadre, m.east, Audience(zone_id=m.east.id, investor_country="FR"))
    async with refused(rules.AudienceEmpty, announcements):
        await publish(works, cadre, m.east, Audience(union_ids=(m.east.id,)))
    async with refused(rules.AudienceUnclear, announcements):
        await publish(works, cadre, m.east, Audience())
    async with refused(rules.BadReplyBy, announcements):
        await publish(works, cadre, m.east, east, terms=Terms(clock.now(), True))
    async with refused(TextMissing, announcements):
        await publish(works, cadre, m.east, east, words=Words(" ", "x"))


async def test_two_thousand_unions_take_no_more_statements_than_one(works: Works) -> None:
    city = await a_union(level=Level.FEDERATION)
    cadre = a_cadre(city)

    async def count_statements(facts: int) -> int:
        async with works.open(cadre) as w, counted_statements() as statements:
            await service.publish(
                w,
                city.id,
                Audience(zone_id=city.id),
                WORDS,
                terms=Terms(),
                client_key=new_id(),
            )
        assert (await rows_of_notices())["event"] == facts
        return len(statements)

    await a_union(city)
    few = await count_statements(1)
    await fetch(
        "INSERT INTO org_union (id, seq, name, level, kind, territory_path, legal_person,"
        " territory_parent_id)"
        " SELECT gen_random_uuid(), 1000000 + n, 'u' || n, 'grassroots', 'single',"
        " $1 || (1000000 + n) || '/', 'none', $2 FROM generate_series(1, 1999) AS n",
        city.place.territory_path,
        city.id,
    )
    many = await count_statements(2_001)
    assert few == many <= 8


async def test_a_correction_makes_a_version_and_tells_recipients_and_publisher(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    m = await a_matrix()
    cadre = a_cadre(m.east)
    notice_id = await publish(works, cadre, m.east, Audience(union_ids=(m.a.id,)))
    async with works.open(cadre) as w:
        no = await service.correct(
            w, notice_id, Words("更正", "新文"), reason="日期有误", based_on_no=1
        )

    notice = await service.get_notice(an_officer(m.a), notice_id)
    assert (no, notice["version_no"], notice["title"], notice["body"]) == (2, 2, "更正", "新文")
    told = announcements.events[1:]
    assert {event.stream for event in told} == {f"ou:{m.a.id}", f"nt:{notice_id}"}
    assert told[0].body == {
        "notice_id": str(notice_id),
        "version_no": 2,
        "title": "更正",
        "text": "新文",
        "reason": "日期有误",
    }
    history = queries.select_versions(await service.get_notice(cadre, notice_id))
    page = await history.page(cadre, PageRequest())
    assert [(row["no"], row["title"], row["reason"]) for row in page.rows] == [
        (2, "更正", "日期有误"),
        (1, WORDS.title, None),
    ]


async def test_a_repeated_correction_changes_nothing_and_an_outdated_one_is_refused(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    m = await a_matrix()
    cadre = a_cadre(m.east)
    notice_id = await publish(works, cadre, m.east, Audience(union_ids=(m.a.id,)))

    async def correct(words: Words) -> int:
        async with works.open(cadre) as w:
            return await service.correct(w, notice_id, words, reason="误", based_on_no=1)

    assert await correct(Words("更正", "甲")) == 2
    before = await rows_of_notices()
    assert await correct(Words("更正", "甲")) == 2
    assert await rows_of_notices() == before
    async with refused(rules.VersionOutdated, announcements):
        await correct(Words("更正", "乙"))


async def test_of_corrections_at_the_same_moment_one_wins_and_the_others_are_told(
    works: Works,
) -> None:
    m = await a_matrix()
    cadre = a_cadre(m.east)
    notice_id = await publish(works, cadre, m.east, Audience(union_ids=(m.a.id,)))

    async def correct(n: int) -> int:
        async with works.open(cadre) as w:
            return await service.correct(
                w, notice_id, Words("更正", str(n)), reason="误", based_on_no=1
            )

    outcomes = await asyncio.gather(*(correct(n) for n in range(4)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == [
        *["VersionOutdated"] * 3,
        "int",
    ]


async def test_withdrawing_keeps_everything_and_a_repetition_does_nothing(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    m = await a_matrix()
    cadre = a_cadre(m.east)
    notice_id = await publish(works, cadre, m.east, Audience(union_ids=(m.a.id,)))
    for reason in ("发错了", "再说一次"):
        async with works.open(cadre) as w:
            await service.withdraw(w, notice_id, reason=reason)

    notice = await service.get_notice(an_officer(m.a), notice_id)
    assert (notice["state"], notice["withdrawal_reason"]) == (NoticeState.WITHDRAWN, "发错了")
    assert notice["body"] == WORDS.body
    assert [event.stream for event in announcements.events[1:]] == [
        f"ou:{m.a.id}",
        f"nt:{notice_id}",
    ]
    async with refused(rules.Withdrawn, announcements), works.open(cadre) as w:
        await service.correct(w, notice_id, Words("x", "y"), reason="z", based_on_no=1)


async def test_only_the_publishing_union_changes_its_notice(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    m = await a_matrix()
    notice_id = await publish(works, a_cadre(m.east), m.east, Audience(union_ids=(m.a.id,)))
    callers: list[tuple[Actor, type[DomainError]]] = [
        (NOBODY, Unauthenticated),
        (Actor(account_id=new_id(), member_id=new_id()), NotFound),
        (an_officer(m.a), NotFound),
        (an_officer(m.d), NotFound),
        (a_cadre(m.west), NotFound),
        (a_cadre(m.city), rules.NotPublisher),
    ]
    for actor, error in callers:
        async with refused(error, announcements), works.open(actor) as w:
            await service.correct(w, notice_id, Words("x", "y"), reason="z", based_on_no=1)
        async with refused(error, announcements), works.open(actor) as w:
            await service.withdraw(w, notice_id, reason="z")
    assert (await service.get_notice(a_cadre(m.east), notice_id))["state"] == "published"


async def test_an_absent_notice_and_a_foreign_one_look_the_same(works: Works) -> None:
    m = await a_matrix()
    notice_id = await publish(works, a_cadre(m.east), m.east, Audience(union_ids=(m.a.id,)))
    for actor in (an_officer(m.a), a_cadre(m.east), a_cadre(m.city)):
        assert (await service.get_notice(actor, notice_id))["title"] == WORDS.title
    for actor in (an_officer(m.b), an_officer(m.d), a_cadre(m.west)):
        for wanted in (notice_id, new_id()):
            with pytest.raises(NotFound):
                await service.get_notice(actor, wanted)
    with pytest.raises(Unauthenticated):
        await service.get_notice(NOBODY, notice_id)


async def test_evidence_cannot_be_changed_even_by_the_database_owner(
    works: Works, database: str
) -> None:
    m = await a_matrix()
    await publish(works, a_cadre(m.east), m.east, Audience(union_ids=(m.a.id,)))
    owner = await asyncpg.connect(database)
    try:
        for statement in (
            "UPDATE notice_version SET body = 'x'",
            "DELETE FROM notice_recipient",
            "UPDATE notice_receipt SET at = now()",
        ):
            with pytest.raises(asyncpg.RaiseError):
                await owner.execute(statement)
    finally:
        await owner.close()
