"""What each side sees: inbox, published list, board by zone and line, who is silent."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from domain.kernel.actor import NOBODY, Actor
from domain.kernel.errors import Forbidden, NotFound, Unauthenticated
from domain.kernel.ids import new_id
from domain.kernel.pages import PageRequest, Selection
from domain.kernel.streams import position_of
from domain.kernel.work import Works
from domain.notices import queries, service
from domain.notices.facts import notice_stream
from domain.notices.models import ReceiptKind
from domain.notices.receipts import confirm, mark_read, receive
from domain.notices.rules import Audience, Terms
from tests.support.clock import FrozenClock
from tests.support.matrix import Matrix, a_cadre, a_matrix, an_officer
from tests.support.notices import publish


async def ids(selection: Selection, actor: Actor, name: str = "id") -> list[UUID]:
    return [row[name] for row in (await selection.page(actor, PageRequest())).rows]


async def test_an_inbox_holds_what_its_union_was_sent_newest_first_with_ones_own_receipts(
    works: Works, clock: FrozenClock
) -> None:
    m = await a_matrix()
    cadre, officer = a_cadre(m.east), an_officer(m.a)
    old = await publish(works, cadre, m.east, Audience(zone_id=m.east.id))
    new = await publish(works, cadre, m.east, Audience(union_ids=(m.a.id,)))
    await publish(works, cadre, m.east, Audience(union_ids=(m.b.id,)))
    async with works.open(officer) as w:
        await receive(w, [old])
        await mark_read(w, old, version_no=1)
    async with works.open(an_officer(m.a)) as w:
        await confirm(w, new, m.a.id, version_no=1)

    selection = queries.select_inbox(officer, m.a.id)
    page = await selection.page(officer, PageRequest(first=1))
    rest = await selection.page(
        officer, PageRequest(first=1, after=selection.listing.cursor(page.rows[0]))
    )

    assert [row["id"] for row in (*page.rows, *rest.rows)] == [new, old]
    assert [page.rows[0][f"{kind}_at"] for kind in ReceiptKind] == [None, None, None]
    assert [rest.rows[0][f"{kind}_at"] for kind in ReceiptKind] == [clock.now(), clock.now(), None]
    assert await selection.count(officer) == 2


async def test_only_a_current_officer_opens_a_unions_inbox(works: Works) -> None:
    m = await a_matrix()
    await publish(works, a_cadre(m.east), m.east, Audience(zone_id=m.east.id))
    for actor in (an_officer(m.b), a_cadre(m.east), a_cadre(m.city), Actor(account_id=new_id())):
        for union_id in (m.a.id, new_id()):
            with pytest.raises(NotFound):
                queries.select_inbox(actor, union_id)
    with pytest.raises(Unauthenticated):
        queries.select_inbox(NOBODY, m.a.id)


async def test_what_was_published_is_listed_to_the_publishing_side_only(works: Works) -> None:
    m = await a_matrix()
    east = await publish(works, a_cadre(m.east), m.east, Audience(zone_id=m.east.id))
    west = await publish(works, a_cadre(m.west), m.west, Audience(zone_id=m.west.id))
    expected = {m.east: [east], m.west: [west], m.city: [west, east]}
    for spot, wanted in expected.items():
        cadre = a_cadre(spot)
        assert await ids(queries.select_published(cadre), cadre) == wanted
    with pytest.raises(Forbidden):
        queries.select_published(an_officer(m.a))
    with pytest.raises(Unauthenticated):
        queries.select_published(NOBODY)


async def _city_notice(works: Works, m: Matrix, clock: FrozenClock) -> UUID:
    """To a, b, c, d: a confirmed in time, b late after reading, d read, c silent."""
    notice_id = await publish(
        works,
        a_cadre(m.city),
        m.city,
        Audience(union_ids=(m.a.id, m.b.id, m.c.id, m.d.id)),
        terms=Terms(clock.now() + timedelta(days=1), wants_confirmation=True),
    )
    for officer in (an_officer(m.a), an_officer(m.a)):
        async with works.open(officer) as w:
            await confirm(w, notice_id, m.a.id, version_no=1)
    clock.advance(days=2)
    async with works.open(an_officer(m.b)) as w:
        await receive(w, [notice_id])
        await mark_read(w, notice_id, version_no=1)
        await confirm(w, notice_id, m.b.id, version_no=1)
    async with works.open(an_officer(m.d)) as w:
        await mark_read(w, notice_id, version_no=1)
    return notice_id


async def test_the_board_counts_unions_in_total_by_zone_and_by_line(
    works: Works, clock: FrozenClock
) -> None:
    m = await a_matrix()
    notice_id = await _city_notice(works, m, clock)
    board = await queries.board(a_cadre(m.city), notice_id)
    assert board.position == await position_of(notice_stream(notice_id))

    def figures(row: object) -> tuple[int, ...]:
        names = ("recipients", "delivered", "read", "confirmed", "confirmed_late")
        return tuple(row[name] for name in names)  # type: ignore[index]  # a Record

    assert figures(board.total) == (4, 3, 3, 2, 1)
    assert {row["union_id"]: figures(row) for row in board.by_zone} == {
        m.east.id: (3, 2, 2, 2, 1),
        m.west.id: (1, 1, 1, 0, 0),
    }
    assert {row["union_id"]: figures(row) for row in board.by_line} == {
        m.metal.id: (3, 3, 3, 2, 1),
        None: (1, 0, 0, 0, 0),
    }


@pytest.mark.parametrize(
    ("kind", "silent"),
    [
        (ReceiptKind.DELIVERED, "c"),
        (ReceiptKind.READ, "c"),
        (ReceiptKind.CONFIRMED, "cd"),
    ],
)
async def test_who_has_not_is_listed_zone_by_zone(
    works: Works, clock: FrozenClock, kind: ReceiptKind, silent: str
) -> None:
    m = await a_matrix()
    cadre = a_cadre(m.city)
    notice_id = await _city_notice(works, m, clock)
    selection = await queries.select_silent(cadre, notice_id, kind)
    assert await ids(selection, cadre) == [getattr(m, name).id for name in silent]
    assert await selection.count(cadre) == len(silent)


async def test_receipts_are_listed_as_they_came_in(works: Works, clock: FrozenClock) -> None:
    m = await a_matrix()
    cadre = a_cadre(m.city)
    notice_id = await _city_notice(works, m, clock)
    page = await (await queries.select_receipts(cadre, notice_id)).page(cadre, PageRequest())
    assert [(row["kind"], row["union_id"], row["is_late"]) for row in page.rows] == [
        ("confirmed", m.a.id, False),
        ("confirmed", m.a.id, False),
        ("delivered", m.b.id, False),
        ("read", m.b.id, False),
        ("confirmed", m.b.id, True),
        ("read", m.d.id, False),
    ]


async def test_recipients_and_strangers_see_no_board_no_receipts_and_not_who_is_silent(
    works: Works, clock: FrozenClock
) -> None:
    m = await a_matrix()
    notice_id = await _city_notice(works, m, clock)
    for actor in (an_officer(m.a), a_cadre(m.east), Actor(account_id=new_id())):
        for wanted in (notice_id, new_id()):
            with pytest.raises(NotFound):
                await queries.board(actor, wanted)
            with pytest.raises(NotFound):
                await queries.select_receipts(actor, wanted)
            with pytest.raises(NotFound):
                await queries.select_silent(actor, wanted, ReceiptKind.READ)
    with pytest.raises(Unauthenticated):
        await queries.board(NOBODY, notice_id)


async def test_leaving_office_closes_the_inbox_and_the_new_officer_inherits_it(
    works: Works,
) -> None:
    m = await a_matrix()
    notice_id = await publish(works, a_cadre(m.east), m.east, Audience(union_ids=(m.a.id,)))
    former = an_officer(m.a)
    assert await ids(queries.select_inbox(former, m.a.id), former) == [notice_id]
    former = Actor(account_id=former.account_id)
    with pytest.raises(NotFound):
        queries.select_inbox(former, m.a.id)
    with pytest.raises(NotFound):
        await service.get_notice(former, notice_id)
    successor = an_officer(m.a)
    assert await ids(queries.select_inbox(successor, m.a.id), successor) == [notice_id]
