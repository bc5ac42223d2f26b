"""Subscriptions of consultations: what their events tell, and to whom they do not."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import pytest_asyncio

from domain.consultations import handovers, messages, service
from domain.consultations.facts import conversation_stream
from domain.kernel.actor import NOBODY
from domain.kernel.errors import NotFound
from domain.kernel.ids import new_id
from domain.kernel.ports import GraphQLAnswer, GraphQLRequest
from domain.kernel.streams import LoggedEvent, read_events, stream_states
from domain.kernel.work import Works
from schema.consultations import (
    ConsultationsMutation,
    ConsultationsQuery,
    ConsultationsSubscription,
)
from schema.live import LiveOperation
from schema.nodes import global_id
from schema.root import NodeQuery, build_from
from tests.support.clock import THEN
from tests.support.consultations import (
    World,
    a_consultant,
    a_leader,
    a_person,
    a_world,
    accepted,
    handed_over,
    requested,
)
from tests.support.schema import Asking


@pytest.fixture
def ask(works: Works, test_keyring: object) -> Asking:
    return Asking(
        build_from(
            [NodeQuery, ConsultationsQuery], [ConsultationsMutation], [ConsultationsSubscription]
        ),
        works,
    )


@pytest_asyncio.fixture
async def world(works: Works, test_keyring: object) -> World:
    return await a_world(works)


EVENTS = """
subscription($conversation: ID!) { conversationEvents(conversationId: $conversation) {
    __typename
    ... on MessageSent { cursor at message { id seq role text clientKey } }
    ... on MarksAdvanced { role deliveredSeq readSeq }
    ... on CaseClosed { caseId role }
    ... on CaseReopened { caseId }
    ... on HandoverRequested { handoverId toConsultantId }
    ... on HandoverRefused { handoverId role }
    ... on CaseHandedOver { handoverId toConsultantId sharesPast }
    ... on TypingSignalled { role }
    ... on PresenceChanged { joined left }
} }
"""


def talk(world: World) -> str:
    """The conversation's global id."""
    return global_id("Conversation", world.conversation)


async def rendered(live: LiveOperation, stream: str) -> list[dict[str, Any]]:
    """Every event of the stream as the subscription's answer."""
    events = await read_events((await stream_states([stream]))[stream], 0)
    answers = [await live.render(event) for event in events]
    parsed = [orjson.loads(answer) for answer in answers if answer is not None]
    assert not [answer for answer in parsed if "errors" in answer]
    return [next(iter(answer["data"].values())) for answer in parsed]


async def test_conversation_events_tell_what_happened(
    ask: Asking, world: World, works: Works
) -> None:
    member, consultant, colleague = world.member, world.consultant, world.colleague
    live = await ask.subscribe(EVENTS, member, conversation=talk(world))
    assert await live.authorise(member) == {conversation_stream(world.conversation): 1}
    assert live.presence_scopes == live.streams
    async with works.open(consultant) as w:
        await messages.mark_read(w, world.conversation, 1)
    async with works.open(consultant) as w:
        await handovers.refuse_handover(w, world.handover)
    async with works.open(consultant) as w:
        await service.close(w, world.case)
    async with works.open(member) as w:
        await service.reopen(w, world.case)
    await handed_over(works, member, consultant, colleague, world.case)

    told = await rendered(live, live.streams[0])

    assert [event["__typename"] for event in told] == [
        "MessageSent",
        "HandoverRequested",
        "MarksAdvanced",
        "HandoverRefused",
        "CaseClosed",
        "CaseReopened",
        "HandoverRequested",
        "CaseHandedOver",
    ]
    assert told[0]["message"]["text"] == "只有你知道"
    assert told[0]["cursor"].startswith(f"cv:{world.conversation}:")
    assert told[2] | {"__typename": ""} == {
        "__typename": "",
        "role": "CONSULTANT",
        "deliveredSeq": 1,
        "readSeq": 1,
    }
    assert told[-1]["toConsultantId"] == global_id(
        "Consultant", colleague.consultant_id or new_id()
    )
    with pytest.raises(NotFound):
        await live.authorise(consultant)
    assert (await live.authorise(colleague))[live.streams[0]] > 1


