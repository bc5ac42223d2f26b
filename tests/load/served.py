"""``unionhall serve`` as it is started anywhere, with the benchmark's control door beside it.

Nothing of the server is changed: the same command makes the same parts. A line at the door is one
unit of work that commits one fact to a notice's stream, as the program itself does when it has
counted receipts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from domain.kernel.actor import SYSTEM
from domain.notices.facts import BoardChanged
from gateway import cli, serving, wiring
from gateway.settings import Settings
from tests.load.control import MARK, listening


@asynccontextmanager
async def furnished(settings: Settings, database_url: str) -> AsyncIterator[wiring.House]:
    """The furnished house, with the door open."""
    async with wiring.furnished(settings, database_url) as house:

        async def publish(number: int, topic: str) -> None:
            counts = {"recipients": 2_007, "read": 0, "confirmed": 0, "confirmed_late": 0}
            async with house.works.open(SYSTEM) as w:
                w.record(BoardChanged(UUID(topic), delivered=MARK + number, **counts))

        async with listening(publish):
            yield house


if __name__ == "__main__":
    serving.furnished = furnished  # type: ignore[attr-defined]  # where the command looks it up
    cli.app(["serve"])
