"""Rights lost under load, on two processes: nothing after the removal reaches anybody, on any path.

Counsellors hand a case to and fro, officers lose and regain their seats, grants are revoked and
given anew, while messages, notices and requests go on; whoever was cut off keeps asking, from the
last position and from now. The log says who might read what; of whispers, which have no place in
it, the order in which a process commits and says them.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from domain import reactions
from domain.access import service as access
from domain.access.models import AccountKind
from domain.access.roles import Role
from domain.consultations import facts as consultation_facts
from domain.consultations import handovers, windows
from domain.consultations.models import Role as Part
from domain.consultations.models import Service, WindowState
from domain.kernel.actor import SYSTEM, Actor, Hierarchy, Reach
from domain.kernel.capabilities import Capability
from domain.kernel.clock import SystemClock
from domain.kernel.ids import new_id
from domain.kernel.streams import stream_states
from domain.kernel.work import Works
from domain.notices.rules import Audience
from domain.org import service as org
from domain.org.facts import union_stream
from domain.org.models import Level, Post
from domain.org.rules import federation_day
from realtime.announcer import BusAnnouncer
from realtime.presence import PRESENCE_CHANGED
from realtime.redis_bus import RedisBus
from schema.nodes import global_id
from tests.support import server
from tests.support.access import APP, a_grant, an_account, signed_in, the_actor
from tests.support.consultations import a_person, requested, running, say
from tests.support.live_client import LiveClient
from tests.support.matrix import Spot, a_cadre, a_union
from tests.support.notices import publish
from tests.support.redis_server import RedisServer, eventually, private_redis
from tests.support.removals import Oracle, Turns, Watcher, watching

SOCKETS_EACH = 8
"""Per account, on both servers; ten are allowed."""
REMOVALS = int(os.environ.get("UNIONHALL_TEST_REMOVALS", "125"))
"""Of a right from an account, which takes it from all of its sockets. A thousand take a minute."""
CUT_OFFS = SOCKETS_EACH * REMOVALS
"""Subscriptions that ran and were ended; who has just been refused does not run."""
AT_ONCE = 0.2
"""Of the removals: so many do not wait until the last to get the right follow again."""
LOAD_S_MAX = 60.0 + REMOVALS / 5
CUT_OFF_S, BUSLESS_S = 1.0, 3.0
"""Until the sockets of an ended session are closed: with Redis, and with Redis gone."""
CONVERSATION = """subscription ($id: ID!) { conversationEvents(conversationId: $id) {
    __typename ... on MessageSent { cursor } ... on HandoverRequested { cursor }
    ... on CaseHandedOver { cursor } ... on TypingSignalled { role }
    ... on PresenceChanged { joined left } } }"""
QUEUE = """subscription { queueEvents(service: COUNSELLING) {
    ... on RequestQueued { cursor } ... on RequestTaken { cursor } } }"""
INBOX = "subscription ($id: ID!) { inboxEvents(unionId: $id) { cursor } }"
KEEPER = Actor(
    account_id=new_id(),
    reaches=(Reach("x", frozenset({Capability.ORG_WRITE}), Hierarchy.TERRITORY, "/", new_id()),),
)


@dataclass(slots=True)
class Hall:
    """Two servers, and a writer that announces to both over Redis."""

    servers: tuple[server.Server, server.Server]
    redis: RedisServer
    announcer: BusAnnouncer
    works: Works


@pytest_asyncio.fixture
async def hall(database: str, test_keyring: object) -> AsyncIterator[Hall]:
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(private_redis())
        environ = {"UNIONHALL_REDIS_URL": redis.url, "UNIONHALL_SHUTDOWN_GRACE_S": "1"}
        both = await asyncio.gather(*(server.start(database, environ=environ) for _ in range(2)))
        for one in both:
            stack.push_async_callback(one.stop)
        bus = RedisBus(redis.url)
        await bus.start()
        stack.push_async_callback(bus.stop)
        announcer = BusAnnouncer(bus)
        works = Works(SystemClock(), announcer, reactions=reactions.REACTIONS)
        yield Hall((both[0], both[1]), redis, announcer, works)


@dataclass(slots=True)
class Person:
    """A counsellor who holds a seat too."""

    actor: Actor
    token: str
    session_id: UUID
    grant_id: UUID
    """As a counsellor."""
    clients: list[LiveClient] = field(default_factory=list)

    @property
    def account(self) -> UUID:
        return self.actor.account()


async def people(hall: Hall, at: Spot, count: int) -> list[Person]:
    found = []
    for _ in range(count):
        account = await an_account(hall.works, kind=AccountKind.STAFF)
        new = windows.NewConsultant(
            account.id, Service.COUNSELLING, "周老师", capacity=9, state=WindowState.PRESENT
        )
        async with hall.works.open(SYSTEM) as w:
            await windows.register_consultants(w, [new])
        grant = await a_grant(hall.works, account.id, Role.COUNSELLOR, at)
        await a_grant(hall.works, account.id, Role.UNION_ASSISTANT, at)
        session = await signed_in(hall.works, account, client=APP)
        actor = await the_actor(hall.works, session)
        found.append(Person(actor, session.token.text, session.session_id, grant))
    return found


class Trouble:
    """Everything that happens to the rights, one task a kind, until enough was cut off."""

    def __init__(self, hall: Hall, persons: list[Person], zone: Spot, union: Spot) -> None:
        self.works, self.announcer, self.persons = hall.works, hall.announcer, persons
        self.zone, self.union = zone, union
        self.oracle, self.turns = Oracle(), Turns()
        self.chance = random.Random(20161209)
        self.is_over = asyncio.Event()
        self.watchers: list[Watcher] = []

    async def resumed(self, persons: list[Person], query: str) -> None:
        """Mostly the next removal waits until those who have the right again make use of it;
        else it meets them on their way."""
        if self.chance.random() < AT_ONCE:
            return
        accounts = {person.account for person in persons}
        waited = [each for each in self.watchers if each.is_of(accounts, query)]
        await eventually(
            lambda: self.is_over.is_set() or all(each.runs for each in waited), LOAD_S_MAX
        )

    def somebody(self, but: Person | None = None) -> Person:
        return self.chance.choice([person for person in self.persons if person is not but])

    async def hand_overs(self, member: Actor, case: UUID, talk: UUID, holder: Person) -> None:
        stream = consultation_facts.conversation_stream(talk)
        self.turns.begin(holder.account, time.monotonic())
        while not self.is_over.is_set():
            target = self.somebody(but=holder)
            assert target.actor.consultant_id is not None
            async with self.works.open(holder.actor) as w:
                wish = await handovers.request_handover(w, case, target.actor.consultant_id)
            began_at = time.monotonic()
            async with self.works.open(member) as w:
                await handovers.consent_to_handover(w, wish["id"], shares_past=False)
            (event,) = [each for each in w.events if each.stream == stream]
            self.oracle.remove(holder.account, stream, event.offset)
            self.oracle.allow(target.account, stream, event.offset, began_at)
            self.turns.begin(target.account, began_at)
            holder = target
            for _ in range(self.chance.randint(1, 3)):
                self.whisper(stream, member)
                await say(self.works, member, talk, "你好")
            await self.resumed([target], CONVERSATION)

    def whisper(self, stream: str, member: Actor) -> None:
        """After the hand-over, and behind its hint: not for who was handed over from."""
        self.announcer.whisper(stream, PRESENCE_CHANGED, self.turns.presence(member.account()))
        role = Part.MEMBER if self.turns.is_even else Part.CONSULTANT
        self.announcer.whisper(stream, consultation_facts.TYPING, {"role": role.value})

    def some(self) -> list[Person]:
        """One, or two who lose it in the same work."""
        return self.chance.sample(self.persons, self.chance.randint(1, 2))

    async def seats(self, held: dict[UUID, UUID]) -> None:
        stream = union_stream(self.union.id)
        while not self.is_over.is_set():
            leaving = self.some()
            async with self.works.open(KEEPER) as w:
                for person in leaving:
                    await org.end_seat(w, held[person.account])
            events = [each for each in w.events if each.stream == stream]
            for person, event in zip(leaving, events, strict=True):
                self.oracle.remove(person.account, stream, event.offset)
            await self.notice()
            held |= await self.take_seats(leaving)
            await self.resumed(leaving, INBOX)

    async def take_seats(self, persons: list[Person]) -> dict[UUID, UUID]:
        began_at = time.monotonic()
        async with self.works.open(KEEPER) as w:
            held = {
                person.account: await org.appoint(
                    w,
                    self.union.id,
                    person.account,
                    post=Post.COMMITTEE_MEMBER,
                    from_on=federation_day(w.now),
                )
                for person in persons
            }
        for person in persons:
            self.oracle.allow(person.account, union_stream(self.union.id), 1, began_at)
        return held

    async def notice(self) -> None:
        await publish(self.works, a_cadre(self.zone), self.zone, Audience(zone_id=self.zone.id))

    async def grants(self) -> None:
        stream = consultation_facts.queue_stream(Service.COUNSELLING)
        while not self.is_over.is_set():
            leaving = self.some()
            async with self.works.open(SYSTEM) as w:
                for person in leaving:
                    await access.revoke_grant(w, person.grant_id)
            top = (await stream_states([stream]))[stream].top
            for person in leaving:
                self.oracle.remove(person.account, stream, top + 1)
            await requested(self.works, a_person())
            began_at = time.monotonic()
            async with self.works.open(SYSTEM) as w:
                for person in leaving:
                    new = access.NewGrant(person.account, Role.COUNSELLOR, self.zone.id)
                    person.grant_id = await access.grant_role(w, new)
            for person in leaving:
                self.oracle.allow(person.account, stream, 1, began_at)
            await self.resumed(leaving, QUEUE)


async def sockets(stack: AsyncExitStack, hall: Hall, persons: list[Person]) -> None:
    for person in persons:
        for number in range(SOCKETS_EACH):
            url = hall.servers[number % 2].socket
            client = LiveClient(list, person.token)
            client.pin(url)
            person.clients.append(await stack.enter_async_context(client))


async def signs(one: server.Server) -> tuple[int, dict[str, bool]]:
    """What the server says of itself to the operator."""
    async with httpx.AsyncClient(trust_env=False) as client:
        told = await client.get(f"{one.url}/readyz")
    return told.status_code, told.json()["signs"]


async def closed_within(person: Person, hall: Hall, within_s: float) -> None:
    """End the person's session: all sockets of it, on both servers, close in time."""
    before = [len(client.close_codes) for client in person.clients]
    async with hall.works.open(person.actor) as w:
        await access.end_session(w, person.session_id)
    await eventually(
        lambda: all(
            len(client.close_codes) > count
            for client, count in zip(person.clients, before, strict=True)
        ),
        within_s,
    )
    assert {client.close_codes[-1] for client in person.clients} == {4403}


