"""Members (会员) in GraphQL: masked, inside one's scope; there is no way yet to see more."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import strawberry

from domain.kernel.capabilities import Capability
from domain.kernel.pages import Selection
from domain.members import service as members
from domain.members.models import IdType, MembershipState
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
from schema.org import Union
from schema.paging import Connection, connected

choice(
    IdType,
    "Which paper an identity number stands on (证件类型).",
    resident="Resident's identity card (居民身份证).",
    hmt_permit="Residence permit for Hong Kong, Macau and Taiwan residents (港澳台居民居住证).",
    foreign_permanent="Foreigner's permanent residence card (外国人永久居留身份证).",
    passport="Passport (护照).",
)
choice(
    MembershipState,
    "Where a membership stands (会籍状态).",
    active="Active (在册).",
    retained="Retained: retired, unemployed, or the employer has ended (保留会籍).",
    withdrawn="Withdrawn by the member (退会).",
    removed="Removed (除名).",
    deceased="Deceased (去世).",
)


@row_type(needs=Capability.SELF, description="A membership in one union for a time (会籍).")
class Membership:
    """One dated membership."""

    union: Union = to_one("union_id", lambda: Union, "The union (工会).")
    state: MembershipState = column("state", "Where it stands (会籍状态).", as_=MembershipState)
    from_on: date = column("from_on", "The first day (起).")
    to_on: date | None = column("to_on", "The first day after it (止); null: it lasts.")


@node(
    members.identities_by_id,
    needs=Capability.SELF,
    description="How a member is known (身份信息), always masked (脱敏).",
)
class MemberIdentity(Node):
    """Masked identifiers; opened only when asked for."""

    id_number: str = column("id_number", "Like `320585********1234` (证件号码).")
    phone: str | None = column("phone", "Like `138****8000` (手机).")


def select_memberships(context: Context, row: Row | None) -> Selection:
    """A member's memberships."""
    assert row is not None
    return members.select_memberships(context.actor, row["id"])


@node(
    members.members_by_id,
    needs=Capability.SELF,
    description="A member (会员): in one's scope, or oneself. Personal data are masked (脱敏).",
)
class Member(Node):
    """One member."""

    name: str = column("name_mask", "Masked like `王**` (姓名).")
    state: MembershipState = column(
        "state", "Where the membership stands (会籍状态).", as_=MembershipState
    )
    union: Union = to_one("union_id", lambda: Union, "The union (所在工会).")
    id_type: IdType = column("id_type", "Which paper the number stands on (证件类型).", as_=IdType)
    identity: MemberIdentity | None = to_one(
        "id", lambda: MemberIdentity, "Number and phone, masked; null once they are erased."
    )
    is_migrant: bool = column("is_migrant", "A migrant worker (农民工).")
    collected_at: datetime = column("collected_at", "When the data were entered (采集时间).")
    memberships: Connection[Membership] = connected(
        select_memberships, lambda: Membership, "The memberships (会籍), oldest first."
    )


def select_members(
    context: Context,
    row: Row | None,
    *,
    union: Annotated[
        strawberry.ID | None, strawberry.argument(description="Of this union itself (所在工会).")
    ] = None,
    within: Annotated[
        strawberry.ID | None,
        strawberry.argument(description="At or below this union in the territory (地区)."),
    ] = None,
    within_line: Annotated[
        strawberry.ID | None,
        strawberry.argument(description="At or below this union in the lines (条线)."),
    ] = None,
    state: Annotated[
        MembershipState | None, strawberry.argument(description="Only this state (会籍状态).")
    ] = None,
) -> Selection:
    """Members in scope."""
    return members.select_members(
        context.actor,
        members.MemberFilter(
            union_id=None if union is None else row_id(union, Union),
            within_territory=None if within is None else row_id(within, Union),
            within_line=None if within_line is None else row_id(within_line, Union),
            state=state,
        ),
    )


@strawberry.type
class MembersQuery:
    """What can be read of members."""

    members: Connection[Member] | None = connected(
        select_members,
        lambda: Member,
        "Members (会员) in one's scope, by union; `totalCount` counts them all.",
        needs=Capability.MEMBER_READ,
    )

    @verb(Capability.SELF, "One member (会员); `not_found` outside one's scope.")
    async def member(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The member's global id.")],
    ) -> Member | None:
        return of_row(Member, await members.get_member(info.context.actor, row_id(id, Member)))
