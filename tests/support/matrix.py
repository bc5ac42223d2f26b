"""A small matrix of territory and line, written straight into the tables; people in it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from domain.kernel.actor import Actor, Hierarchy, Place, Reach
from domain.kernel.capabilities import Capability
from domain.kernel.ids import new_id
from domain.org.models import Employer, Level, Ownership, Union, UnionKind

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Spot:
    """A union and where it stands."""

    id: UUID
    place: Place


async def a_union(
    under: Spot | None = None,
    *,
    level: Level = Level.GRASSROOTS,
    line: Spot | None = None,
    employer: UUID | None = None,
) -> Spot:
    """A union below another one, and perhaps below a line federation too."""
    number = next(_numbers)
    territory_path = f"{under.place.territory_path if under else '/'}{number}/"
    line_path = f"{line.place.line_path}{number}/" if line else None
    if level in (Level.FEDERATION, Level.LINE) and line is None:
        line_path = territory_path
    made = await Union.create(
        seq=number,
        name=f"工会{number}",
        level=level,
        kind=UnionKind.SINGLE,
        territory_parent_id=under.id if under else None,
        line_parent_id=line.id if line else None,
        territory_path=territory_path,
        line_path=line_path,
        employer_id=employer,
    )
    return Spot(made.id, Place(territory_path, line_path))


async def an_employer(
    zone: Spot, *, ownership: Ownership = Ownership.PRIVATE, country: str | None = None
) -> UUID:
    """An employer in a zone."""
    made = await Employer.create(
        name=f"企业{next(_numbers)}",
        uscc=f"{next(_numbers):018d}",
        ownership=ownership,
        investor_country=country,
        zone_id=zone.id,
        head_count=10,
        contracts_signed=9,
        counted_on=date(2026, 11, 1),
    )
    return made.id


@dataclass(frozen=True, slots=True)
class Matrix:
    """A city with two zones and two lines: ``east`` holds a, b, c and ``west`` holds d."""

    city: Spot
    east: Spot
    west: Spot
    metal: Spot
    textile: Spot
    a: Spot
    """In the east, in the metal line, of a German-funded employer."""
    b: Spot
    """In the east, in the metal line, of a private employer."""
    c: Spot
    """In the east, under no line."""
    d: Spot
    """In the west, in the metal line."""


async def a_matrix() -> Matrix:
    """The matrix that most tests need."""
    city = await a_union(level=Level.FEDERATION)
    east, west = [await a_union(city, level=Level.ZONE) for _ in range(2)]
    metal, textile = [await a_union(city, level=Level.LINE, line=city) for _ in range(2)]
    german = await an_employer(east, ownership=Ownership.FOREIGN, country="DE")
    private = await an_employer(east)
    return Matrix(
        city=city,
        east=east,
        west=west,
        metal=metal,
        textile=textile,
        a=await a_union(east, line=metal, employer=german),
        b=await a_union(east, line=metal, employer=private),
        c=await a_union(east),
        d=await a_union(west, line=metal),
    )


def a_cadre(
    of: Spot, hierarchy: Hierarchy = Hierarchy.TERRITORY, *, account_id: UUID | None = None
) -> Actor:
    """Somebody who may publish in the name of a union, and holds a seat in it."""
    path = of.place.territory_path if hierarchy is Hierarchy.TERRITORY else of.place.line_path
    assert path is not None, of
    held = frozenset({Capability.NOTICE_PUBLISH, Capability.NOTICE_RECEIVE})
    return Actor(
        account_id=account_id or new_id(),
        offices=frozenset({of.id}),
        reaches=(Reach("cadre", held, hierarchy, path, of.id),),
    )


def an_officer(*unions: Spot, account_id: UUID | None = None) -> Actor:
    """Somebody who holds a seat in each of these unions now, and may receive for them."""
    held = frozenset({Capability.NOTICE_RECEIVE})
    return Actor(
        account_id=account_id or new_id(),
        offices=frozenset(union.id for union in unions),
        reaches=tuple(
            Reach("officer", held, Hierarchy.TERRITORY, union.place.territory_path, union.id)
            for union in unions
        ),
    )
