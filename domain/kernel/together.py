"""One question for many: who asks while an answer is on its way shares the next question.

Alone, somebody is asked for at once and in their own task, which costs what asking directly does.
In a storm one statement answers for hundreds, and how many run at a time is bounded here; it may
wait for a moment, so that a stream of single comers shares statements too. What is asked begins
after ``ask`` was called, so no answer is older than its question.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Together(Generic[K, V]):
    """Asks ``answer``, which takes keys (some perhaps twice) and gives their answers in order.

    ``many_max``: keys of one question. ``at_once_max``: questions under way. ``gather_s``: how long
    a question waits for company while another is under way, or was when it was asked for. For reads
    outside of any Work: those of others are answered in the same statement.
    """

    __slots__ = (
        *("_answer", "_asking", "_at_once_max", "_gather_s", "_is_gathering", "_many_max"),
        *("_under_way", "_waiting"),
    )

    def __init__(
        self,
        answer: Callable[[Sequence[K]], Awaitable[Sequence[V]]],
        *,
        many_max: int,
        at_once_max: int = 1,
        gather_s: float = 0.0,
    ) -> None:
        self._answer = answer
        self._many_max = many_max
        self._at_once_max = at_once_max
        self._gather_s = gather_s
        self._is_gathering = False
        self._under_way = 0
        self._asking: set[asyncio.Task[None]] = set()
        self._waiting: deque[tuple[K, asyncio.Future[V]]] = deque()

    async def ask(self, key: K) -> V:
        """The key's answer. Raises what answering raised, for all who shared the question."""
        if self._under_way >= (1 if self._gather_s else self._at_once_max):
            waiting: asyncio.Future[V] = asyncio.get_running_loop().create_future()
            self._waiting.append((key, waiting))
            self._go_on()
            return await waiting
        self._under_way += 1
        try:
            (answer,) = await self._answer([key])
        finally:
            self._under_way -= 1
            self._go_on()
        return answer

    def _go_on(self) -> None:
        if self._is_gathering or not self._waiting:
            return
        if self._under_way < self._at_once_max:
            self._under_way += 1
            self._is_gathering = self._gather_s > 0
            # Not in the context of whoever was first: nothing of theirs is for the others.
            task = asyncio.get_running_loop().create_task(self._ask_many(), context=Context())
            self._asking.add(task)
            task.add_done_callback(self._asked)

    async def _ask_many(self) -> None:
        batch: list[tuple[K, asyncio.Future[V]]] = []
        try:
            try:
                if self._is_gathering and len(self._waiting) < self._many_max:
                    await asyncio.sleep(self._gather_s)
            finally:
                self._is_gathering = False
                batch = self._batch()
            self._go_on()
            if batch:
                await self._answer_many(batch)
        finally:
            for _, waiting in batch:
                waiting.cancel()  # the process ends; harmless where there is an answer

    async def _answer_many(self, batch: Sequence[tuple[K, asyncio.Future[V]]]) -> None:
        try:
            answers = await self._answer([key for key, _ in batch])
            for (_, waiting), answer in zip(batch, answers, strict=True):
                if not waiting.done():
                    waiting.set_result(answer)
        except Exception as error:
            for _, waiting in batch:
                if not waiting.done():
                    waiting.set_exception(error)

    def _batch(self) -> list[tuple[K, asyncio.Future[V]]]:
        batch: list[tuple[K, asyncio.Future[V]]] = []
        while self._waiting and len(batch) < self._many_max:
            key, waiting = self._waiting.popleft()
            if not waiting.done():  # else whoever asked has gone
                batch.append((key, waiting))
        return batch

    def _asked(self, task: asyncio.Task[None]) -> None:
        self._asking.discard(task)
        self._under_way -= 1
        self._go_on()
