"""Who acts: an account, its grants in force at this moment, and the scope they reach (管辖范围)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from domain.kernel.capabilities import Capability
from domain.kernel.errors import Forbidden, NotFound, Unauthenticated


class Hierarchy(StrEnum):
    """The two hierarchies of the matrix."""

    TERRITORY = "territory"
    LINE = "line"


def path_end(path: str) -> str:
    """The exclusive upper bound of everything at or below ``path``.

    Segments end in ``/`` and the column collates "C", so the next character after ``/`` (``0``)
    closes the range: ``path >= lo AND path < hi`` stays an index range, which LIKE does not.
    """
    assert path[0] == path[-1] == "/", path
    return path[:-1] + "0"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a union stands in the matrix: its two paths (``None``: it is under no line)."""

    territory_path: str
    line_path: str | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """One grant in force: capabilities at ``path`` and everything below it in one hierarchy."""

    role: str
    capabilities: frozenset[Capability]
    hierarchy: Hierarchy
    path: str
    union_id: UUID

    def covers(self, place: Place) -> bool:
        """Whether the place lies at or below this grant's union in its hierarchy."""
        path = place.territory_path if self.hierarchy is Hierarchy.TERRITORY else place.line_path
        return path is not None and path.startswith(self.path)


@dataclass(frozen=True, slots=True)
class Scope:
    """The ranges that one capability reaches, as path prefixes of either hierarchy."""

    territory: tuple[str, ...] = ()
    line: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.territory or self.line)


@dataclass(frozen=True, slots=True)
class Actor:
    """An account with what it may do now. ``None`` as account: nobody is signed in."""

    account_id: UUID | None = None
    member_id: UUID | None = None
    session_id: UUID | None = None
    consultant_id: UUID | None = None
    """The own window (窗口), if this account is a consultant's."""
    offices: frozenset[UUID] = frozenset()
    """Unions in which this account holds a seat now (工会主席, 干部, 协理员)."""
    reaches: tuple[Reach, ...] = ()
    authority_version: int = 0
    is_system: bool = False
    """A job of the program itself. Services let it do only what they name."""

    @property
    def is_nobody(self) -> bool:
        return self.account_id is None and not self.is_system

    def account(self) -> UUID:
        """The account's id. Raises Unauthenticated for nobody."""
        if self.account_id is None:
            raise Unauthenticated
        return self.account_id

    def has(self, capability: Capability) -> bool:
        """Whether the capability is held anywhere at all (the coarse check of a field)."""
        if capability is Capability.PUBLIC:
            return True
        if capability is Capability.SELF:
            return self.account_id is not None
        return any(capability in reach.capabilities for reach in self.reaches)

    def may(self, capability: Capability, at: Place) -> bool:
        """Whether the capability is held at this place of the matrix."""
        return any(capability in reach.capabilities and reach.covers(at) for reach in self.reaches)

    def ensure_may(self, capability: Capability, at: Place) -> None:
        """Pass, or raise NotFound: a place outside the scope looks as if it were absent."""
        if not self.may(capability, at):
            raise NotFound

    def ensure_has(self, capability: Capability) -> None:
        """Pass, or raise Unauthenticated (nobody) or Forbidden (somebody without it)."""
        if not self.has(capability):
            raise Unauthenticated if self.is_nobody else Forbidden

    def scope(self, capability: Capability) -> Scope:
        """Every range the capability reaches, without those inside another."""
        held = [reach for reach in self.reaches if capability in reach.capabilities]
        return Scope(
            territory=_outermost(r.path for r in held if r.hierarchy is Hierarchy.TERRITORY),
            line=_outermost(r.path for r in held if r.hierarchy is Hierarchy.LINE),
        )


NOBODY = Actor()
SYSTEM = Actor(is_system=True)


def _outermost(paths: Iterable[str]) -> tuple[str, ...]:
    kept: list[str] = []
    for path in sorted(set(paths)):
        if not kept or not path.startswith(kept[-1]):
            kept.append(path)
    return tuple(kept)
