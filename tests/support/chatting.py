"""People who chat through the real server, whatever happens to it."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from domain.access import service as access
from domain.access.models import AccountKind
from domain.access.roles import Role
from domain.consultations import windows
from domain.consultations.models import Service, WindowState
from domain.kernel.actor import SYSTEM, Actor
from domain.kernel.ids import new_id
from domain.kernel.work import Works
from schema.nodes import global_id
from tests.support.access import APP, a_grant, an_account, signed_in, the_actor
from tests.support.consultations import running
from tests.support.live_client import Dropped, LiveClient
from tests.support.matrix import Spot
from tests.support.redis_server import eventually

EVENTS = """subscription ($id: ID!) { conversationEvents(conversationId: $id) {
    __typename ... on MessageSent { message { seq clientKey text } } } }"""
SEND = """mutation ($id: ID!, $key: UUID!, $text: String!) {
    sendMessage(input: {conversationId: $id, clientKey: $key, text: $text}) {
        message { seq clientKey } } }"""
MESSAGES = """query ($id: ID!, $after: String) { conversation(id: $id) {
    messages(first: 100, after: $after) {
        edges { node { seq clientKey text } } pageInfo { hasNextPage endCursor } } } }"""


LIVE_S = 10.0
RETRY_S = 0.02
"""A dead socket answers at once: without a pause the loop would never see that it is dead."""


@dataclass(slots=True)
class Pair:
    """A member and a counsellor in one conversation, signed in on a phone each."""

    case_id: UUID
    conversation_id: UUID
    member: Actor
    consultant: Actor
    tokens: tuple[str, str]
    """The member's, the counsellor's."""

    @property
    def id(self) -> str:
        """The conversation's global id."""
        return global_id("Conversation", self.conversation_id)


async def a_pair(works: Works, city: Spot) -> Pair:
    """Two accounts with sessions, and a case that runs."""
    member = await an_account(works)
    counsellor = await an_account(works, kind=AccountKind.STAFF)
    new = windows.NewConsultant(
        counsellor.id, Service.COUNSELLING, "周老师", capacity=5, state=WindowState.PRESENT
    )
    async with works.open(SYSTEM) as w:
        await windows.register_consultants(w, [new])
    await a_grant(works, counsellor.id, Role.COUNSELLOR, city)
    sessions = [await signed_in(works, account, client=APP) for account in (member, counsellor)]
    actors = [await the_actor(works, session) for session in sessions]
    case_id, conversation_id = await running(works, actors[0], actors[1])
    return Pair(
        case_id, conversation_id, actors[0], actors[1], (_token(sessions[0]), _token(sessions[1]))
    )


def _token(session: access.SignedIn) -> str:
    return session.token.text


@dataclass(slots=True)
class Talker:
    """One person at one phone: an outbox with client keys, and what came in."""

    client: LiveClient
    conversation: str
    name: str
    heard: list[tuple[int, str, str]] = field(default_factory=list)
    """(seq, client key, text) as the subscription brought them, in order."""
    acknowledged: dict[str, int] = field(default_factory=dict)
    """Client key → seq, of each send whose answer came."""
    retries: int = 0
    slowest_s: float = 0.0
    """From the first attempt of a send to its answer."""

    async def listen(self) -> None:
        """Follow the conversation over all sockets to come; live when this returns."""
        following = await self.client.follow(EVENTS, self.take, id=self.conversation)
        async with asyncio.timeout(LIVE_S):
            await following.live.wait()

    async def say(self, text: str) -> None:
        """Send until it is acknowledged, always under the same key."""
        key, began = str(new_id()), time.monotonic()
        while key not in self.acknowledged:
            try:
                data = await self.client.execute(SEND, id=self.conversation, key=key, text=text)
                self.acknowledged[key] = data["sendMessage"]["message"]["seq"]
            except Dropped:
                self.retries += 1
                await asyncio.sleep(RETRY_S)
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)

    async def talk(self, until: asyncio.Event, pause_s: float = 0.1) -> None:
        """Chatter on until told to stop; the last message is acknowledged."""
        for number in itertools.count():
            if until.is_set():
                return
            await self.say(f"{self.name} {number} ·你好𠮷")
            # Below the 20 operations a second that a socket may start.
            await asyncio.sleep(pause_s * (0.6 + random.random()))

    def take(self, data: dict[str, Any]) -> None:
        """Apply one event of the conversation."""
        event = data["conversationEvents"]
        if event["__typename"] == "MessageSent":
            message = event["message"]
            self.heard.append((message["seq"], message["clientKey"], message["text"]))


class Crowd:
    """Pairs that all talk at once."""

    def __init__(self, pairs: Sequence[Pair], urls: Callable[[], Sequence[str]]) -> None:
        self.pairs = pairs
        self.talkers = [
            Talker(LiveClient(urls, token), pair.id, f"p{number}.{side}")
            for number, pair in enumerate(pairs)
            for side, token in enumerate(pair.tokens)
        ]

    async def __aenter__(self) -> Crowd:
        for talker in self.talkers:
            await talker.client.__aenter__()
            await talker.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        for talker in self.talkers:
            await talker.client.__aexit__()

    async def talk_during(self, trouble: Callable[[], Any], *, pause_s: float = 0.1) -> None:
        """All talk while the trouble runs, then finish their sentence."""
        over = asyncio.Event()
        talking = [asyncio.create_task(talker.talk(over, pause_s)) for talker in self.talkers]
        try:
            await trouble()
        finally:
            over.set()
            await asyncio.gather(*talking)

    async def settled(self, within_s: float = 15.0) -> None:
        """Everybody has heard everything that was acknowledged to anybody in their conversation."""
        await eventually(
            lambda: all(self._has_heard_all(talker) for talker in self.talkers), within_s
        )

    def _has_heard_all(self, talker: Talker) -> bool:
        known = {key for _, key, _ in talker.heard}
        return all(
            key in known
            for other in self.talkers
            if other.conversation == talker.conversation
            for key in other.acknowledged
        )

    async def assert_nothing_lost_or_doubled(self) -> int:
        """Phones and history agree: each acknowledged message once, in order; how many."""
        total = 0
        for talker in self.talkers:
            history = await history_of(talker.client, talker.conversation)
            assert [seq for seq, _, _ in history] == list(range(1, len(history) + 1))
            assert talker.heard == history, f"{talker.name} heard something else than was said"
            keys = [key for _, key, _ in history]
            assert len(set(keys)) == len(keys)
            place = {key: seq for seq, key, _ in history}
            assert all(place[key] == seq for key, seq in talker.acknowledged.items())
            total += len(talker.acknowledged)
        return total


async def history_of(client: LiveClient, conversation: str) -> list[tuple[int, str, str]]:
    """The whole conversation as the server has it, page by page."""
    history: list[tuple[int, str, str]] = []
    after: str | None = None
    while True:
        data = await client.execute(MESSAGES, id=conversation, after=after)
        page = data["conversation"]["messages"]
        for edge in page["edges"]:
            node = edge["node"]
            history.append((node["seq"], node["clientKey"], node["text"]))
        if not page["pageInfo"]["hasNextPage"]:
            return history
        after = page["pageInfo"]["endCursor"]
