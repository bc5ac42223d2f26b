"""Who is addressed (发送范围): one condition on unions, for the preview and for publishing.

A file of its own because a read and a write need exactly the same answer.
"""

from __future__ import annotations

from uuid import UUID

from domain.kernel.actor import Actor, Place, path_end
from domain.kernel.capabilities import Capability
from domain.kernel.errors import NotFound
from domain.kernel.pages import Key, Listing, Selection, Where
from domain.notices.rules import Audience, ensure_clear, in_office
from domain.org.queries import places_of
from domain.org.rules import clean_country

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
    country = clean_country(audience.investor_country, "investorCountry")
    if country is not None:
        where = where.and_("e.investor_country = {0}", country)
    return Selection(ADDRESSED, where)


async def _placed(publisher: Actor, audience: Audience, where: Where) -> Where:
    if audience.zone_id is not None:
        place = await _own_place(publisher, audience.zone_id)
        return _below(where, "u.territory_path", place.territory_path)
    if audience.line_id is not None:
        place = await _own_place(publisher, audience.line_id)
        if place.line_path is None:
            raise NotFound
        return _below(where, "u.line_path", place.line_path)
    named = frozenset(audience.union_ids)
    places = await places_of(list(named))
    for union_id in named:
        _ensure_reached(publisher, places.get(union_id))
    return where.and_("u.id = ANY({0}::uuid[])", list(named))


async def _own_place(publisher: Actor, union_id: UUID) -> Place:
    return _ensure_reached(publisher, (await places_of([union_id])).get(union_id))


def _ensure_reached(publisher: Actor, place: Place | None) -> Place:
    """The place, if there is one and the publisher reaches it. Raises NotFound for both."""
    if place is None:
        raise NotFound
    publisher.ensure_may(Capability.NOTICE_PUBLISH, at=place)
    return place


def _below(where: Where, column: str, path: str) -> Where:
    return where.and_(f"{column} >= {{0}} AND {column} < {{1}}", path, path_end(path))
