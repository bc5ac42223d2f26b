"""Consultations through the schema: the whole course, and each verb by each kind of caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from domain.consultations import queries
from domain.consultations.models import Service
from domain.kernel.ids import new_id
from domain.kernel.pages import PageRequest
from domain.kernel.work import Works
from schema.consultants import ConsultantsQuery
from schema.consultations import (
    ConsultationsMutation,
    ConsultationsQuery,
    ConsultationsSubscription,
)
from schema.nodes import global_id
from schema.root import NodeQuery, build_from
from tests.support.announcing import RememberedAnnouncements
from tests.support.consultations import (
    CALLERS,
    World,
    a_consultant,
    a_person,
    a_world,
    nothing_happens,
    requested,
)
from tests.support.schema import Asking

pytestmark = pytest.mark.usefixtures("test_keyring")
ABSENT, FORBIDDEN, UNSIGNED = "not_found", "forbidden", "access.unauthenticated"


@pytest.fixture
def ask(works: Works) -> Asking:
    return Asking(
        build_from(
            [NodeQuery, ConsultantsQuery, ConsultationsQuery],
            [ConsultationsMutation],
            [ConsultationsSubscription],
        ),
        works,
    )


@pytest_asyncio.fixture
async def world(works: Works, test_keyring: object) -> World:
    return await a_world(works)


def named(world: World) -> dict[str, Any]:
    """Whatever a document of the table may name."""
    return {
        "case": global_id("Case", world.case),
        "conversation": global_id("Conversation", world.conversation),
        "handover": global_id("Handover", world.handover),
        "waiting": global_id("Case", world.waiting),
        "to": global_id("Consultant", world.colleague.consultant_id or new_id()),
        "key": str(new_id()),
    }


# In the order of CALLERS: nobody, stranger, leader, member, colleague, lawyer, consultant.
_PARTY = (UNSIGNED, ABSENT, ABSENT, None, ABSENT, ABSENT, None)
_WINDOWS = (UNSIGNED, FORBIDDEN, FORBIDDEN, FORBIDDEN, None, None, None)
_QUEUE = (UNSIGNED, FORBIDDEN, FORBIDDEN, FORBIDDEN, None, ABSENT, None)
_ANYBODY = (UNSIGNED, *(None,) * 6)
_NOT_YOURS = "consultations.not_your_step"
_OWN_SERVICE = "consultations.own_service"
_NOT_ADDRESSED = "consultations.not_addressed"
TABLE: Mapping[str, tuple[str, tuple[str | None, ...]]] = {
    "case": ("query($case: ID!) { case(id: $case) { id state } }", _PARTY),
    "conversation": (
        "query($conversation: ID!) { conversation(id: $conversation)"
        " { topSeq messages(last: 5) { edges { node { text } } } } }",
        _PARTY,
    ),
    "queue": ("{ queue { edges { node { caseId topic } } } }", _WINDOWS),
    "myWindow": ("{ myWindow { capacity runningCount consultant { isOwn } } }", _WINDOWS),
    "myCases": ("{ myCases { totalCount } }", _ANYBODY),
    "consultants": ("{ consultants(service: COUNSELLING) { totalCount } }", _ANYBODY),
    "consultantsPosition": ("{ consultantsPosition(service: COUNSELLING) }", _ANYBODY),
    "consentText": (
        "{ consentText(service: LEGAL_AID) { version zhCn } }",
        (None,) * 7,
    ),
    "requestConsultation": (
        "mutation($key: UUID!) { requestConsultation(input: {service: COUNSELLING, topic: OTHER,"
        " consentVersion: 1, clientKey: $key}) { case { state } } }",
        (*_ANYBODY[:4], _OWN_SERVICE, None, _OWN_SERVICE),
    ),
    "acceptRequest": (
        "mutation($waiting: ID!) { acceptRequest(input: {caseId: $waiting}) { case { id } } }",
        _QUEUE,
    ),
    "takeNextRequest": (
        "mutation($key: UUID!) { takeNextRequest(input: {clientKey: $key}) { case { id } } }",
        _WINDOWS,
    ),
    "declineRequest": (
        "mutation($waiting: ID!) { declineRequest(input: {caseId: $waiting}) { entry { topic } } }",
        (*_QUEUE[:4], _NOT_ADDRESSED, ABSENT, _NOT_ADDRESSED),
    ),
    "setWindowState": (
        "mutation { setWindowState(input: {state: BUSY, capacity: 7}) { window { capacity } } }",
        _WINDOWS,
    ),
    "sendMessage": (
        "mutation($conversation: ID!, $key: UUID!) { sendMessage(input: {conversationId:"
        ' $conversation, clientKey: $key, text: "嗯"}) { message { seq } } }',
        _PARTY,
    ),
    "markMessagesDelivered": (
        "mutation($conversation: ID!) { markMessagesDelivered(input: {conversationId:"
        " $conversation, seq: 1}) { conversation { deliveredSeq } } }",
        _PARTY,
    ),
    "markMessagesRead": (
        "mutation($conversation: ID!) { markMessagesRead(input: {conversationId: $conversation,"
        " seq: 1}) { conversation { readSeq } } }",
        _PARTY,
    ),
    "signalTyping": (
        "mutation($conversation: ID!) { signalTyping(input: {conversationId: $conversation})"
        " { isPassedOn } }",
        _PARTY,
    ),
    "attachToConversation": (
        "mutation($conversation: ID!) { attachToConversation(input: {conversationId:"
        " $conversation}) { conversation { id } } }",
        tuple(code or "consultations.attachments_unavailable" for code in _PARTY),
    ),
    "closeCase": (
        "mutation($case: ID!) { closeCase(input: {caseId: $case}) { case { closedBy } } }",
        _PARTY,
    ),
    "reopenCase": (
        "mutation($case: ID!) { reopenCase(input: {caseId: $case}) { case { state } } }",
        (*_PARTY[:6], _NOT_YOURS),
    ),
    "requestHandover": (
        "mutation($case: ID!, $to: ID!) { requestHandover(input: {caseId: $case,"
        " toConsultantId: $to}) { handover { state toConsultant { displayName } } } }",
        (*_PARTY[:3], _NOT_YOURS, *_PARTY[4:]),
    ),
    "consentToHandover": (
        "mutation($handover: ID!) { consentToHandover(input: {handoverId: $handover,"
        " sharesPast: false}) { case { consultant { displayName } } } }",
        (*_PARTY[:6], _NOT_YOURS),
    ),
    "refuseHandover": (
        "mutation($handover: ID!) { refuseHandover(input: {handoverId: $handover})"
        " { handover { state } } }",
        _PARTY,
    ),
}


def used(document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Only the variables that the document declares."""
    return {name: value for name, value in variables.items() if f"${name}:" in document}


