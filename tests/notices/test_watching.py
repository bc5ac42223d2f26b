"""Following a board is allowed exactly to whoever may watch it, however many ask at once."""

from __future__ import annotations

import asyncio

import pytest

from domain.kernel.actor import NOBODY, SYSTEM, Actor
from domain.kernel.errors import DomainError, NotFound, Unauthenticated
from domain.kernel.ids import new_id
from domain.kernel.work import Works
from domain.notices import watching
from domain.notices.rules import Audience
from tests.support.matrix import a_cadre, a_matrix, an_officer
from tests.support.notices import publish


async def test_many_together_are_answered_as_each_is_alone(works: Works) -> None:
    m = await a_matrix()
    eastern = await publish(works, a_cadre(m.east), m.east, Audience(zone_id=m.east.id))
    city = await publish(works, a_cadre(m.city), m.city, Audience(zone_id=m.east.id))
    actors = [a_cadre(m.east), a_cadre(m.city), an_officer(m.a), Actor(account_id=new_id()), NOBODY]
    asked = [(actor, notice) for actor in actors for notice in (eastern, city, new_id())] * 2

    async def alone(actor: Actor, notice: object) -> type[DomainError] | None:
        try:
            await watching.ensure_may_watch(actor, notice)  # type: ignore[arg-type]
        except DomainError as refusal:
            return type(refusal)
        return None

    together = await asyncio.gather(
        *(watching.ensure_may_follow(*question) for question in asked), return_exceptions=True
    )

    found = [type(refusal) if refusal else None for refusal in together]
    assert found == [await alone(*question) for question in asked]
    east_sees = [None, NotFound, NotFound]
    city_sees = [None, None, NotFound]
    nobody_sees = [NotFound] * 3
    assert found[:9] == east_sees + city_sees + nobody_sees
    assert found[9:15] == nobody_sees + [Unauthenticated] * 3


async def test_a_question_is_answered_as_things_stand_after_it_was_asked(works: Works) -> None:
    m = await a_matrix()
    notice = await publish(works, a_cadre(m.city), m.city, Audience(zone_id=m.east.id))
    cadre = a_cadre(m.east)
    first = asyncio.create_task(watching.ensure_may_follow(cadre, notice))
    await asyncio.sleep(0)
    async with works.open(SYSTEM) as w:
        await w.execute(
            "UPDATE org_union SET territory_path = $2 || '9/' WHERE id = $1",
            m.city.id, m.east.place.territory_path,
        )  # fmt: skip
    await watching.ensure_may_follow(cadre, notice)
    await asyncio.gather(first, return_exceptions=True)


@pytest.mark.parametrize("ask", [watching.ensure_may_watch, watching.ensure_may_follow])
async def test_a_stranger_and_an_absent_notice_look_alike(works: Works, ask: object) -> None:
    m = await a_matrix()
    notice = await publish(works, a_cadre(m.city), m.city, Audience(zone_id=m.east.id))
    for actor, wanted in [(an_officer(m.a), notice), (a_cadre(m.city), new_id())]:
        with pytest.raises(NotFound):
            await ask(actor, wanted)  # type: ignore[operator]
