"""A small reference model of who may see what."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from domain.access.roles import ROLES, Role
from domain.kernel.actor import Hierarchy
from domain.kernel.capabilities import Capability


@dataclass
class Grant:
    """A role as the model remembers it."""

    account: UUID
    role: Role
    union: UUID
    hierarchy: Hierarchy
    valid_from: datetime
    valid_to: datetime | None


@dataclass
class Model:
    """Who may see what, by walking up from a member's union: no paths, no ranges, no SQL."""

    root: UUID
    territory: dict[UUID, UUID | None] = field(default_factory=dict)
    line: dict[UUID, UUID | None] = field(default_factory=dict)
    members: dict[UUID, UUID] = field(default_factory=dict)
    own: dict[UUID, UUID] = field(default_factory=dict)
    grants: dict[UUID, Grant] = field(default_factory=dict)
    seats: dict[UUID, tuple[UUID, UUID, date, date | None]] = field(default_factory=dict)

    def chain(self, union: UUID, hierarchy: Hierarchy) -> list[UUID]:
        """The union and all above it; nothing when it isn't in that hierarchy at all."""
        parents = self.territory if hierarchy is Hierarchy.TERRITORY else self.line
        chain = [union]
        while (parent := parents[chain[-1]]) is not None:
            assert parent not in chain, "a cycle"
            chain.append(parent)
        return chain if chain[-1] == self.root else []

    def reaches(self, account: UUID, needs: Capability, union: UUID, now: datetime) -> bool:
        return any(
            grant.account == account
            and needs in ROLES[grant.role]
            and grant.valid_from <= now
            and (grant.valid_to is None or now < grant.valid_to)
            and grant.union in self.chain(union, grant.hierarchy)
            for grant in self.grants.values()
        )

    def in_scope(self, account: UUID, now: datetime) -> set[UUID]:
        needs = Capability.MEMBER_READ
        return {m for m, union in self.members.items() if self.reaches(account, needs, union, now)}

    def offices(self, account: UUID, day: date) -> set[UUID]:
        return {
            union
            for holder, union, first, end in self.seats.values()
            if holder == account and first <= day and (end is None or day < end)
        }
