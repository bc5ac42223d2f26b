"""What an operator reads before and after something has happened, and what has moved."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from domain.kernel.actor import Actor
from gateway.metrics import PREFIX, Figures
from tests.support.live import SmallClient, SmallNode

Moves = dict[str, Any]
SOME = pytest.approx(1e6, abs=1e6 - 1e-9)
"""More than nothing."""

RENDERED = {"live_deliveries_total": 1, "live_bytes_out_total": SOME, "live_renders_total": 1}
LIVE = {**RENDERED, "live_commit_to_socket_seconds_count": 1, "live_ring_bytes": SOME}
"""What a whisper that is told moves, and an event as it comes."""


def samples(figures: Figures) -> dict[str, float]:
    """Ours by name and label; of a histogram the sum and how many."""
    families = text_string_to_metric_families(figures.text().decode())
    return {
        sample.name.removeprefix(PREFIX) + "".join(f"[{v}]" for v in sample.labels.values()): (
            sample.value
        )
        for family in families
        for sample in family.samples
        if sample.name.startswith(PREFIX) and not sample.name.endswith(("_bucket", "_created"))
    }


class Scene:
    """One client of one account that may follow cv:1, on a node; what the figures were."""

    def __init__(self, node: SmallNode) -> None:
        self.node = node
        self.actor: Actor = node.sessions.sign_in()
        node.engine.allow(self.actor, "cv:1")
        self.figures = Figures(node.hub.node.metrics, node.hub.gauges)
        self.client: SmallClient
        self._before: dict[str, float] = {}
        self._moved: dict[str, float] | None = None

    async def begin(
        self, query: str = "subscription", *, count: int = 0, is_written: int = 1
    ) -> None:
        """Sign in, follow so many times over; the stream has been written to."""
        for _ in range(is_written):
            self.node.log.append("cv:1")
        self.client = await self.node.client().init()
        for number in range(count):
            await self.client.subscribe(f"s{number}", "cv:1", query=query)
        self.look()

    @property
    def epoch(self) -> str:
        """The stream's."""
        return self.node.log.streams["cv:1"][0]

    def look(self) -> None:
        """From here on figures move by what happens."""
        self._before = samples(self.figures)

    def stop(self) -> None:
        """What happens from here on is no longer looked at."""
        self._moved = self.moved()

    def moved(self) -> dict[str, float]:
        """The figures that have moved, and by how much."""
        if self._moved is not None:
            return self._moved
        now = samples(self.figures)
        return {
            name: now.get(name, 0) - self._before.get(name, 0)
            for name in now.keys() | self._before.keys()
            if now.get(name, 0) != self._before.get(name, 0)
        }


Cause = Callable[[Scene], Awaitable[None]]
CAUSES: dict[str, tuple[Cause, Moves]] = {}


def moves(**figures: Any) -> Callable[[Cause], Cause]:
    """What the cause moves, by how much; ``live_resumes_total__log`` is that label's."""

    def keep(cause: Cause) -> Cause:
        named = {}
        for name, by in figures.items():
            figure, _, label = name.partition("__")
            named[f"{figure}[{label}]" if label else figure] = by
        CAUSES[cause.__name__] = cause, named
        return cause

    return keep
