"""Reads of the organisation. Columns of each answer are named in one tuple."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.kernel.actor import Actor, Place
from domain.kernel.capabilities import Capability
from domain.kernel.database import Record, fetch
from domain.kernel.errors import NotFound, Unauthenticated
from domain.kernel.pages import ById, Key, Listing, Page, PageRequest, Selection, Where
from domain.org.models import Level, Ownership, UnionKind

UNION_COLUMNS = (
    "id",
    "name",
    "level",
    "kind",
    "territory_parent_id",
    "line_parent_id",
    "territory_path",
    "line_path",
    "dissolved_on",
)
"""The directory: every signed-in account may read it."""
UNION_RECORD_COLUMNS = (
    *UNION_COLUMNS,
    "employer_id",
    "legal_person",
    "uscc",
    "founded_on",
    "term_from_on",
    "term_to_on",
    "reported_members",
)
"""The whole record: inside the scope of ``org.read`` only."""
EMPLOYER_COLUMNS = (
    "id",
    "name",
    "uscc",
    "ownership",
    "investor_country",
    "zone_id",
    "head_count",
    "contracts_signed",
    "counted_on",
)
DEPARTMENT_COLUMNS = ("id", "name", "functions", "rank")
SEAT_COLUMNS = ("id", "union_id", "account_id", "post", "from_on", "to_on")


def _columns(names: Sequence[str], alias: str) -> str:
    return ", ".join(f"{alias}.{name}" for name in names)


def _listing(table: str, names: Sequence[str], alias: str, *key: Key) -> Listing:
    return Listing(table, {name: f"{alias}.{name}" for name in names}, key)


# A union's territorial path is unique and sorts as the tree reads, so it is the whole key.
_TREE_ORDER = Key("u.territory_path", "territory_path", str)
UNIONS = _listing("org_union u", UNION_COLUMNS, "u", _TREE_ORDER)
UNIONS_WITH_EMPLOYER = _listing(
    "org_union u JOIN org_employer e ON e.id = u.employer_id", UNION_COLUMNS, "u", _TREE_ORDER
)
EMPLOYERS = _listing("org_employer e", EMPLOYER_COLUMNS, "e", Key("e.id", "id", UUID))
UNION_RECORDS = _listing("org_union u", UNION_RECORD_COLUMNS, "u", _TREE_ORDER)
DEPARTMENTS = _listing("org_department d", DEPARTMENT_COLUMNS, "d", Key("d.id", "id", UUID))
SEATS = _listing("org_seat s", SEAT_COLUMNS, "s", Key("s.id", "id", UUID))

_EMPLOYER_IN_SCOPE = (
    "EXISTS (SELECT 1 FROM org_union u WHERE (u.id = e.zone_id OR u.employer_id = e.id) AND {})"
)


@dataclass(frozen=True, slots=True)
class UnionFilter:
    """Which unions; every condition given must hold."""

    level: Level | None = None
    kind: UnionKind | None = None
    within_territory: UUID | None = None
    """At or below this union in the territory."""
    within_line: UUID | None = None
    """At or below this union in the lines."""
    territory_parent: UUID | None = None
    line_parent: UUID | None = None
    ownership: Ownership | None = None
    """Of its employer; only inside the scope of ``org.read``."""
    investor_country: str | None = None
    """Of its employer; only inside the scope of ``org.read``."""


ANY_UNION = UnionFilter()


def ensure_signed_in(actor: Actor) -> None:
    """Pass for an account and for the program itself. Raises Unauthenticated."""
    if actor.is_nobody:
        raise Unauthenticated


def select_unions(actor: Actor, filter: UnionFilter = ANY_UNION) -> Selection:
    """Unions of the directory in the order of the tree; dissolved ones are left out.

    Raises Unauthenticated; Forbidden when an employer's facts are asked for without ``org.read``.
    """
    ensure_signed_in(actor)
    where = Where().and_("u.dissolved_on IS NULL")
    for column, value in (
        ("level", filter.level),
        ("kind", filter.kind),
        ("territory_parent_id", filter.territory_parent),
        ("line_parent_id", filter.line_parent),
    ):
        if value is not None:
            where = where.and_(f"u.{column} = {{0}}", value)
    for column, union_id in (
        ("territory_path", filter.within_territory),
        ("line_path", filter.within_line),
    ):
        if union_id is not None:
            where = _within(where, column, union_id)
    if filter.ownership is None and filter.investor_country is None:
        return Selection(UNIONS, where)
    actor.ensure_has(Capability.ORG_READ)
    scope = actor.scope(Capability.ORG_READ)
    where = where.in_scope(scope, territory="u.territory_path", line="u.line_path")
    for column, text in (
        ("ownership", filter.ownership),
        ("investor_country", filter.investor_country),
    ):
        if text is not None:
            where = where.and_(f"e.{column} = {{0}}", text)
    return Selection(UNIONS_WITH_EMPLOYER, where)


async def list_unions(actor: Actor, filter: UnionFilter, request: PageRequest) -> Page:
    """One page of ``select_unions``."""
    return await select_unions(actor, filter).page(actor, request)


def select_children(actor: Actor, union_id: UUID) -> Selection:
    """The unions directly under this one, in either hierarchy. Raises Unauthenticated."""
    ensure_signed_in(actor)
    where = Where().and_("u.territory_parent_id = {0} OR u.line_parent_id = {0}", union_id)
    return Selection(UNIONS, where.and_("u.dissolved_on IS NULL"))


def select_employers(actor: Actor) -> Selection:
    """Employers in the scope of ``org.read``, by their zone or by a union of theirs."""
    actor.ensure_has(Capability.ORG_READ)
    return Selection(EMPLOYERS, _employers_in_scope(actor, Where()))


def select_seats(actor: Actor, place: Place, union_id: UUID) -> Selection:
    """The seats of a union, held and past; ``place`` is the union's. Raises NotFound."""
    actor.ensure_may(Capability.ORG_READ, place)
    return Selection(SEATS, Where().and_("s.union_id = {0}", union_id))


