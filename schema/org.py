"""The organisation (组织) in GraphQL: unions in their matrix, employers, departments, seats."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import strawberry

from domain.kernel.actor import Place
from domain.kernel.capabilities import Capability
from domain.kernel.pages import Selection
from domain.org import service as org
from domain.org.models import LegalPersonStatus, Level, Ownership, Post, UnionKind
from schema.context import Context, Info
from schema.declare import (
    Row,
    choice,
    column,
    node,
    of_row,
    row_type,
    to_one,
    verb,
)
from schema.nodes import Node, row_id
from schema.paging import Connection, connected

choice(
    Level,
    "Where a union stands (层级).",
    federation="The city federation (市总工会), root of both hierarchies.",
    zone="A town's or zone's federation (镇区总工会).",
    line="An industry's federation (产业·条线工会).",
    grassroots="A grassroots union (基层工会).",
)
choice(
    UnionKind,
    "The form a union takes (组织形式).",
    single="Of one employer (单独基层工会).",
    joint="Of several employers together (联合基层工会).",
    association="Of a village, zone or trade (工会联合会).",
    work_committee="Sent by the upper union (工会工作委员会).",
    organiser="One elected person, below 25 members (组织员).",
)
choice(
    LegalPersonStatus,
    "Whether a union is a legal person (工会法人资格).",
    none="No legal person (未登记).",
    applied="Applied for (申请中).",
    registered="Registered (已登记).",
    cancelled="Cancelled (已注销).",
)
choice(
    Ownership,
    "Who owns an employer (所有制).",
    state="State-owned (国有).",
    collective="Collective (集体).",
    private="Private (民营).",
    foreign="Foreign-funded (外商投资).",
    hong_kong_macau_taiwan="Funded from Hong Kong, Macau or Taiwan (港澳台投资).",
    public_institution="A public institution (机关事业单位).",
    other="Something else (其他).",
)
choice(
    Post,
    "What a seat is for (职务).",
    chair="Chair (主席).",
    vice_chair="Vice chair (副主席).",
    cadre="Cadre (干部).",
    assistant="Union assistant (协理员).",
    committee_member="Committee member (委员).",
)


def select_children(context: Context, row: Row | None) -> Selection:
    """The unions directly below."""
    assert row is not None
    return org.select_children(context.actor, row["id"])


def select_seats(context: Context, row: Row | None) -> Selection:
    """The seats of a union."""
    assert row is not None
    place = Place(row["territory_path"], row["line_path"])
    return org.select_seats(context.actor, place, row["id"])


@row_type(needs=Capability.ORG_READ, description="A post held in a union for a time (任职).")
class Seat:
    """One seat."""

    post: Post = column("post", "What it is for (职务).", as_=Post)
    from_on: date = column("from_on", "The first day (起).")
    to_on: date | None = column(
        "to_on", "The first day on which it is no longer held (止); null: until further notice."
    )


@node(
    org.unions_by_id,
    needs=Capability.SELF,
    description="A union (工会): a node of the matrix of territory and line.",
)
class Union(Node):
    """The directory's part of a union."""

    name: str = column("name", "Its name (名称).")
    level: Level = column("level", "Where it stands (层级).", as_=Level)
    kind: UnionKind = column("kind", "Its form (组织形式).", as_=UnionKind)
    territory_parent: Union | None = to_one(
        "territory_parent_id", lambda: Union, "The union above in the territory (上级·地区)."
    )
    line_parent: Union | None = to_one(
        "line_parent_id", lambda: Union, "The union above in its line (上级·条线), if any."
    )
    dissolved_on: date | None = column("dissolved_on", "The day it ended (撤销日期), if it has.")
    record: UnionRecord | None = to_one(
        "id",
        lambda: UnionRecord,
        "The whole record (档案); null outside one's scope.",
        needs=Capability.ORG_READ,
    )
    children: Connection[Union] = connected(
        select_children, lambda: Union, "Unions directly below, in either hierarchy (下级工会)."
    )
    seats: Connection[Seat] | None = connected(
        select_seats,
        lambda: Seat,
        "Who holds a post (任职), held and past; `not_found` outside one's scope.",
        needs=Capability.ORG_READ,
    )


