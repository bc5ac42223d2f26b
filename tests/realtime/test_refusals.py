"""A node whose loop lags opens few sockets a second, and soon all again."""

from __future__ import annotations

from realtime.bounds import LAGGING_OPENED_PER_S
from tests.support.live import SmallNode


async def lag(node: SmallNode, late_s: float, *, looks: int = 1) -> None:
    """So many times in turn the loop is late when it looks."""
    for _ in range(looks):
        node.timers.stall(1 + late_s)
        await node.timers.advance(0)


def opened(node: SmallNode, sockets: int) -> int:
    """How many of so many would be let in at this moment."""
    return sum(node.hub.refusal() is None for _ in range(sockets))


async def test_a_single_stall_of_less_than_half_a_second_turns_nobody_away(node: SmallNode) -> None:
    await lag(node, 0.4)
    assert opened(node, 5_000) == 5_000


async def test_a_loop_that_goes_on_lagging_lets_few_in_each_second(node: SmallNode) -> None:
    await lag(node, 0.3, looks=3)
    assert opened(node, 5_000) == LAGGING_OPENED_PER_S
    assert node.hub.node.metrics.refusals["lagging"] == 5_000 - LAGGING_OPENED_PER_S

    node.timers.stall(0.5)
    assert opened(node, 5_000) == LAGGING_OPENED_PER_S / 2


async def test_a_storm_is_in_within_a_bounded_time_even_if_the_lag_never_ends(
    node: SmallNode,
) -> None:
    await lag(node, 5)
    waiting = 5_000
    for quarter_seconds in range(4 * 5_000 // LAGGING_OPENED_PER_S):
        waiting -= opened(node, waiting)
        node.timers.stall(0.25)
        if quarter_seconds % 8 == 7:
            await node.timers.advance(0)  # a look, one second late
    assert waiting == 0


async def test_after_a_stall_however_long_all_are_let_in_again_soon(node: SmallNode) -> None:
    await lag(node, 60)
    assert opened(node, 1_000) < 1_000
    await node.timers.advance(2)
    assert opened(node, 1_000) == 1_000

    await lag(node, 60, looks=10)
    assert opened(node, 1_000) < 1_000
    await node.timers.advance(3)
    assert opened(node, 1_000) == 1_000


async def test_who_is_refused_for_another_reason_costs_nobody_a_place(node: SmallNode) -> None:
    await lag(node, 5)
    node.hub.is_draining = True
    assert opened(node, 1_000) == 0
    node.hub.is_draining = False
    assert opened(node, 1_000) == LAGGING_OPENED_PER_S
    assert node.hub.node.metrics.refusals["draining"] == 1_000
