"""Works that go together: those of a process under way at once share one call and one commit.

Alone, a work goes at once, in its own task, as a call of its own. While as many calls are under way
as may be, who comes waits for the next and shares it. Each is done or not by itself, under its own
actor's policies and at its own instant; what fails fails for all who shared it, and then none has
happened. No call waits for a row that another call may hold while it waits (see the functions).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial

import asyncpg
import orjson

from domain.kernel.actor import Actor
from domain.kernel.context import context_json
from domain.kernel.database import Record, fetch_apart, is_passing
from domain.kernel.streams import Entries, new_epoch, to_json
from domain.kernel.together import Together

_log = logging.getLogger(__name__)

JOINT_MAX = 64
"""Works of one call: some 10 ms of the database, which the first of them waits for. With so many,
asking is a fiftieth of what it costs alone; more would save nothing."""
JOINT_AT_ONCE_MAX = 3
"""Calls under way of one function: one waits for the disk while another is worked on. More are
smaller: two take 0.43 of the CPU of sixty senders on their own, three 0.5, six 0.57 (the whole
verb). The rest of a pool is left for whatever else there is."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A work that one function does as a whole: whose, with what facts, of what values."""

    function: str
    actor: Actor
    entries: Entries
    args: tuple[object, ...]


class Joint:
    """Gathers works by function, as ``ask_alone`` each would be done. One a process."""

    def __init__(self) -> None:
        self._gathered: dict[str, Together[Asked, Sequence[Record]]] = {}

    async def ask(self, asked: Asked) -> Sequence[Record]:
        """Where the work's streams stand; no row when it was not done. At least one fact.

        ``<function>_many`` takes the works as one JSON document and the name of an epoch. A caller
        who leaves meanwhile leaves the others alone, and the work may have been done.
        """
        gathered = self._gathered.get(asked.function)
        if gathered is None:
            gathered = self._gathered[asked.function] = Together(
                partial(_ask, asked.function), many_max=JOINT_MAX, at_once_max=JOINT_AT_ONCE_MAX
            )
        return await gathered.ask(asked)


async def ask_alone(asked: Asked) -> Sequence[Record]:
    """The work as a call of its own."""
    values = (context_json(asked.actor), *asked.entries.args, *asked.args)
    return await fetch_apart(_call(asked.function, len(values)), *values)


async def _ask(function: str, works: Sequence[Asked]) -> Sequence[Sequence[Record]]:
    try:
        if len(works) == 1:
            return [await ask_alone(works[0])]
        rows = await fetch_apart(_call(f"{function}_many", 2), _document(works), new_epoch())
    except asyncpg.LockNotAvailableError:
        return [()] * len(works)  # nothing has happened; who must wait longer waits by themselves
    except asyncpg.PostgresError as error:
        if len(works) == 1 or is_passing(error):
            raise
        # One of them can't be done: nothing has happened, and by itself each finds out.
        _log.warning("%d works did not go together: %s", len(works), type(error).__name__)
        return [()] * len(works)
    answers: list[list[Record]] = [[] for _ in works]
    for row in rows:
        answers[row["work"] - 1].append(row)
    return answers


def _document(works: Sequence[Asked]) -> str:
    """What ``…_many`` takes: values as in the body of a fact."""
    plain = [
        {
            "asker": orjson.Fragment(context_json(each.actor)),
            "facts": each.entries.plain(),
            "at": each.entries.at,
            "given": each.args,
        }
        for each in works
    ]
    return orjson.dumps(plain, default=to_json).decode()


@cache
def _call(function: str, values: int) -> str:
    slots = ", ".join(f"${n}" for n in range(1, values + 1))
    return f"SELECT * FROM {function}({slots})"
