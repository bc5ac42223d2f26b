"""Rings of all streams share one bound; what gives way comes from the log, whole and in order."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from domain.kernel.streams import LoggedEvent
from realtime.bounds import RING_BYTES_MAX, RING_EVENT_BYTES, RING_EVENTS_MAX, LiveSettings
from realtime.ring import Ring, Rings
from tests.support.clock import THEN
from tests.support.live import SmallClient, SmallNode, running
from tests.support.timers import settle

EVENT_BYTES = 1_000
"""Each event of these tests takes so much in a ring."""
RINGS = 4
STEPS = st.lists(
    st.tuples(st.sampled_from(["append", "append", "read", "clear"]), st.integers(0, RINGS - 1)),
    max_size=60,
)


def event(offset: int, size: int = EVENT_BYTES) -> LoggedEvent:
    body = {"text": "x" * (size - RING_EVENT_BYTES - len('{"text":""}'))}
    return LoggedEvent("cv:1", "e", offset, "test.happened", False, THEN, body)


def filled(rings: Rings, count: int) -> Ring:
    """A ring with so many events."""
    ring = Ring(rings)
    for offset in range(1, count + 1):
        ring.append(event(offset))
    return ring


def kept(ring: Ring, last: int) -> list[int]:
    first = ring.first
    return [] if first is None else list(range(first, last + 1))


def test_a_ring_keeps_the_latest_events_up_to_its_own_bounds() -> None:
    rings = Rings()
    many, large = filled(rings, RING_EVENTS_MAX + 3), Ring(rings)
    for offset in range(1, 8):
        large.append(event(offset, RING_BYTES_MAX // 4))
    assert kept(many, RING_EVENTS_MAX + 3)[:2] == [4, 5]
    assert kept(large, 7) == [4, 5, 6, 7]
    assert rings.held_bytes == RING_EVENTS_MAX * EVENT_BYTES + RING_BYTES_MAX

    large.append(event(8, RING_BYTES_MAX + 1))
    assert large.first is None
    assert rings.held_bytes == RING_EVENTS_MAX * EVENT_BYTES


def test_who_was_used_least_recently_gives_way_its_oldest_events_first() -> None:
    rings = Rings(6 * EVENT_BYTES)
    old, other, busy = filled(rings, 3), filled(rings, 3), Ring(rings)
    busy.append(event(1))
    assert (kept(old, 3), kept(other, 3)) == ([2, 3], [1, 2, 3])
    assert old.since(0) is None, "never a part"

    assert old.at(2) is not None, "which uses it"
    busy.append(event(2))
    assert (kept(old, 3), kept(other, 3)) == ([2, 3], [2, 3])
    assert other.since(1) is not None, "which uses it"
    for offset in (3, 4):
        busy.append(event(offset))
    assert (kept(old, 3), kept(other, 3), kept(busy, 4)) == ([], [2, 3], [1, 2, 3, 4])


def test_the_busiest_gives_way_last_and_its_own_oldest_first() -> None:
    rings = Rings(3 * EVENT_BYTES)
    filled(rings, 2)
    alone = filled(rings, 5)
    assert kept(alone, 5) == [3, 4, 5]


@given(STEPS, st.integers(1, 8))
def test_whatever_is_done_rings_hold_what_they_say_and_the_last_used_longest(
    steps: Sequence[tuple[str, int]], events_max: int
) -> None:
    rings = Rings(events_max * EVENT_BYTES)
    made = [Ring(rings) for _ in range(RINGS)]
    lasts, by_use = [0] * RINGS, list(range(RINGS))
    expected: list[list[int]] = [[] for _ in range(RINGS)]
    for step, number in steps:
        if step == "append":
            lasts[number] += 1
            made[number].append(event(lasts[number]))
            expected[number].append(lasts[number])
        elif step == "read":
            assert (made[number].since(lasts[number] - 1) is None) == (not expected[number])
        else:
            made[number].clear()
            expected[number].clear()
        by_use.remove(number)
        by_use.append(number)
        while sum(map(len, expected)) > events_max:
            next(expected[each] for each in by_use if expected[each]).pop(0)

        assert [kept(ring, last) for ring, last in zip(made, lasts, strict=True)] == expected
        assert rings.held_bytes == EVENT_BYTES * sum(map(len, expected))


# In a node


async def following(node: SmallNode, *streams: str) -> SmallClient:
    """A client that follows each of them, by an operation of the stream's name."""
    actor = node.sessions.sign_in()
    client = await node.client().init()
    for stream in streams:
        node.engine.allow(actor, stream)
        await client.subscribe(stream, stream)
    return client