@pytest.mark.timeout(LOAD_S_MAX + 60)
async def test_nothing_after_a_removal_reaches_anybody_on_any_path(hall: Hall) -> None:
    city = await a_union(level=Level.FEDERATION)
    zone = await a_union(city, level=Level.ZONE)
    union = await a_union(zone)
    persons = await people(hall, zone, 3)
    member = a_person()
    case, talk = await running(hall.works, member, persons[0].actor)
    trouble = Trouble(hall, persons, zone, union)
    queue = consultation_facts.queue_stream(Service.COUNSELLING)
    for person in persons:
        trouble.oracle.allow(person.account, queue, 1, 0.0)
    trouble.oracle.allow(persons[0].account, consultation_facts.conversation_stream(talk), 1, 0.0)
    held = await trouble.take_seats(persons)

    async with AsyncExitStack() as stack:
        await sockets(stack, hall, persons)
        trouble.watchers = watchers = [
            Watcher(client, trouble.oracle, person.account, query, **variables)
            for person in persons
            for client in person.clients
            for query, variables in (
                (CONVERSATION, {"id": global_id("Conversation", talk)}),
                (QUEUE, {}),
                (INBOX, {"id": global_id("Union", union.id)}),
            )
        ]

        async def removing() -> None:
            works = (
                trouble.hand_overs(member, case, talk, persons[0]),
                trouble.seats(held),
                trouble.grants(),
            )
            tasks = [asyncio.create_task(work) for work in works]
            try:
                await eventually(
                    lambda: any(task.done() for task in tasks) or is_enough(), LOAD_S_MAX
                )
            finally:
                trouble.is_over.set()
                await asyncio.gather(*tasks)
            await closed_within(persons[0], hall, CUT_OFF_S)
            hall.redis.stop()
            await closed_within(persons[1], hall, BUSLESS_S)
            for one in hall.servers:
                assert await signs(one) == (200, {"bus": False})

        def is_enough() -> bool:
            running = sum(watcher.cut_offs for watcher in watchers)
            return trouble.oracle.removals >= REMOVALS and running >= CUT_OFFS

        await watching(watchers, removing)
    assert all(watcher.received for watcher in watchers), "who may read it is told"
    assert [found for watcher in watchers for found in watcher.forbidden(trouble.oracle)] == []
    assert [found for watcher in watchers for found in watcher.overheard(trouble.turns)] == []
    heard = {event["__typename"] for watcher in watchers for event, _ in watcher.whispers}
    assert heard == {"PresenceChanged", "TypingSignalled"}
