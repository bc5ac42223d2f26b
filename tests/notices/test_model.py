"""Random officers, receipts, corrections and withdrawals: the board equals a small model."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.kernel.actor import SYSTEM, Actor
from domain.kernel.database import fetch
from domain.kernel.errors import DomainError, NotFound
from domain.kernel.ids import new_id
from domain.kernel.pages import PageRequest
from domain.kernel.work import Work, Works
from domain.notices import queries, service
from domain.notices.board import flush_board
from domain.notices.models import ReceiptKind
from domain.notices.receipts import confirm, mark_read, receive
from domain.notices.rules import Audience, Terms, Words
from tests.support.clock import FrozenClock
from tests.support.matrix import Matrix, Spot, a_cadre, a_matrix, an_officer
from tests.support.notices import publish

STEPS = ("receive", "read", "confirm", "correct", "withdraw", "wait")
_step = st.tuples(
    st.sampled_from(STEPS), st.integers(min_value=0, max_value=5), st.sampled_from("abcd")
)


class Model:
    """What the receipts must come to, kept the simplest way."""

    def __init__(self, recipients: set[str]) -> None:
        self.recipients = recipients
        self.proven: dict[str, set[str]] = {name: set() for name in recipients}
        self.is_withdrawn = self.is_late = False
        self.confirmed: set[tuple[int, str]] = set()

    def figures(self) -> tuple[int, ...]:
        proven = self.proven.values()
        return (
            len(self.recipients),
            sum(bool(kinds) for kinds in proven),
            sum(bool(kinds - {"received"}) for kinds in proven),
            sum(bool(kinds & {"in time", "late"}) for kinds in proven),
            sum("late" in kinds and "in time" not in kinds for kinds in proven),
        )

    def silent(self) -> set[str]:
        return {name for name, kinds in self.proven.items() if not kinds & {"in time", "late"}}


async def _do(w: Work, step: str, notice_id: UUID, union: Spot, no: int) -> None:
    match step:
        case "receive":
            await receive(w, [notice_id])
        case "read":
            await mark_read(w, notice_id, version_no=no)
        case "confirm":
            await confirm(w, notice_id, union.id, version_no=no)
        case "correct":
            words = Words("更正", f"第{no + 1}版")
            await service.correct(w, notice_id, words, reason="误", based_on_no=no)
        case "withdraw":
            await service.withdraw(w, notice_id, reason="发错了")


def _foresee(model: Model, step: str, person: int, offices: set[str], name: str) -> bool:
    """Apply the step to the model; whether the program must allow it."""
    own = offices & model.recipients
    match step:
        case "receive" | "read":
            for each in own:
                model.proven[each].add("received" if step == "receive" else "read")
            return bool(own) or step == "receive"
        case "confirm" if name in own:
            if (person, name) not in model.confirmed:
                if model.is_withdrawn:
                    return False
                model.confirmed.add((person, name))
                model.proven[name].add("late" if model.is_late else "in time")
            return True
        case "correct":
            return not model.is_withdrawn
        case "withdraw":
            model.is_withdrawn = True
            return True
    return False


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    addressed=st.sets(st.sampled_from("abcd"), min_size=1),
    seats=st.lists(st.sets(st.sampled_from("abcd"), max_size=2), min_size=6, max_size=6),
    steps=st.lists(_step, max_size=25),
)
async def test_the_board_equals_the_model_and_strangers_see_nothing(
    works: Works,
    addressed: set[str],
    seats: list[set[str]],
    steps: list[tuple[str, int, str]],
) -> None:
    clock = works.clock
    assert isinstance(clock, FrozenClock)
    m = await _the_matrix()
    cadre = a_cadre(m.city)
    notice_id = await publish(
        works,
        cadre,
        m.city,
        Audience(union_ids=tuple(getattr(m, name).id for name in addressed)),
        terms=Terms(clock.now() + timedelta(days=1), wants_confirmation=True),
    )
    people = [an_officer(*(getattr(m, name) for name in sorted(seat))) for seat in seats]
    model, no = Model(addressed), 1
    for step, person, name in steps:
        if step == "wait":
            clock.advance(days=1)
            clock.advance(microseconds=1)
            model.is_late = True
            continue
        actor = cadre if step in ("correct", "withdraw") else people[person]
        is_allowed = _foresee(model, step, person, seats[person], name)
        try:
            async with works.open(actor) as w:
                await _do(w, step, notice_id, getattr(m, name), no)
        except DomainError:
            assert not is_allowed, (step, person, name)
        else:
            assert is_allowed, (step, person, name)
            no += step == "correct"
    await _check(works, cadre, notice_id, model)
    await _check_sight(m, people, seats, notice_id, addressed)


async def _the_matrix() -> Matrix:
    """One matrix for all examples: rows of earlier ones stay until the test ends."""
    if not await fetch("SELECT 1 FROM org_union"):
        _made.clear()
        _made.append(await a_matrix())
    return _made[0]


_made: list[Matrix] = []


async def _check(works: Works, cadre: Actor, notice_id: UUID, model: Model) -> None:
    def figures(row: Any) -> tuple[int, ...]:
        names = ("recipients", "delivered", "read", "confirmed", "confirmed_late")
        return tuple(row[name] for name in names)

    board = await queries.board(cadre, notice_id)
    assert figures(board.total) == model.figures()
    parts = [sum(column) for column in zip(*map(figures, board.by_zone), strict=True)]
    assert tuple(parts) == model.figures()
    assert isinstance(works.clock, FrozenClock)
    works.clock.advance(seconds=1)
    async with works.open(SYSTEM) as w:
        await flush_board(w, notice_id)
    rows = await fetch("SELECT * FROM notice_board WHERE notice_id = $1", notice_id)
    assert figures(rows[0]) == model.figures()
    silent = await queries.select_silent(cadre, notice_id, ReceiptKind.CONFIRMED)
    assert await silent.count(cadre) == len(model.silent())


async def _check_sight(
    m: Matrix, people: list[Actor], seats: list[set[str]], notice_id: UUID, addressed: set[str]
) -> None:
    for actor, seat in zip([*people, Actor(account_id=new_id())], [*seats, set()], strict=True):
        try:
            await service.get_notice(actor, notice_id)
            is_seen = True
        except NotFound:
            is_seen = False
        assert is_seen == bool(seat & addressed)
        for name in seat:
            inbox = queries.select_inbox(actor, getattr(m, name).id)
            page = await inbox.page(actor, PageRequest(first=100))
            assert (notice_id in [row["id"] for row in page.rows]) == (name in addressed)