def tight(events: int) -> SmallNode:
    """A node whose rings hold about so many events of ``EVENT_BYTES``."""
    return SmallNode(settings=LiveSettings(rings_bytes_max=events * EVENT_BYTES))


TEXT = "x" * (EVENT_BYTES - RING_EVENT_BYTES - len('{"text":""}'))


async def test_who_comes_back_for_what_gave_way_gets_it_from_the_log() -> None:
    async with running(tight(4)) as node:
        client = await following(node, "cv:1", "cv:2")
        for _ in range(3):
            mine = await node.publish("cv:1", text=TEXT)
        await client.subscribe("a", "cv:1", since={"cv:1": [mine.epoch, 0]})
        for _ in range(3):
            await node.publish("cv:2", text=TEXT)
        await client.subscribe("b", "cv:1", since={"cv:1": [mine.epoch, 0]})
        await client.subscribe("c", "cv:1", since={"cv:1": [mine.epoch, 2]})

        assert client.offsets("a") == client.offsets("b") == [1, 2, 3]
        assert client.offsets("c") == [3]
        resumes = node.hub.node.metrics.resumes
        assert (resumes["ring"], resumes["log"]) == (2, 1)
        assert node.hub.gauges()["live_ring_bytes"] == 4 * EVENT_BYTES


async def test_what_is_still_to_be_delivered_gives_way_last() -> None:
    async with running(tight(8)) as node:
        client = await following(node, "cv:1", "cv:2")
        for stream in ("cv:1", "cv:2", "cv:2", "cv:2", "cv:2"):
            await node.publish(stream, text=TEXT)
        reads = node.log.reads
        node.engine.rendering.held = []
        for _ in range(8):
            await node.publish("cv:1", text=TEXT)
        node.engine.rendering.release()
        await settle()

        assert client.offsets("cv:1") == list(range(1, 10))
        assert (node.log.reads, node.hub.node.metrics.lagging) == (reads, 0)


async def test_what_gave_way_before_its_turn_comes_from_the_log_once_and_in_order() -> None:
    async with running(tight(4)) as node:
        client = await following(node, "cv:1", "cv:2")
        await node.publish("cv:1", text=TEXT)
        await node.publish("cv:2", text=TEXT)
        node.engine.rendering.held = []
        for _ in range(3):
            await node.publish("cv:1", text=TEXT)
        for _ in range(6):
            await node.publish("cv:2", text=TEXT)
        await node.publish("cv:1", text=TEXT)
        node.engine.rendering.release()
        await settle()
        await node.publish("cv:1", text=TEXT)

        assert client.offsets("cv:1") == list(range(1, 7))
        assert client.offsets("cv:2") == list(range(1, 8))
        assert node.hub.node.metrics.lagging == 2


async def test_a_tail_that_is_closed_or_in_another_history_gives_its_share_back(
    node: SmallNode,
) -> None:
    client = await following(node, "cv:1", "cv:2")
    for stream in ("cv:1", "cv:2", "cv:2"):
        await node.publish(stream, text=TEXT)
    assert node.hub.gauges()["live_ring_bytes"] == 3 * EVENT_BYTES

    node.log.restore("cv:2", "restored", 1)
    await node.timers.advance(6)
    assert node.hub.gauges()["live_ring_bytes"] == EVENT_BYTES
    await client.say(type="complete", id="cv:1")
    await node.timers.advance(31)
    assert node.hub.gauges()["live_ring_bytes"] == 0