def test_the_table_has_every_field_of_the_roots() -> None:
    roots = (ConsultantsQuery, ConsultationsQuery, ConsultationsMutation)
    named = {field.name for root in roots for field in _fields(root)}

    assert {_camel(name) for name in named} == set(TABLE)


def _fields(root: type) -> list[Any]:
    found: list[Any] = root.__strawberry_definition__.fields  # type: ignore[attr-defined]  # its
    return [type("Named", (), {"name": field.python_name}) for field in found]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


@pytest.mark.parametrize("verb", TABLE)
async def test_a_refused_caller_gets_a_code_and_no_hint(
    ask: Asking, world: World, database: str, announcements: RememberedAnnouncements, verb: str
) -> None:
    document, codes = TABLE[verb]
    for caller, code in zip(CALLERS, codes, strict=True):
        if code is None:
            continue
        variables = used(document, named(world))
        async with nothing_happens(database, announcements):
            answer = await ask(document, world.actors[caller], **variables)
        assert answer["errors"][0]["extensions"] == {"code": code}, caller
        assert not answer["data"] or set(answer["data"].values()) == {None}


@pytest.mark.parametrize(
    ("verb", "caller"),
    [(verb, CALLERS[n]) for verb, row in TABLE.items() for n in range(7) if row[1][n] is None],
)
async def test_an_allowed_caller_is_answered(
    ask: Asking, world: World, verb: str, caller: str
) -> None:
    document, _ = TABLE[verb]

    answer = await ask(document, world.actors[caller], **used(document, named(world)))

    assert "errors" not in answer
    assert answer["data"][verb] is not None


@pytest.mark.parametrize("caller", CALLERS)
async def test_nodes_of_others_are_absent(ask: Asking, world: World, caller: str) -> None:
    actor = world.actors[caller]
    stored = await queries.list_messages(world.member, world.conversation, PageRequest())
    ids = [
        *(named(world)[name] for name in ("case", "conversation", "handover")),
        global_id("Message", stored.rows[0]["id"]),
    ]

    answer = await ask("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", actor, ids=ids)

    seen = ids if caller in ("member", "consultant") else [None] * 4
    assert [node and node["id"] for node in answer["data"]["nodes"]] == seen