@node(
    org.employers_by_id,
    needs=Capability.ORG_READ,
    description="An employer (用人单位), inside one's scope.",
)
class Employer(Node):
    """An employer with its counts."""

    name: str = column("name", "Its name (名称).")
    uscc: str = column("uscc", "Unified social credit code (统一社会信用代码).")
    ownership: Ownership = column("ownership", "Who owns it (所有制).", as_=Ownership)
    investor_country: str | None = column(
        "investor_country", "The investor's country (投资国), ISO 3166-1 alpha-2."
    )
    zone: Union = to_one("zone_id", lambda: Union, "The zone it lies in (所属镇区).")
    head_count: int = column("head_count", "Employees in labour relation (职工人数).")
    contracts_signed: int = column(
        "contracts_signed", "Employees with a valid written contract (劳动合同签订人数)."
    )
    counted_on: date = column("counted_on", "The day the two counts hold for (统计日期).")


@node(
    org.union_records_by_id,
    needs=Capability.ORG_READ,
    description="What the directory does not show of a union (工会档案), inside one's scope.",
)
class UnionRecord(Node):
    """The rest of a union."""

    employer: Employer | None = to_one(
        "employer_id", lambda: Employer, "Its employer (用人单位), if it has one."
    )
    legal_person: LegalPersonStatus = column(
        "legal_person", "Whether it is a legal person (法人资格).", as_=LegalPersonStatus
    )
    uscc: str | None = column("uscc", "Its unified social credit code (统一社会信用代码).")
    founded_on: date | None = column("founded_on", "The day of its founding (建会日期).")
    term_from_on: date | None = column("term_from_on", "First day of the running term (届).")
    term_to_on: date | None = column(
        "term_to_on", "Last day of the running term: the election (换届选举) is due by it."
    )
    reported_members: int | None = column(
        "reported_members", "Members as reported (上报会员数), the base of coverage (采集率)."
    )


@node(
    org.departments_by_id,
    needs=Capability.SELF,
    description="A department of the city federation (市总业务部门): owns functions, is no node.",
)
class Department(Node):
    """A department."""

    name: str = column("name", "Its name (名称).")
    functions: str = column("functions", "What it answers for (职能).")


def select_unions(
    context: Context,
    row: Row | None,
    *,
    level: Annotated[
        Level | None, strawberry.argument(description="Only this level (层级).")
    ] = None,
    kind: Annotated[
        UnionKind | None, strawberry.argument(description="Only this form (组织形式).")
    ] = None,
    within: Annotated[
        strawberry.ID | None,
        strawberry.argument(description="At or below this union in the territory (地区)."),
    ] = None,
    within_line: Annotated[
        strawberry.ID | None,
        strawberry.argument(description="At or below this union in the lines (条线)."),
    ] = None,
    ownership: Annotated[
        Ownership | None,
        strawberry.argument(description="Of its employer (所有制); in one's scope only."),
    ] = None,
    investor_country: Annotated[
        str | None,
        strawberry.argument(description="Of its employer (投资国), e.g. DE; in one's scope only."),
    ] = None,
) -> Selection:
    """Unions of the directory."""
    return org.select_unions(
        context.actor,
        org.UnionFilter(
            level=level,
            kind=kind,
            within_territory=None if within is None else row_id(within, Union),
            within_line=None if within_line is None else row_id(within_line, Union),
            ownership=ownership,
            investor_country=investor_country,
        ),
    )


def select_employers(context: Context, row: Row | None) -> Selection:
    """Employers in scope."""
    return org.select_employers(context.actor)


@strawberry.type
class OrgQuery:
    """What can be read of the organisation."""

    unions: Connection[Union] | None = connected(
        select_unions,
        lambda: Union,
        "The directory of unions (工会名录), in the order of the tree.",
        needs=Capability.SELF,
    )
    employers: Connection[Employer] | None = connected(
        select_employers,
        lambda: Employer,
        "Employers (用人单位) in one's scope.",
        needs=Capability.ORG_READ,
    )

    @verb(Capability.SELF, "One union of the directory (工会); `not_found` if there is none.")
    async def union(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The union's global id.")],
    ) -> Union | None:
        return of_row(Union, await org.get_union(info.context.actor, row_id(id, Union)))

    @verb(Capability.SELF, "The federation's departments (业务部门), a dozen at most.")
    async def departments(self, info: Info) -> list[Department]:
        rows = await org.list_departments(info.context.actor)
        return [of_row(Department, row) for row in rows]
