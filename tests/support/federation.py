"""A small federation in which everything there is was done once, by the program's own verbs."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from domain.access import pledges
from domain.access import service as access
from domain.access.models import AccountKind
from domain.access.roles import Role
from domain.consultations import handovers, marks
from domain.kernel.actor import Actor
from domain.kernel.work import Works
from domain.notices import receipts
from domain.notices.rules import Audience
from domain.org.models import Post, Seat
from domain.org.rules import federation_day
from tests.support.access import APP, a_grant, an_account, signed_in, the_actor
from tests.support.asking import Asker
from tests.support.consultations import a_consultant, a_person, requested, running, say
from tests.support.matrix import Spot, a_matrix
from tests.support.members import a_person as a_new_member
from tests.support.members import register
from tests.support.notices import publish


async def a_busy_federation(works: Works) -> Sequence[Asker]:
    """A cadre, a chair, a counsellor and a member, each with what is theirs."""
    m = await a_matrix()
    cadre, cadre_token = await _official(works, m.east, Role.ZONE_CADRE)
    chair, chair_token = await _official(works, m.a, Role.CHAIR)
    registered = await register(works, cadre, a_new_member(m.a.id))
    counsellor, member = await _a_talk(works, registered)
    notice = await publish(works, cadre, m.east, Audience(zone_id=m.east.id))
    async with works.open(chair) as w:
        await receipts.receive(w, [notice])
        await receipts.mark_read(w, notice, version_no=1)
    office = {"Union": m.a.id, "Notice": notice, "Member": registered}
    return (
        Asker(cadre, cadre_token, office | {"Union": m.east.id}),
        Asker(chair, chair_token, office),
        counsellor,
        member,
    )


async def _official(works: Works, at: Spot, role: Role) -> tuple[Actor, str]:
    account = await an_account(works, kind=AccountKind.STAFF)
    today = federation_day(works.clock.now())
    await Seat.create(union_id=at.id, account_id=account.id, post=Post.CHAIR, from_on=today)
    await a_grant(works, account.id, role, at)
    session = await signed_in(works, account, client=APP)
    async with works.open(await the_actor(works, session)) as w:
        await access.sign_pledge(w, pledges.VERSION)
    return await the_actor(works, session), session.token.text


async def _a_talk(works: Works, registered: UUID) -> tuple[Asker, Asker]:
    """A counsellor and a member who talk, with one wish to hand over and one case that waits."""
    counsellor, colleague = [await a_consultant(works, name=name) for name in ("周老师", "吴老师")]
    assert colleague.consultant_id is not None
    assert counsellor.consultant_id is not None
    account = await an_account(works, member_id=registered)
    session = await signed_in(works, account, client=APP)
    member = await the_actor(works, session)
    case, conversation = await running(works, member, counsellor)
    await say(works, member, conversation, "在吗")
    await say(works, counsellor, conversation, "在")
    await requested(works, a_person())
    async with works.open(counsellor) as w:
        wish = await handovers.request_handover(w, case, colleague.consultant_id)
    async with works.open(member) as w:
        await marks.mark_read(w, conversation, 2)
    own = {
        "Case": case,
        "Conversation": conversation,
        "Handover": wish["id"],
        "Consultant": counsellor.consultant_id,
    }
    return (
        Asker(counsellor, None, own),
        Asker(member, session.token.text, own | {"Session": session.session_id}),
    )
