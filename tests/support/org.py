"""A small federation made by the program's own verbs, and people with authority in it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from domain.access.roles import ROLES, Role
from domain.kernel.actor import SYSTEM, Actor, Hierarchy, Place, Reach
from domain.kernel.ids import new_id
from domain.kernel.work import Works
from domain.org.bulk import found_federation, found_unions
from domain.org.matrix import NewUnion
from domain.org.models import Level
from domain.org.service import get_place


@dataclass(frozen=True, slots=True)
class Town:
    """``east`` holds an association with a, b below it, and c; ``west`` holds d; a, d are metal."""

    city: UUID
    east: UUID
    west: UUID
    metal: UUID
    textile: UUID
    association: UUID
    a: UUID
    b: UUID
    c: UUID
    d: UUID


async def a_town(works: Works) -> Town:
    """The federation that most tests need."""
    async with works.open(SYSTEM) as w:
        city = await found_federation(w, "示例市总工会")

        def union(
            name: str, under: UUID, level: Level = Level.GRASSROOTS, line: UUID | None = None
        ) -> NewUnion:
            return NewUnion(name=name, level=level, territory_parent_id=under, line_parent_id=line)

        east = union("东镇总工会", city, Level.ZONE)
        west = union("西镇总工会", city, Level.ZONE)
        metal = union("机械工会", city, Level.LINE, city)
        textile = union("纺织工会", city, Level.LINE, city)
        association = union("东园工会联合会", east.id)
        a = union("甲厂工会", association.id, line=metal.id)
        b = union("乙厂工会", association.id)
        c = union("丙厂工会", east.id)
        d = union("丁厂工会", west.id, line=metal.id)
        made = [east, west, metal, textile, association, a, b, c, d]
        await found_unions(w, made)
    return Town(city, *(union.id for union in made))


async def somebody(
    role: Role, of: UUID, hierarchy: Hierarchy = Hierarchy.TERRITORY, *, member: UUID | None = None
) -> Actor:
    """An account with this role at the union, as the matrix stands now, its pledge signed."""
    return an_actor(role, of, await get_place(of), hierarchy, member=member)


def an_actor(
    role: Role,
    of: UUID,
    place: Place,
    hierarchy: Hierarchy = Hierarchy.TERRITORY,
    *,
    member: UUID | None = None,
) -> Actor:
    """An account with this role at a place."""
    path = place.territory_path if hierarchy is Hierarchy.TERRITORY else place.line_path
    assert path is not None, place
    reach = Reach(role, ROLES[role], hierarchy, path, of)
    return Actor(account_id=new_id(), member_id=member, reaches=(reach,))