async def test_whispers_come_as_events_of_their_own(ask: Asking, world: World) -> None:
    member, consultant = world.member, world.consultant
    live = await ask.subscribe(EVENTS, member, conversation=talk(world))
    await live.authorise(member)

    async def whispered(kind: str, **body: Any) -> Any:
        event = LoggedEvent(live.streams[0], "", 0, kind, False, THEN, body)
        answer = await live.render(event)
        return answer and orjson.loads(answer)["data"]["conversationEvents"]

    typing = await whispered("consultations.typing", role="consultant")
    people = [str(consultant.account_id), str(member.account_id), str(new_id())]
    here = await whispered("presence.changed", joined=people, left=[])
    gone = await whispered("presence.changed", joined=[], left=people[1:])
    foreign = await whispered("presence.changed", joined=[], left=people[2:])

    assert typing == {"__typename": "TypingSignalled", "role": "CONSULTANT"}
    both = ["CONSULTANT", "MEMBER"]
    assert here == {"__typename": "PresenceChanged", "joined": both, "left": []}
    assert gone == {"__typename": "PresenceChanged", "joined": [], "left": ["MEMBER"]}
    assert foreign is None
    assert await whispered("something.else") is None


@pytest.mark.parametrize("caller", ["stranger", "leader", "colleague"])
async def test_a_stranger_s_subscription_is_refused_like_one_to_nothing(
    ask: Asking, world: World, caller: str
) -> None:
    for conversation in (talk(world), global_id("Conversation", new_id())):
        live = await ask.subscribe(EVENTS, world.actors[caller], conversation=conversation)
        with pytest.raises(NotFound):
            await live.authorise(world.actors[caller])


QUEUE_EVENTS = """
subscription($service: ConsultationService!) { queueEvents(service: $service) {
    __typename
    ... on RequestQueued { cursor entry { caseId topic urgency isAddressed requestedAt } }
    ... on RequestTaken { caseId }
} }
"""


async def test_queue_events_tell_what_waits_and_not_whose_it_is(ask: Asking, works: Works) -> None:
    counsellor = await a_consultant(works)
    member = a_person()
    open_case = await requested(works, member)
    named = await requested(works, member, addressed_to=counsellor.consultant_id)
    await accepted(works, counsellor, open_case)
    live = await ask.subscribe(QUEUE_EVENTS, counsellor, service="COUNSELLING")

    assert await live.authorise(counsellor) == dict.fromkeys(live.streams, 1)
    for_all, own = [await rendered(live, stream) for stream in live.streams]

    assert [event["__typename"] for event in for_all] == ["RequestQueued", "RequestTaken"]
    assert for_all[1]["caseId"] == global_id("Case", open_case)
    assert own[0]["entry"]["caseId"] == global_id("Case", named)
    assert own[0]["entry"]["isAddressed"]
    assert str(member.account_id) not in str([for_all, own])


async def test_a_queue_is_its_own_service_s_only(ask: Asking, works: Works) -> None:
    counsellor, colleague = await a_consultant(works), await a_consultant(works)
    other = await ask.subscribe(QUEUE_EVENTS, counsellor, service="LEGAL_AID")
    own = await ask.subscribe(QUEUE_EVENTS, counsellor, service="COUNSELLING")

    for live, actor in ((other, counsellor), (own, colleague)):
        with pytest.raises(NotFound):
            await live.authorise(actor)
    for actor, code in ((a_leader(), b"forbidden"), (NOBODY, b"access.unauthenticated")):
        request = GraphQLRequest(QUEUE_EVENTS, variables={"service": "COUNSELLING"})
        refused = await ask.engine.subscribe(request, actor)
        assert isinstance(refused, GraphQLAnswer)
        assert code in refused.body
