"""A program that commits one fact and is killed before it can hint at it.

usage: python -m tests.faults.dying_writer DATABASE_URL
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence

from domain.kernel.actor import NOBODY
from domain.kernel.clock import SystemClock
from domain.kernel.database import connect
from domain.kernel.streams import Json, LoggedEvent
from domain.kernel.work import Works
from tests.support.log_facts import Said


class Killed:
    """An announcer that is never heard: the commit is done, the hint is not out."""

    def announce(self, events: Sequence[LoggedEvent]) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def whisper(self, stream: str, kind: str, body: Mapping[str, Json]) -> None:
        raise AssertionError


async def main(url: str) -> None:
    """Commit and die."""
    await connect(url, pool_min=1, pool_max=1)
    async with Works(SystemClock(), Killed()).open(NOBODY) as w:
        w.record(Said("committed"))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
