"""Whoever is due is found, in time and once, without a look at anybody else."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import example, given
from hypothesis import strategies as st

from realtime.wheel import Wheel

TICK_S = 0.5


@dataclass(eq=False)
class Turn:
    due: int = 0


@example([(0, 0.0, 0.0), (0, 1.0, 0.0), (0, 0.0, 1.0)])
@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 20), st.floats(0, 3))))
def test_a_turn_comes_once_where_it_was_planned_last_and_at_most_a_tick_late(
    steps: list[tuple[int, float, float]],
) -> None:
    wheel: Wheel[Turn] = Wheel(TICK_S)
    turns = [Turn() for _ in range(6)]
    planned: dict[Turn, float] = {}
    now = 0.0
    for number, in_s, passing_s in steps:
        wheel.plan(turns[number], now + in_s)
        planned[turns[number]] = now + in_s
        now += passing_s
        for turn in wheel.due(now):
            at = planned.pop(turn)
            assert at <= now + 1e-6 or at - now < TICK_S
        assert not [at for at in planned.values() if at < now - 2 * TICK_S], "nobody is forgotten"
    assert set(wheel.due(now + 30)) == set(planned)