async def test_the_whole_course_through_the_schema(ask: Asking, works: Works) -> None:
    member, lawyer = a_person(), await a_consultant(works, Service.LEGAL_AID, name="陈律师")
    consultants = await ask(
        "{ consultants(service: LEGAL_AID)"
        " { edges { node { id displayName specialities state } } } }",
        member,
    )
    (edge,) = consultants["data"]["consultants"]["edges"]
    assert (edge["node"]["displayName"], edge["node"]["state"]) == ("陈律师", "PRESENT")

    asked = await ask(
        "mutation($to: ID!, $key: UUID!) { requestConsultation(input: {service: LEGAL_AID, topic:"
        " WAGES, urgency: URGENT, addressedTo: $to, consentVersion: 1, clientKey: $key})"
        " { case { id state role addressedTo { displayName } consultant { id } } } }",
        member,
        to=edge["node"]["id"],
        key=str(new_id()),
    )
    case = asked["data"]["requestConsultation"]["case"]
    assert case["addressedTo"]["displayName"] == "陈律师"
    assert (case["state"], case["role"], case["consultant"]) == ("REQUESTED", "MEMBER", None)

    waiting = await ask(
        "{ queue { edges { node { caseId topic urgency isAddressed } } totalCount } }", lawyer
    )
    entry = waiting["data"]["queue"]["edges"][0]["node"]
    assert entry == {
        "caseId": case["id"],
        "topic": "WAGES",
        "urgency": "URGENT",
        "isAddressed": True,
    }

    accepted = await ask(
        "mutation($id: ID!) { acceptRequest(input: {caseId: $id}) { case { state"
        " conversations { edges { node { id isOpen } } } } } }",
        lawyer,
        id=case["id"],
    )
    (talk,) = accepted["data"]["acceptRequest"]["case"]["conversations"]["edges"]
    send = (
        "mutation($id: ID!, $key: UUID!, $text: String!) { sendMessage(input: {conversationId:"
        " $id, clientKey: $key, text: $text}) { message { id seq text role sentAt clientKey } } }"
    )
    key = str(new_id())
    first = await ask(send, member, id=talk["node"]["id"], key=key, text="欠薪三个月")
    again = await ask(send, member, id=talk["node"]["id"], key=key, text="欠薪三个月")
    assert first == again
    assert first["data"]["sendMessage"]["message"]["seq"] == 1
    await ask(send, lawyer, id=talk["node"]["id"], key=key, text="有合同吗")

    read = await ask(
        "query($id: ID!) { conversation(id: $id) { unreadCount otherIsPresent otherReadSeq"
        " case { id } messages(last: 10) { edges { node { seq role text } } pageInfo"
        " { hasPreviousPage } } participants { edges { node { role consultant { displayName }"
        " fromSeq endedAt } } } } }",
        member,
        id=talk["node"]["id"],
    )
    seen = read["data"]["conversation"]
    assert [edge["node"]["text"] for edge in seen["messages"]["edges"]] == [
        "欠薪三个月",
        "有合同吗",
    ]
    assert (seen["unreadCount"], seen["otherIsPresent"], seen["otherReadSeq"]) == (1, False, 0)
    assert seen["case"]["id"] == case["id"]
    readers = [edge["node"]["consultant"] for edge in seen["participants"]["edges"]]
    assert readers.count(None) == 1
    assert {"displayName": "陈律师"} in readers


@pytest.mark.parametrize(
    "text", ["", "a" * 120, "Q2FzZTp4", global_id("Conversation", UUID(int=7)), "💥"]
)
async def test_ids_that_are_none_are_absent(ask: Asking, text: str) -> None:
    document = "query($id: ID!) { case(id: $id) { id } }"

    assert await ask.code(document, a_person(), id=text) == ABSENT


LAST = "query($case: ID!) { case(id: $case) { lastMessage { seq text } } }"
LASTS = "{ myCases { edges { node { id lastMessage { text } } } } }"


async def test_the_latest_message_of_each_case_is_its_two_people_s(
    ask: Asking, works: Works, world: World
) -> None:
    case = global_id("Case", world.case)
    for party in (world.member, world.consultant):
        last = (await ask(LAST, party, case=case))["data"]["case"]["lastMessage"]
        assert last == {"seq": 1, "text": "只有你知道"}
    for stranger in (world.colleague, world.leader, a_person()):
        assert (await ask(LAST, stranger, case=case))["data"]["case"] is None

    await requested(works, world.member)
    answer = await ask(LASTS, world.member)
    told = [edge["node"]["lastMessage"] for edge in answer["data"]["myCases"]["edges"]]
    assert sorted(each["text"] if each else "" for each in told) == ["", "只有你知道"]


async def test_a_bad_text_has_its_code(ask: Asking, world: World) -> None:
    document = (
        "mutation($conversation: ID!, $key: UUID!, $text: String!) { sendMessage(input:"
        " {conversationId: $conversation, clientKey: $key, text: $text}) { message { seq } } }"
    )
    variables = used(document, named(world))

    for text, code in (
        ("", "text.missing"),
        ("a\x07b", "text.bad_character"),
        ("字" * 4_001, "text.too_long"),
    ):
        assert await ask.code(document, world.member, **variables, text=text) == code
