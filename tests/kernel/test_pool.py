"""The pool: bounded, last in first out, nobody forgotten, nothing dead or half-done handed on."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from domain.kernel import pool as pools
from domain.kernel.pool import Connection, Pool
from tests.support.redis_server import eventually


class SmallConnection:
    """As much of a connection as the pool looks at."""

    def __init__(self) -> None:
        self.is_dead = False
        self.is_inside = False

    def is_closed(self) -> bool:
        return self.is_dead

    def is_in_transaction(self) -> bool:
        return self.is_inside

    def terminate(self) -> None:
        self.is_dead = True

    async def close(self, *, timeout: float) -> None:
        self.is_dead = True


class Ground:
    """Opens small connections, and fails when told to."""

    def __init__(self, **sizes: int) -> None:
        self.opened: list[Any] = []
        self.is_down = False
        self.pool = Pool(self._open, **{"size_min": 1, "size_max": 2} | sizes)

    async def _open(self) -> Connection:
        await asyncio.sleep(0)
        if self.is_down:
            raise ConnectionRefusedError
        self.opened.append(SmallConnection())
        return cast(Connection, self.opened[-1])


async def test_the_connection_used_last_is_used_next() -> None:
    ground = Ground()
    one, two = await ground.pool.take(), await ground.pool.take()
    ground.pool.give(one)
    ground.pool.give(two)

    assert await ground.pool.take() is two
    assert (len(ground.opened), ground.pool.size, ground.pool.in_use) == (2, 2, 1)


async def test_what_is_urgent_goes_before_all_who_wait() -> None:
    ground = Ground(size_max=1)
    held = await ground.pool.take()
    patient = [asyncio.create_task(ground.pool.take()) for _ in range(50)]
    await asyncio.sleep(0)
    urgent = asyncio.create_task(ground.pool.take(is_urgent=True))
    await asyncio.sleep(0)

    ground.pool.give(held)
    assert await urgent is held
    assert not any(waiter.done() for waiter in patient)
    for waiter in patient:
        waiter.cancel()


async def test_above_the_bound_one_waits_in_turn() -> None:
    ground = Ground(size_max=1)
    held = await ground.pool.take()
    first, second = (asyncio.create_task(ground.pool.take()) for _ in range(2))
    await asyncio.sleep(0)
    assert ground.pool.waiting == 2

    ground.pool.give(held)
    assert await first is held
    assert not second.done()
    ground.pool.give(held)
    assert await second is held
    assert len(ground.opened) == 1


@pytest.mark.parametrize("fault", ["is_dead", "is_inside"])
async def test_what_is_dead_or_in_a_transaction_is_replaced_for_whoever_waits(fault: str) -> None:
    ground = Ground(size_max=1)
    held = await ground.pool.take()
    waiting = asyncio.create_task(ground.pool.take())
    await asyncio.sleep(0)
    setattr(held, fault, True)
    ground.pool.give(held)

    assert await waiting is not held
    assert held.is_closed()
    assert ground.pool.size == 1


async def test_an_idle_connection_that_died_is_not_handed_out() -> None:
    ground = Ground()
    held = await ground.pool.take()
    ground.pool.give(held)
    ground.opened[0].is_dead = True

    assert await ground.pool.take() is not held
    assert ground.pool.size == 1


async def test_a_database_that_is_away_is_told_to_everybody_and_leaves_no_room_taken() -> None:
    ground = Ground(size_max=1)
    held = await ground.pool.take()
    waiting = asyncio.create_task(ground.pool.take())
    await asyncio.sleep(0)
    ground.is_down = True
    held.terminate()
    ground.pool.give(held)

    with pytest.raises(ConnectionRefusedError):
        await waiting
    assert ground.pool.size == 0
    ground.is_down = False
    assert await ground.pool.take() is ground.opened[-1]


async def test_who_gives_up_waiting_passes_on_what_came_too_late() -> None:
    ground = Ground(size_max=1)
    held = await ground.pool.take()
    leaves, stays = (asyncio.create_task(ground.pool.take()) for _ in range(2))
    await asyncio.sleep(0)
    ground.pool.give(held)
    leaves.cancel()

    assert await stays is held
    with pytest.raises(asyncio.CancelledError):
        await leaves
    ground.pool.give(held)
    assert (ground.pool.size, ground.pool.in_use, ground.pool.waiting) == (1, 0, 0)


async def test_waiting_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "WAIT_S", 0.0)
    ground = Ground(size_max=1)
    held = await ground.pool.take()

    with pytest.raises(TimeoutError):
        await ground.pool.take()
    ground.pool.give(held)
    assert await ground.pool.take() is held


async def test_connections_not_needed_for_long_are_closed_down_to_the_smallest_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pools, "UNUSED_S", 0.0)
    ground = Ground(size_max=5)
    for conn in [await ground.pool.take() for _ in range(5)]:
        ground.pool.give(conn)
    await eventually(lambda: ground.pool.size == 1)

    assert [conn.is_dead for conn in ground.opened] == [True] * 4 + [False]


async def test_a_closed_pool_closes_what_comes_back() -> None:
    ground = Ground()
    held, idle = await ground.pool.take(), await ground.pool.take()
    ground.pool.give(idle)
    await ground.pool.close()
    ground.pool.give(held)

    assert idle.is_closed()
    assert held.is_closed()
    assert ground.pool.size == 0
