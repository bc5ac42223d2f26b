"""Who asks meanwhile is answered with others, and by nothing older than the question."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar

import pytest

from domain.kernel.together import Together
from tests.support.redis_server import eventually
from tests.support.timers import settle

WHOSE: ContextVar[str] = ContextVar("whose", default="nobody's")


class Answers:
    """Ten times the key, once the door is open."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.whose: list[str] = []
        self.door = asyncio.Event()
        self.is_down = False

    async def __call__(self, keys: Sequence[int]) -> list[int]:
        self.asked.append(list(keys))
        self.whose.append(WHOSE.get())
        await self.door.wait()
        if self.is_down:
            raise OSError
        return [10 * key for key in keys]


async def test_alone_one_is_asked_for_at_once_and_then_all_who_came_meanwhile() -> None:
    answers = Answers()
    together = Together(answers, many_max=4)
    asking = [asyncio.create_task(together.ask(key)) for key in (1, 2, 3, 2, 5, 6)]
    await settle()
    assert answers.asked == [[1]]

    answers.door.set()
    assert await asyncio.gather(*asking) == [10, 20, 30, 20, 50, 60]
    assert answers.asked == [[1], [2, 3, 2, 5], [6]]
    assert await together.ask(7) == 70
    assert answers.asked[-1] == [7]


async def test_no_more_questions_are_under_way_than_may_be() -> None:
    answers = Answers()
    together = Together(answers, many_max=100, at_once_max=2)
    asking = [asyncio.create_task(together.ask(key)) for key in range(5)]
    await settle()
    assert answers.asked == [[0], [1]]

    answers.door.set()
    await asyncio.gather(*asking)
    assert answers.asked == [[0], [1], [2, 3, 4]]


async def test_a_question_waits_a_moment_for_company_while_another_is_under_way() -> None:
    answers = Answers()
    together = Together(answers, many_max=9, at_once_max=2, gather_s=0.2)
    asking = [asyncio.create_task(together.ask(key)) for key in (0, 1, 2)]
    await settle()
    assert answers.asked == [[0]], "nobody else was asked for: it waits for nobody"

    await eventually(lambda: len(answers.asked) == 2)
    assert answers.asked == [[0], [1, 2]]
    asking += [asyncio.create_task(together.ask(key)) for key in (3, 4)]
    await settle()
    answers.door.set()
    assert await asyncio.gather(*asking) == [0, 10, 20, 30, 40]
    assert answers.asked == [[0], [1, 2], [3, 4]]
    assert await together.ask(5) == 50


async def test_who_waits_for_company_when_the_process_ends_is_told() -> None:
    answers = Answers()
    together = Together(answers, many_max=9, at_once_max=2, gather_s=60)
    asking = [asyncio.create_task(together.ask(key)) for key in (0, 1)]
    await settle()
    (gathering,) = together._asking
    gathering.cancel()
    answers.door.set()

    first, second = await asyncio.gather(*asking, return_exceptions=True)
    assert first == 0
    assert isinstance(second, asyncio.CancelledError)
    assert answers.asked == [[0]]
    assert await together.ask(5) == 50


async def test_a_question_that_fails_fails_for_those_who_shared_it_and_for_nobody_else() -> None:
    answers = Answers()
    together = Together(answers, many_max=2)
    answers.is_down = True
    asking = [asyncio.create_task(together.ask(key)) for key in (1, 2, 3)]
    await settle()
    answers.door.set()
    failed = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(error) for error in failed] == [OSError] * 3

    answers.is_down = False
    assert await together.ask(4) == 40


@pytest.mark.parametrize("gone", [0, 1, 2])
async def test_who_goes_away_keeps_nobody_from_an_answer(gone: int) -> None:
    answers = Answers()
    together = Together(answers, many_max=9)
    asking = [asyncio.create_task(together.ask(key)) for key in (0, 1, 2)]
    await settle()
    asking[gone].cancel()
    await settle()
    answers.door.set()

    found = await asyncio.gather(*asking, return_exceptions=True)
    assert [found[key] for key in (0, 1, 2) if key != gone] == [
        10 * key for key in (0, 1, 2) if key != gone
    ]
    assert gone not in [key for keys in answers.asked[1:] for key in keys]


async def test_nothing_of_who_came_first_is_there_for_the_others() -> None:
    answers = Answers()
    together = Together(answers, many_max=9)

    async def ask(key: int) -> int:
        WHOSE.set(f"{key}'s")
        return await together.ask(key)

    asking = [asyncio.create_task(ask(key)) for key in (1, 2, 3)]
    await settle()
    answers.door.set()
    await asyncio.gather(*asking)

    assert answers.whose == ["1's", "nobody's"]
