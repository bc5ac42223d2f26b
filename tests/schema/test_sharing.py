"""What is shared is byte for byte what each viewer would get alone; what is not says so.

For every subscription of the schema, documents are made from its types and rendered for pairs of
viewers, alone and together. A mutation of each guard shows that these tests would notice its loss.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar
from uuid import UUID

import pytest
import strawberry

from domain.consultations import handovers, messages
from domain.consultations.facts import conversation_stream, pool_stream, queue_stream
from domain.consultations.models import Service
from domain.kernel.actor import Actor
from domain.kernel.capabilities import Capability
from domain.kernel.ids import new_id
from domain.kernel.ports import SharePoisoned
from domain.kernel.streams import LoggedEvent, account_stream, read_events, stream_states
from domain.kernel.work import Works
from domain.notices import service as notices
from domain.notices.rules import Audience
from schema import sharing
from schema.consultation_events import ConversationFeed
from schema.context import Context, Info
from schema.declare import Verb, column, of_row, row_type, verb
from schema.live import LiveOperation, streamed
from schema.nodes import global_id
from schema.root import NodeQuery, build, build_from, core_schema
from tests.support.clock import THEN
from tests.support.consultations import a_person, a_world, requested
from tests.support.matrix import a_cadre, a_matrix, an_officer
from tests.support.notices import publish
from tests.support.schema import Asking
from tests.support.selections import (
    WAYS,
    Registered,
    document,
    registered_subscriptions,
    with_object,
)

SCHEMA = build()


@dataclass(frozen=True)
class Case:
    """One subscription: viewers who see the same, of every kind, one apart, and what happened."""

    head: str
    call: str
    variables: Mapping[str, Any]
    viewers: Sequence[Actor]
    apart: tuple[Actor, Mapping[str, Any]] | None
    events: Sequence[LoggedEvent]


@pytest.fixture
def ask(works: Works, test_keyring: object) -> Asking:
    return Asking(SCHEMA, works)


async def logged(*streams: str) -> list[LoggedEvent]:
    states = await stream_states(streams)
    return [event for stream in streams for event in await read_events(states[stream], 0)]


async def conversation(works: Works) -> Case:
    world = await a_world(works)
    async with works.open(world.consultant) as w:
        await messages.mark_read(w, world.conversation, 1)
    async with works.open(world.consultant) as w:
        await handovers.refuse_handover(w, world.handover)
    stream = conversation_stream(world.conversation)
    accounts = [str(world.member.account_id), str(world.consultant.account_id)]
    whispers = [
        LoggedEvent(stream, "", 0, "consultations.typing", False, THEN, {"role": "member"}),
        LoggedEvent(
            stream, "", 0, "presence.changed", False, THEN, {"joined": accounts, "left": []}
        ),
    ]
    return Case(
        "($id: ID!, $after: String)",
        "(conversationId: $id, after: $after)",
        {"id": global_id("Conversation", world.conversation)},
        (world.member, world.consultant),
        None,
        [*await logged(stream), *whispers],
    )


async def queue(works: Works) -> Case:
    world = await a_world(works)
    same, other = world.consultant, world.colleague
    await requested(works, world.member, addressed_to=same.consultant_id)
    assert same.consultant_id is not None
    streams = (queue_stream(Service.COUNSELLING), queue_stream(same.consultant_id))
    return Case(
        "($service: ConsultationService!, $after: String)",
        "(service: $service, after: $after)",
        {"service": "COUNSELLING"},
        (same, replace(same, session_id=new_id())),
        (other, {"service": "COUNSELLING"}),
        await logged(*streams),
    )


async def directory(works: Works) -> Case:
    world = await a_world(works)
    stream = pool_stream(Service.COUNSELLING)
    body = {"joined": [str(world.consultant.account_id)], "left": []}
    whisper = LoggedEvent(stream, "", 0, "presence.changed", False, THEN, body)
    return Case(
        "($service: ConsultationService!, $after: String)",
        "(service: $service, after: $after)",
        {"service": "COUNSELLING"},
        (world.member, world.consultant, world.colleague, world.lawyer, a_person()),
        (world.member, {"service": "LEGAL_AID"}),
        [*await logged(stream), whisper],
    )


async def inbox(works: Works) -> Case:
    m = await a_matrix()
    cadre = a_cadre(m.east)
    notice = await publish(works, cadre, m.east, Audience(zone_id=m.east.id))
    async with works.open(cadre) as w:
        await notices.withdraw(w, notice, reason="作废")
    return Case(
        "($id: ID!, $after: String)",
        "(unionId: $id, after: $after)",
        {"id": global_id("Union", m.a.id)},
        (an_officer(m.a), an_officer(m.a), an_officer(m.a, m.b)),
        (an_officer(m.b), {"id": global_id("Union", m.b.id)}),
        await logged(f"ou:{m.a.id}"),
    )


async def board(works: Works) -> Case:
    m = await a_matrix()
    cadre = a_cadre(m.east)
    notice = await publish(works, cadre, m.east, Audience(zone_id=m.east.id))
    counts = dict.fromkeys(("recipients", "delivered", "read", "confirmed", "confirmed_late"), 3)
    stream, about = f"nt:{notice}", {"notice_id": str(notice)}
    return Case(
        "($id: ID!, $after: String)",
        "(noticeId: $id, after: $after)",
        {"id": global_id("Notice", notice)},
        (cadre, a_cadre(m.east), a_cadre(m.city)),
        None,
        [
            LoggedEvent(stream, "e", 1, "notices.board_changed", False, THEN, counts | about),
            LoggedEvent(stream, "e", 2, "notices.withdrawn", False, THEN, about),
        ],
    )


async def mine(works: Works) -> Case:
    me, other = Actor(account_id=new_id()), Actor(account_id=new_id())
    body = {"case_id": str(new_id()), "conversation_id": str(new_id())}
    stream = account_stream(me.account())
    return Case(
        "($after: String)",
        "(after: $after)",
        {},
        (me, replace(me, session_id=new_id(), authority_version=7)),
        (other, {}),
        [LoggedEvent(stream, "e", 1, "consultations.case_accepted", False, THEN, body)],
    )


CASES: Mapping[str, Callable[[Works], Awaitable[Case]]] = {
    "conversationEvents": conversation,
    "queueEvents": queue,
    "consultantEvents": directory,
    "inboxEvents": inbox,
    "receiptBoardEvents": board,
    "myEvents": mine,
}


async def alike(
    ask: Asking, text: str, viewers: Sequence[Actor], events: Sequence[LoggedEvent], **given: Any
) -> bytes | None:
    """The key that these viewers share, with the proof that what they share is the same."""
    lives: list[LiveOperation] = []
    for number, actor in enumerate(viewers):
        live = await ask.subscribe(text, actor, **given, after=f"x:e:{number}")
        await live.authorise(actor)
        lives.append(live)
    keys = {live.share_key for live in lives}
    assert len(keys) == 1, "these see the same"
    (key,) = keys
    for event in events if key is not None else ():
        private = {await live.render(event) for live in lives}
        assert len(private) == 1, "alone they would see different things"
        assert {await live.shared_rendering()(event) for live in lives} == private
    return key


def test_every_subscription_has_its_case() -> None:
    root = core_schema(SCHEMA).subscription_type
    assert root is not None
    assert set(root.fields) == set(CASES)


@pytest.mark.parametrize("field", CASES)
async def test_shared_bytes_are_what_each_viewer_gets_alone(
    ask: Asking, works: Works, field: str
) -> None:
    case = await CASES[field](works)
    schema = core_schema(SCHEMA)
    assert case.events
    keys: set[bytes | None] = set()
    for way in WAYS:
        text = document(schema, field, case.head, case.call, way)
        key = await alike(ask, text, case.viewers, case.events, **case.variables)
        assert key is not None
        keys.add(key)
        if case.apart is not None:
            actor, variables = case.apart
            live = await ask.subscribe(text, actor, **variables)
            await live.authorise(actor)
            keys.add(live.share_key)

    assert len(keys) == len(WAYS) * (1 if case.apart is None else 2), "no key serves two"
    private = with_object(schema, field, case.head, case.call)
    if private is not None:
        assert await alike(ask, private, case.viewers, [], **case.variables) is None


ALONE = {"BoardLive"}
"""Ours that read other rows than the event's (the unions' names)."""


@pytest.mark.parametrize("ours", registered_subscriptions(), ids=lambda ours: ours.name)
async def test_what_our_clients_subscribe_to_is_shared_and_the_same_for_each(
    ask: Asking, works: Works, ours: Registered
) -> None:
    case = await CASES[ours.field](works)
    key = await alike(
        ask, ours.text, case.viewers, case.events, **ours.given(case.call, case.variables)
    )
    assert (key is None) == (ours.name in ALONE)


async def test_other_variables_and_other_texts_are_other_groups(ask: Asking) -> None:
    me = Actor(account_id=new_id())
    conditional = "subscription($yes: Boolean!) { myEvents { kind at @include(if: $yes) } }"
    keys = [
        (await ask.subscribe(conditional, me, yes=True)).share_key,
        (await ask.subscribe(conditional, me, yes=False)).share_key,
        (await ask.subscribe("subscription { myEvents { kind at } }", me)).share_key,
        (await ask.subscribe("subscription { myEvents { at kind } }", me)).share_key,
    ]

    assert None not in keys
    assert len(set(keys)) == 4


async def test_where_to_resume_tells_nobody_apart_unless_it_is_used_for_more(ask: Asking) -> None:
    me = Actor(account_id=new_id())
    text = "subscription($a: String) { myEvents(after: $a) { kind } }"
    keys = {(await ask.subscribe(text, me, a=f"x:e:{n}")).share_key for n in range(3)}
    assert len(keys) == 1


# Mutations: each guard taken away is noticed


@dataclass
class ToyFeed:
    """A stream whose projection may read the viewer."""

    viewer: UUID
    receipts_of: UUID | None = None
    presence_scopes: tuple[str, ...] = ()
    streams: tuple[str, ...] = ("toy:1",)

    async def authorise(self, actor: Actor) -> Mapping[str, int]:
        return {"toy:1": 1}

    async def project(self, event: LoggedEvent) -> Any:
        return of_row(ToyEvent, {"text": "own"})


@dataclass
class SharedToyFeed(ToyFeed):
    """The same, declared as shared by all."""

    shared_by: ClassVar[tuple[str, ...]] = ()

    async def project(self, event: LoggedEvent) -> Any:
        text = str(self.viewer) if event.kind == "toy.leaks" else "same"
        return of_row(ToyEvent, {"text": text})


@row_type(needs=Capability.SELF, description="A toy.")
class ToyEvent:
    text: str = column("text", "Its text.")
    secret: str = column("text", "Needs more.", needs=Capability.AUDIT_READ)

    @verb(Capability.SELF, "Who looks.")
    def looked_at_by(self, info: Info) -> str:
        return str(info.context.actor.account_id)


@strawberry.type
class ToySubscription:
    @streamed(Capability.SELF, "Not declared as shared.")
    def own_toys(context: Context) -> Annotated[ToyFeed, ToyEvent]:
        return ToyFeed(context.actor.account())

    @streamed(Capability.SELF, "Shared.")
    def toys(context: Context) -> Annotated[SharedToyFeed, ToyEvent]:
        return SharedToyFeed(context.actor.account())


TOY = LoggedEvent("toy:1", "e", 1, "toy.happened", False, THEN, {})
LEAK = LoggedEvent("toy:1", "e", 2, "toy.leaks", False, THEN, {})
PAIR = (Actor(account_id=new_id()), Actor(account_id=new_id()))
LOOKS = "subscription S($after: String) { toys(after: $after) { lookedAtBy } }"
TEXT = "subscription S($after: String) { toys(after: $after) { text } }"


@pytest.fixture
def toys(works: Works) -> Asking:
    return Asking(build_from([NodeQuery], [], [ToySubscription]), works)


async def test_nothing_is_shared_by_default(toys: Asking) -> None:
    assert await alike(toys, TEXT, PAIR, [TOY]) is not None
    for text in (TEXT.replace("toys", "ownToys"), LOOKS, TEXT.replace("{ text", "{ secret")):
        live = await toys.subscribe(text, PAIR[0])
        assert live.share_key is None


async def test_a_viewer_s_field_taken_for_pure_is_noticed(
    toys: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "_PURE", (*sharing._PURE, Verb))
    live = await toys.subscribe(LOOKS, PAIR[0])
    assert live.share_key is not None
    with pytest.raises(SharePoisoned):
        await live.shared_rendering()(TOY)
    with pytest.raises(AssertionError, match="different things"):
        await alike(toys, LOOKS, PAIR, [TOY])


async def test_a_projection_that_reads_more_than_it_declares_is_noticed(toys: Asking) -> None:
    live = await toys.subscribe(TEXT, PAIR[0])
    assert await live.shared_rendering()(TOY) == await live.render(TOY)
    with pytest.raises(SharePoisoned):
        await live.shared_rendering()(LEAK)
    with pytest.raises(AssertionError, match="different things"):
        await alike(toys, TEXT, PAIR, [LEAK])


async def test_a_refusal_that_is_swallowed_poisons_all_the_same(
    toys: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def project(self: Any, event: LoggedEvent) -> Any:
        return of_row(ToyEvent, {"text": str(getattr(self, "viewer", "nobody"))})

    async def careless(self: Any, event: LoggedEvent) -> Any:
        try:
            return await project(self, event)
        except SharePoisoned:
            return of_row(ToyEvent, {"text": "nobody"})

    monkeypatch.setattr(SharedToyFeed, "project", careless)
    live = await toys.subscribe(TEXT, PAIR[0])
    with pytest.raises(SharePoisoned):
        await live.shared_rendering()(TOY)


async def test_a_conversation_s_roles_are_part_of_its_key(ask: Asking, works: Works) -> None:
    case = await conversation(works)
    text = document(core_schema(SCHEMA), "conversationEvents", case.head, case.call, "plain")
    live = await ask.subscribe(text, case.viewers[0], **case.variables)
    await live.authorise(case.viewers[0])
    before = live.share_key
    assert isinstance(live.feed, ConversationFeed)
    live.feed._roles = {}

    assert live.share_key != before
