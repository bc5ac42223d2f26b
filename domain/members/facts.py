"""What happens to members, and where it is told."""

from __future__ import annotations

import dataclasses
from typing import ClassVar
from uuid import UUID

from domain.kernel.streams import Fact
from domain.org.facts import union_stream


@dataclasses.dataclass(frozen=True, slots=True)
class MemberRegistered(Fact):
    """A person has become a member of the union (入会)."""

    kind: ClassVar[str] = "members.registered"
    member_id: UUID
    union_id: UUID

    def streams(self) -> tuple[str, ...]:
        return (union_stream(self.union_id),)
