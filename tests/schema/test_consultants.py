"""The directory: who is there now, live, without a word of anybody's cases."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from domain.consultations import windows
from domain.consultations.facts import pool_stream
from domain.consultations.models import Service, WindowState
from domain.kernel.actor import NOBODY
from domain.kernel.errors import Unauthenticated
from domain.kernel.streams import LoggedEvent, read_events, stream_states
from domain.kernel.work import Works
from realtime.presence import PRESENCE_CHANGED
from schema import consultation_events
from schema.consultants import ConsultantsQuery, ConsultantsSubscription
from schema.consultations import ConsultationsSubscription
from schema.live import LiveOperation
from schema.nodes import global_id
from schema.root import NodeQuery, build_from
from tests.support.clock import THEN
from tests.support.consultations import a_consultant, a_person, accepted, requested
from tests.support.schema import Asking

pytestmark = pytest.mark.usefixtures("test_keyring")

SCHEMA = build_from(
    [NodeQuery, ConsultantsQuery], [], [ConsultantsSubscription, ConsultationsSubscription]
)
DIRECTORY = """{ consultants(service: COUNSELLING) { edges { node { id state isPresent } } } }"""
EVENTS = """subscription { consultantEvents(service: COUNSELLING) { __typename
  ... on WindowStateChanged { cursor at consultantId state }
  ... on ConsultantsPresenceChanged { joinedIds leftIds } } }"""
POOL = pool_stream(Service.COUNSELLING)


class SomePresent:
    """A Presence with these accounts in one scope; counts the questions."""

    def __init__(self, scope: str, *accounts: object) -> None:
        self.scope, self.accounts, self.asked = scope, frozenset(map(str, accounts)), 0

    async def present(self, scope: str) -> frozenset[str]:
        self.asked += 1
        return self.accounts if scope == self.scope else frozenset()


@pytest.fixture
def ask(works: Works) -> Asking:
    return Asking(SCHEMA, works)


async def told(live: LiveOperation) -> list[dict[str, Any]]:
    """What the stream's facts are to the subscription."""
    events = await read_events((await stream_states([POOL]))[POOL], 0)
    answers = [await live.render(event) for event in events]
    return [orjson.loads(answer)["data"]["consultantEvents"] for answer in answers if answer]


async def whispered(live: LiveOperation, joined: list[Any], left: list[Any]) -> Any:
    body = {"joined": list(map(str, joined)), "left": list(map(str, left))}
    answer = await live.render(LoggedEvent(POOL, "", 0, PRESENCE_CHANGED, False, THEN, body))
    return answer and orjson.loads(answer)["data"]["consultantEvents"]


def gid(of: Any) -> str:
    return global_id("Consultant", of.consultant_id)


async def test_a_member_sees_who_is_there_by_one_question_a_page(ask: Asking, works: Works) -> None:
    there, away = await a_consultant(works), await a_consultant(works, state=WindowState.AWAY)
    present = SomePresent(POOL, there.account_id)
    ask.engine._presence, ask.is_compared = present, False

    answer = await ask(DIRECTORY, a_person())

    nodes = {edge["node"]["id"]: edge["node"] for edge in answer["data"]["consultants"]["edges"]}
    assert nodes[gid(there)] == {"id": gid(there), "state": "PRESENT", "isPresent": True}
    assert nodes[gid(away)] == {"id": gid(away), "state": "AWAY", "isPresent": False}
    assert present.asked == 1
    assert await ask.code(DIRECTORY, NOBODY) == "access.unauthenticated"


async def test_who_comes_and_goes_is_told_by_consultant_and_never_by_account(
    ask: Asking, works: Works
) -> None:
    one, two = await a_consultant(works), await a_consultant(works)
    lawyer = await a_consultant(works, Service.LEGAL_AID)
    live = await ask.subscribe(EVENTS, a_person())
    assert live.streams == (POOL,)
    assert await live.authorise(a_person()) == {POOL: 1}

    came = await whispered(live, [one.account_id, lawyer.account_id], [two.account_id])

    assert came == {
        "__typename": "ConsultantsPresenceChanged",
        "joinedIds": [gid(one)],
        "leftIds": [gid(two)],
    }
    assert await whispered(live, [lawyer.account_id], [a_person().account_id]) is None
    with pytest.raises(Unauthenticated):
        await live.authorise(NOBODY)


async def test_a_window_s_state_is_told_once_a_change_and_new_windows_are_known(
    ask: Asking, works: Works
) -> None:
    one = await a_consultant(works, state=WindowState.AWAY)
    live = await ask.subscribe(EVENTS, a_person())
    await live.authorise(a_person())
    position = (await ask("{ consultantsPosition(service: COUNSELLING) }", a_person()))["data"]
    for state, capacity in ((WindowState.BUSY, 3), (WindowState.BUSY, 4), (WindowState.PRESENT, 4)):
        async with works.open(one) as w:
            await windows.set_window_state(w, state, capacity)
    new = await a_consultant(works)

    events = await told(live)
    assert [(event["consultantId"], event["state"]) for event in events] == [
        (gid(one), "AWAY"),
        (gid(one), "BUSY"),
        (gid(one), "PRESENT"),
        (gid(new), "PRESENT"),
    ]
    assert events[0]["cursor"] == position["consultantsPosition"]
    # The new window is a change of authority: each follower is authorised anew, and knows it.
    logged = await read_events((await stream_states([POOL]))[POOL], 0)
    assert [event.is_authority for event in logged] == [True, False, False, True]
    assert await whispered(live, [new.account_id], []) is None
    await live.authorise(a_person())
    assert (await whispered(live, [new.account_id], []))["joinedIds"] == [gid(new)]


async def test_following_the_queue_is_being_there_and_following_the_directory_is_not(
    ask: Asking, works: Works
) -> None:
    counsellor = await a_consultant(works)
    queue = "subscription { queueEvents(service: COUNSELLING) { __typename } }"
    assert (await ask.subscribe(queue, counsellor)).presence_scopes == (POOL,)
    assert (await ask.subscribe(EVENTS, counsellor)).presence_scopes == ()


async def test_cases_leave_no_trace_in_the_directory_s_stream(ask: Asking, works: Works) -> None:
    counsellor, member = await a_consultant(works, capacity=1), a_person()
    before = (await stream_states([POOL]))[POOL].top
    await accepted(works, counsellor, await requested(works, member))

    assert (await stream_states([POOL]))[POOL].top == before


def test_both_rooms_name_the_whisper_alike() -> None:
    assert consultation_events.PRESENCE_CHANGED == PRESENCE_CHANGED
