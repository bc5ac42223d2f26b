"""Who is addressed (发送范围): one condition on unions, for the preview and for publishing.

A file of its own because a read and a write need exactly the same answer.
"""

from __future__ import annotations

from uuid import UUID

from domain.kernel.actor import Actor, Hierarchy, Place, path_end
from domain.kernel.capabilities import Capability
from domain.kernel.database import fetch
from domain.kernel.errors import NotFound
from domain.kernel.pages import Key, Listing, Selection, Where
from domain.notices.rules import Audience, ensure_clear, in_office

ADDRESSED = Listing(
    table="org_union u LEFT JOIN org_employer e ON e.id = u.employer_id",
    columns={"id": "u.id", "name": "u.name", "territory_path": "u.territory_path"},
    # By path, so that a zone's unions stand together.
    key=(Key("u.territory_path", "territory_path", str), Key("u.id", "id", UUID)),
)


async def select_addressed(actor: Actor, publisher_id: UUID, audience: Audience) -> Selection:
    """The unions that the actor would address in this union's name, without that union itself.

    Raises AudienceUnclear, AudienceTooLarge; NotFound when the actor can't publish in its name, or
    when a place or a named union is absent or outside what it may reach from there.
    """
    publisher = in_office(actor, publisher_id)
    ensure_clear(audience)
    where = Where().and_("u.id <> {0} AND u.dissolved_on IS NULL", publisher_id)
    # Redundant after the checks below; it keeps a mistake in them from addressing a stranger.
    where = where.in_scope(
        publisher.scope(Capability.NOTICE_PUBLISH),
        territory="u.territory_path",
        line="u.line_path",
    )
    where = await _placed(publisher, audience, where)
    if audience.ownership is not None:
        where = where.and_("e.ownership = {0}", audience.ownership)
    if audience.investor_country is not None:
        where = where.and_("e.investor_country = {0}", audience.investor_country)
    return Selection(ADDRESSED, where)


async def _placed(publisher: Actor, audience: Audience, where: Where) -> Where:
    if audience.zone_id is not None:
        return await _below(publisher, audience.zone_id, Hierarchy.TERRITORY, where)
    if audience.line_id is not None:
        return await _below(publisher, audience.line_id, Hierarchy.LINE, where)
    named = frozenset(audience.union_ids)
    places = await _places(named)
    if len(places) < len(named):
        raise NotFound
    for place in places:
        publisher.ensure_may(Capability.NOTICE_PUBLISH, at=place)
    return where.and_("u.id = ANY({0}::uuid[])", list(named))


async def _below(publisher: Actor, union_id: UUID, hierarchy: Hierarchy, where: Where) -> Where:
    for place in await _places(frozenset({union_id})):
        publisher.ensure_may(Capability.NOTICE_PUBLISH, at=place)
        is_territory = hierarchy is Hierarchy.TERRITORY
        path = place.territory_path if is_territory else place.line_path
        if path is None:
            break
        column = "u.territory_path" if is_territory else "u.line_path"
        return where.and_(f"{column} >= {{0}} AND {column} < {{1}}", path, path_end(path))
    raise NotFound


async def _places(union_ids: frozenset[UUID]) -> list[Place]:
    rows = await fetch(
        "SELECT territory_path, line_path FROM org_union WHERE id = ANY($1::uuid[])",
        list(union_ids),
    )
    return [Place(row["territory_path"], row["line_path"]) for row in rows]
