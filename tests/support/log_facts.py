"""Facts of one conversation that are no business's: for tests of the log itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from domain.kernel.streams import Fact


@dataclass(frozen=True, slots=True)
class Said(Fact):
    kind: ClassVar[str] = "test.said"
    text: str

    def streams(self) -> tuple[str, ...]:
        return ("cv:1",)


@dataclass(frozen=True, slots=True)
class Removed(Fact):
    kind: ClassVar[str] = "test.removed"
    is_authority: ClassVar[bool] = True

    def streams(self) -> tuple[str, ...]:
        return ("cv:1",)