def _for_the_signed_in(actor: Actor, where: Where) -> Where:
    return where.and_("false") if actor.is_nobody else where


def _unions_in_scope(actor: Actor, where: Where) -> Where:
    scope = actor.scope(Capability.ORG_READ)
    return where.in_scope(scope, territory="u.territory_path", line="u.line_path")


def _employers_in_scope(actor: Actor, where: Where) -> Where:
    # The condition on the union is built apart, because its slots continue those of ``where``.
    inner = _unions_in_scope(actor, Where(args=where.args))
    return Where((*where.clauses, _EMPLOYER_IN_SCOPE.format(inner.sql)), inner.args)


unions_by_id = ById(UNIONS, _for_the_signed_in, is_protected=False)
"""Directory rows (UNION_COLUMNS) of these unions; none for nobody."""
union_records_by_id = ById(UNION_RECORDS, _unions_in_scope, is_protected=False)
"""Whole records (UNION_RECORD_COLUMNS) of those that lie in the scope of ``org.read``."""
employers_by_id = ById(EMPLOYERS, _employers_in_scope, is_protected=False)
"""Rows (EMPLOYER_COLUMNS) of those employers that lie in the scope of ``org.read``."""
departments_by_id = ById(DEPARTMENTS, _for_the_signed_in, is_protected=False)
"""Rows (DEPARTMENT_COLUMNS) of these departments; they are public to whoever is signed in."""


async def list_departments(actor: Actor) -> Sequence[Record]:
    """Every department (DEPARTMENT_COLUMNS) in its rank: a dozen rows. Raises Unauthenticated."""
    ensure_signed_in(actor)
    return await fetch(
        f"SELECT {_columns(DEPARTMENT_COLUMNS, 'd')} FROM org_department d ORDER BY d.rank, d.id"
    )


async def get_union(actor: Actor, union_id: UUID) -> Record:
    """The directory's row (UNION_COLUMNS). Raises Unauthenticated, NotFound."""
    ensure_signed_in(actor)
    found = (await unions_by_id(actor, [union_id])).get(union_id)
    if found is None:
        raise NotFound
    return found


async def get_union_record(actor: Actor, union_id: UUID) -> Record:
    """The whole record (UNION_RECORD_COLUMNS). Raises NotFound outside the scope."""
    found = (await union_records_by_id(actor, [union_id])).get(union_id)
    if found is None:
        raise NotFound
    return found


async def places_of(ids: Sequence[UUID]) -> Mapping[UUID, Place]:
    """Where these unions stand now. For authority itself, which knows no actor yet."""
    rows = await fetch(
        "SELECT id, territory_path, line_path FROM org_union WHERE id = ANY($1::uuid[])", list(ids)
    )
    return {row["id"]: Place(row["territory_path"], row["line_path"]) for row in rows}


async def get_place(union_id: UUID) -> Place:
    """Where the union stands now. Raises NotFound."""
    found = (await places_of([union_id])).get(union_id)
    if found is None:
        raise NotFound
    return found


def _within(where: Where, column: str, union_id: UUID) -> Where:
    top = f"(SELECT t.{column} FROM org_union t WHERE t.id = {{0}})"
    # The same range as ``path_end`` makes, of a path that only the database knows here.
    return where.and_(
        f"u.{column} >= {top} AND u.{column} < (left({top}, -1) || '0') COLLATE \"C\"", union_id
    )
