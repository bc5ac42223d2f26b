"""What takes too long is ended, and nothing else is."""

from __future__ import annotations

import asyncio

import pytest

from domain.kernel.patience import Patience

SOON_S = 0.02


async def test_what_takes_too_long_ends_with_a_timeout() -> None:
    patience = Patience(SOON_S)
    with pytest.raises(TimeoutError), patience.limit():
        await asyncio.Event().wait()
    assert len(patience) == 0
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0, "the task may go on"


async def test_what_is_quick_is_left_alone_and_forgotten() -> None:
    patience = Patience(SOON_S)
    for _ in range(3):
        with patience.limit():
            await asyncio.sleep(0)
    assert len(patience) == 0
    with pytest.raises(ValueError, match="its own"), patience.limit():
        raise ValueError("its own")
    assert len(patience) == 0


async def test_each_has_its_own_time_and_the_later_one_waits_on() -> None:
    patience, ended = Patience(SOON_S), list[str]()

    async def block(name: str) -> None:
        try:
            with patience.limit():
                await asyncio.Event().wait()
        except TimeoutError:
            ended.append(name)

    first = asyncio.create_task(block("first"))
    await asyncio.sleep(0)
    assert len(patience) == 1
    second = asyncio.create_task(block("second"))
    await first
    async with asyncio.timeout(5):
        await second
    assert ended == ["first", "second"]


async def test_a_cancellation_from_elsewhere_stays_one() -> None:
    patience = Patience(60)

    async def block() -> None:
        with patience.limit():
            await asyncio.Event().wait()

    task = asyncio.create_task(block())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(patience) == 0


async def test_cancelled_from_elsewhere_and_too_late_is_cancelled() -> None:
    patience = Patience(60)
    limit = patience.limit()

    async def block() -> None:
        with limit:
            await asyncio.Event().wait()

    task = asyncio.create_task(block())
    await asyncio.sleep(0)
    task.cancel()
    limit.expire()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_blocks_within_blocks_end_the_innermost_whose_time_is_up() -> None:
    outer, inner = Patience(60), Patience(SOON_S)
    with outer.limit():
        with pytest.raises(TimeoutError), inner.limit():
            await asyncio.Event().wait()
        await asyncio.sleep(0)
    assert len(outer) == len(inner) == 0
