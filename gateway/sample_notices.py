"""A few notices of the sample federation, so that a newcomer's inbox is not empty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from domain.access.service import ROLES, Role
from domain.kernel.actor import Actor, Hierarchy, Reach
from domain.kernel.work import Works
from domain.notices.rules import Audience, Terms, Words
from domain.notices.service import publish
from domain.org.service import get_place
from gateway import sample
from gateway.sample_people import staff

REPLY_WITHIN = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class SampleNotice:
    """What the first cadre with this role publishes to everything below the own union."""

    role: Role
    title: str
    body: str
    wants_confirmation: bool


NOTICES: Sequence[SampleNotice] = (
    SampleNotice(
        Role.ZONE_CADRE,
        "关于做好工会换届选举工作的通知(示例)",
        "各基层工会:\n\n请任期将满的工会**提前两个月**准备换届选举:\n\n"
        "1. 召开委员会会议,成立筹备小组;\n2. 向上级工会报送换届请示;\n"
        "3. 收到后请点击“确认”。\n",
        wants_confirmation=True,
    ),
    SampleNotice(
        Role.LINE_CADRE,
        "关于举办职工读书活动的通知(示例)",
        "欢迎各工会组织职工参加读书活动,书目见**移动图书馆**。\n",
        wants_confirmation=False,
    ),
)


async def publish_samples(works: Works) -> None:
    """The notices are published; again: nothing changes."""
    for number, notice in enumerate(NOTICES):
        one = next(one for one in staff() if one.role is notice.role)
        place = await get_place(one.union_id)
        is_line = one.hierarchy is Hierarchy.LINE
        path = place.line_path if is_line else place.territory_path
        assert path is not None, one
        actor = Actor(
            account_id=sample.account_id(one.number),
            offices=frozenset({one.union_id}),
            reaches=(Reach(one.role, ROLES[one.role], one.hierarchy, path, one.union_id),),
        )
        audience = Audience(line_id=one.union_id) if is_line else Audience(zone_id=one.union_id)
        async with works.open(actor) as w:
            reply_by = w.now + REPLY_WITHIN if notice.wants_confirmation else None
            await publish(
                w,
                one.union_id,
                audience,
                Words(notice.title, notice.body),
                terms=Terms(reply_by=reply_by, wants_confirmation=notice.wants_confirmation),
                client_key=sample.sample_id(sample.NOTICE_KEY, number),
            )
