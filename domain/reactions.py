"""What follows from what (联动): the one table where features meet.

``REACTIONS`` run inside the transaction that recorded the fact: all or nothing. ``JOBS`` run later
in the worker, at least once, and are idempotent; ``SCHEDULE`` says which of them come by the clock.
A feature never imports another: whatever one must do because of another stands here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, time
from typing import Any, TypeAlias

from domain.access import service as access
from domain.access.roles import Role
from domain.kernel.actor import SYSTEM
from domain.kernel.clock import FEDERATION_ZONE
from domain.kernel.work import Reactions, Work, Works
from domain.org.facts import SeatEnded, UnionMoved
from domain.org.models import Post

JobHandler: TypeAlias = Callable[[Works, Mapping[str, Any]], Awaitable[None]]

ROLES_OF_POSTS: Mapping[Post, tuple[Role, ...]] = {
    Post.CHAIR: (Role.CHAIR,),
    Post.VICE_CHAIR: (Role.CHAIR,),
    Post.CADRE: (Role.ZONE_CADRE, Role.LINE_CADRE, Role.DEPARTMENT_CADRE),
    Post.ASSISTANT: (Role.UNION_ASSISTANT,),
    Post.COMMITTEE_MEMBER: (),
}
"""What comes with a post and goes with it (离任即失权)."""


async def end_what_came_with_the_seat(w: Work, fact: SeatEnded) -> None:
    """Who leaves a post loses its roles at that union on the same day, at once if it is today."""
    roles = ROLES_OF_POSTS[Post(fact.post)]
    if roles:
        begins = datetime.combine(fact.on, time(), FEDERATION_ZONE)
        await access.end_grants(
            w, fact.account_id, fact.union_id, roles=roles, at=max(begins, w.now)
        )


async def tell_whose_grants_moved(w: Work, fact: UnionMoved) -> None:
    """A moved union takes grants along, and leaves the reach of those above where it stood.

    Holders of seats have been told by the move itself.
    """
    unions = (*fact.moved, *fact.left)
    await access.tell_grants_moved(w, fact.union_id, at=unions, told=fact.holders)


async def purge_expired(works: Works, _payload: Mapping[str, Any]) -> None:
    """Sessions long ended are gone."""
    async with works.open(SYSTEM) as w:
        await access.purge_expired(w)


REACTIONS: Reactions = {
    SeatEnded.kind: (end_what_came_with_the_seat,),
    UnionMoved.kind: (tell_whose_grants_moved,),
}

JOBS: Mapping[str, JobHandler] = {
    "access.purge_expired": purge_expired,
}

SCHEDULE: Mapping[str, str] = {
    # name of a job → when it comes, as cron says it (UTC)
    "access.purge_expired": "17 19 * * *",
}
