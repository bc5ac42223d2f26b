"""A snapshot and the subscription after it meet without a gap, for any client, by the position."""

from __future__ import annotations

from domain.kernel.work import Works
from domain.org.models import Level
from tests.support import server
from tests.support.chatting import EVENTS, Talker, a_pair
from tests.support.consultations import say
from tests.support.live_client import LiveClient
from tests.support.matrix import a_union
from tests.support.redis_server import eventually

SNAPSHOT = """query ($id: ID!) { conversation(id: $id) {
    position messages(first: 100) { edges { node { seq } } } } }"""
EVENTS_AFTER = EVENTS.replace("($id: ID!)", "($id: ID!, $after: String)").replace(
    "conversationId: $id", "conversationId: $id, after: $after"
)


async def test_what_is_said_between_snapshot_and_subscription_is_heard_once(
    database: str, works_now: Works
) -> None:
    pair = await a_pair(works_now, await a_union(level=Level.FEDERATION))
    for number in range(3):
        await say(works_now, pair.consultant, pair.conversation_id, f"before {number}")
    async with (
        server.running_server(database) as one,
        LiveClient(lambda: [one.socket], pair.tokens[0]) as client,
    ):
        snapshot = (await client.execute(SNAPSHOT, id=pair.id))["conversation"]
        await say(works_now, pair.consultant, pair.conversation_id, "between 1")
        await say(works_now, pair.consultant, pair.conversation_id, "between 2")

        talker = Talker(client, pair.id, "member")
        await client.follow(EVENTS_AFTER, talker.take, id=pair.id, after=snapshot["position"])
        await eventually(lambda: len(talker.heard) == 2)
        await talker.say("after")
        await eventually(lambda: len(talker.heard) == 3)

    assert [edge["node"]["seq"] for edge in snapshot["messages"]["edges"]] == [1, 2, 3]
    assert [seq for seq, _, _ in talker.heard] == [4, 5, 6]
