"""A running subscription makes its account present in its scopes; others hear of it."""

from __future__ import annotations

from domain.kernel.actor import Actor
from realtime.presence import BATCH_S
from tests.support.live import SmallClient, SmallNode


async def pair(node: SmallNode) -> tuple[tuple[Actor, SmallClient], tuple[Actor, SmallClient]]:
    found = []
    for token in ("a", "b"):
        actor = node.sessions.sign_in(token)
        node.engine.allow(actor, "cv:1")
        found.append((actor, await node.client().init(token)))
    return found[0], found[1]


def heard(client: SmallClient) -> list[tuple[list[str], list[str]]]:
    events = [f["payload"]["data"]["event"] for f in client.of("s") if f["type"] == "next"]
    return [(e["joined"], e["left"]) for e in events if e["kind"] == "presence.changed"]


async def test_the_other_hears_who_comes_and_after_the_grace_who_went(node: SmallNode) -> None:
    (_, first), (actor, second) = await pair(node)
    await first.subscribe("s", "cv:1")
    await second.subscribe("s", "cv:1", query="subscription present")
    other = str(actor.account_id)
    await node.timers.advance(BATCH_S)
    assert heard(first) == [([other], [])]
    assert await node.presence.present("cv:1") == {other}

    second.connection.lost()
    await node.timers.advance(15)
    assert heard(first) == [([other], [])]
    await first.say(type="pong")
    await node.timers.advance(6)
    assert heard(first) == [([other], []), ([], [other])]
    assert first.offsets("s") == []


async def test_a_stranger_is_never_present(node: SmallNode) -> None:
    node.sessions.sign_in("stranger")
    stranger = await node.client().init("stranger")
    await stranger.subscribe("s", "cv:1", query="subscription present")
    assert await node.presence.present("cv:1") == frozenset()


async def test_who_is_cut_off_is_no_longer_present(node: SmallNode) -> None:
    (actor, first), _ = await pair(node)
    await first.subscribe("s", "cv:1", query="subscription present")
    node.engine.forbid(actor, "cv:1")
    await node.publish("cv:1", authority=True)
    await node.timers.advance(21)
    assert first.code("s") == "RT_FORBIDDEN"
    assert await node.presence.present("cv:1") == frozenset()
