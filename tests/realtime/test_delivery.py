"""Events of the log reach subscriptions exactly once, in order, whatever becomes of the hints."""

from __future__ import annotations

import pytest

from realtime.bus import Hint
from tests.support.live import HIDDEN, SmallClient, SmallNode
from tests.support.timers import settle


@pytest.fixture
async def client(node: SmallNode) -> SmallClient:
    """A signed-in client that may follow cv:1 and cv:2."""
    actor = node.sessions.sign_in()
    node.engine.allow(actor, "cv:1")
    node.engine.allow(actor, "cv:2")
    return await node.client().init()


async def test_an_event_arrives_with_its_place_in_the_stream(
    node: SmallNode, client: SmallClient
) -> None:
    await client.subscribe("a", "cv:1")
    event = await node.publish("cv:1", text="hello")

    assert client.of("a") == [
        {
            "id": "a",
            "type": "next",
            "payload": {
                "data": {"event": {"kind": "test.happened", "text": "hello"}},
                "extensions": {"rt": {"s": "cv:1", "e": event.epoch, "o": 1}},
            },
        }
    ]


async def test_without_since_it_is_live_from_now_and_says_where(
    node: SmallNode, client: SmallClient
) -> None:
    event = await node.publish("cv:1")
    await client.subscribe("a", "cv:1", "cv:2")

    assert client.lives() == [{"a": {"cv:1": [event.epoch, 1], "cv:2": ["", 0]}}]
    assert client.of("a") == []


async def test_since_gives_exactly_what_was_missed_and_then_live(
    node: SmallNode, client: SmallClient
) -> None:
    for _ in range(5):
        event = await node.publish("cv:1")
    await client.subscribe("a", "cv:1", since={"cv:1": [event.epoch, 2]})
    await node.publish("cv:1")

    assert client.offsets("a") == [3, 4, 5, 6]
    assert client.lives() == [{"a": {"cv:1": [event.epoch, 5]}}]


async def test_the_after_argument_serves_clients_without_extensions(
    node: SmallNode, client: SmallClient
) -> None:
    for _ in range(3):
        event = await node.publish("cv:1")
    await client.subscribe("a", "cv:1", after=f"cv:1:{event.epoch}:1")

    assert client.offsets("a") == [2, 3]


@pytest.mark.parametrize(
    "since",
    [
        *([], "x", {"cv:1": 1}, {"cv:1": ["e0"]}, {"cv:1": ["e0", True]}, {"cv:1": ["e0", -1]}),
        *({"cv:1": ["e0", 2**70]}, {"cv:1": ["other", 1]}, {"cv:1": ["e0", 99]}),
    ],
)
async def test_a_position_that_is_none_is_unrecoverable(
    node: SmallNode, client: SmallClient, since: object
) -> None:
    await node.publish("cv:1")
    await client.subscribe("a", "cv:1", since=since)

    assert client.code("a") == "RT_UNRECOVERABLE"
    assert client.offsets("a") == []


async def test_a_position_in_another_stream_is_unrecoverable_and_no_silent_gap(
    node: SmallNode, client: SmallClient
) -> None:
    event = await node.publish("cv:1")
    await node.publish("cv:2")
    await client.subscribe("a", "cv:1", since={"cv:2": [event.epoch, 1]})
    await client.subscribe("b", "cv:1", after=f"cv:2:{event.epoch}:1")

    assert (client.code("a"), client.code("b")) == ("RT_UNRECOVERABLE", "RT_UNRECOVERABLE")


async def test_positions_of_some_streams_only_are_unrecoverable_and_no_silent_gap_in_the_others(
    node: SmallNode, client: SmallClient
) -> None:
    places = {}
    for stream in ("cv:1", "cv:2"):
        for _ in range(2):
            places[stream] = (await node.publish(stream)).epoch
    since = {stream: [epoch, 1] for stream, epoch in places.items()}
    after = [f"{stream}:{epoch}:1" for stream, epoch in places.items()]
    await client.subscribe("one", "cv:1", "cv:2", since={"cv:1": since["cv:1"]})
    await client.subscribe("other", "cv:1", "cv:2", after=after[1])
    await client.subscribe("both", "cv:1", "cv:2", since=since)
    await client.subscribe("after both", "cv:1", "cv:2", after=", ".join(after))

    assert (client.code("one"), client.code("other")) == ("RT_UNRECOVERABLE", "RT_UNRECOVERABLE")
    for id_ in ("one", "other"):
        (error,) = client.of(id_)[-1]["payload"]
        assert error["extensions"]["rt"]["s"] == ("cv:2" if id_ == "one" else "cv:1")
    assert client.offsets("both") == client.offsets("after both") == [2, 2]


async def test_a_position_below_the_floor_is_unrecoverable_never_partial(
    node: SmallNode, client: SmallClient
) -> None:
    for _ in range(5):
        event = await node.publish("cv:1")
    node.log.floors["cv:1"] = 4
    await client.subscribe("a", "cv:1", since={"cv:1": [event.epoch, 2]})
    await client.subscribe("b", "cv:1", since={"cv:1": [event.epoch, 3]})

    assert client.code("a") == "RT_UNRECOVERABLE"
    rt = client.of("a")[-1]["payload"][0]["extensions"]["rt"]
    assert rt == {"s": "cv:1", "e": event.epoch, "top": 5, "floor": 4}
    assert client.offsets("b") == [4, 5]


async def test_the_beginning_of_an_unwritten_stream_can_be_resumed_from(
    node: SmallNode, client: SmallClient
) -> None:
    await node.publish("cv:1")
    await client.subscribe("a", "cv:1", since={"cv:1": ["", 0]})

    assert client.offsets("a") == [1]


async def test_too_far_behind_is_told_before_anything_is_replayed(
    node: SmallNode, client: SmallClient
) -> None:
    for _ in range(5_001):
        event = node.log.append("cv:1")
    await client.subscribe("a", "cv:1", since={"cv:1": [event.epoch, 0]})

    assert client.code("a") == "RT_LAGGED"
    assert client.offsets("a") == []


async def test_a_long_replay_is_read_page_by_page(node: SmallNode, client: SmallClient) -> None:
    for _ in range(1_201):
        event = node.log.append("cv:1")
    await client.subscribe("a", "cv:1", since={"cv:1": [event.epoch, 0]})
    await node.timers.advance(1)

    assert client.offsets("a") == list(range(1, 1_202))
    assert node.log.reads == 3


async def test_a_position_that_only_another_node_knows_is_believed_after_a_look(
    node: SmallNode, client: SmallClient
) -> None:
    await node.publish("cv:1")
    await client.subscribe("a", "cv:1")
    event = await node.publish("cv:1", hint=False)
    await client.subscribe("b", "cv:1", since={"cv:1": [event.epoch, 2]})
    await node.publish("cv:1")

    assert client.offsets("b") == [3]
    assert client.offsets("a") == [2, 3]


async def test_lost_hints_are_made_up_for_by_the_sweep(
    node: SmallNode, client: SmallClient
) -> None:
    await client.subscribe("a", "cv:1")
    for _ in range(3):
        await node.publish("cv:1", hint=False)
    assert client.offsets("a") == []
    await node.timers.advance(5.5)

    assert client.offsets("a") == [1, 2, 3]


async def test_with_an_ill_bus_everything_is_swept_within_two_seconds(
    node: SmallNode, client: SmallClient
) -> None:
    await client.subscribe("a", "cv:1")
    await node.publish("cv:1", hint=False)
    node.hub.bus_health_changed(False)
    await settle()
    assert client.offsets("a") == [1]

    await node.publish("cv:1", hint=False)
    await node.timers.advance(2)
    assert client.offsets("a") == [1, 2]


async def test_hints_doubled_late_early_and_wrong_change_nothing(
    node: SmallNode, client: SmallClient
) -> None:
    await client.subscribe("a", "cv:1")
    events = [node.log.append("cv:1") for _ in range(4)]
    epoch = events[0].epoch
    for event in (events[2], events[0], events[0], events[3], events[1], events[3]):
        node.bus.publish(Hint(event.stream, event.epoch, event.offset, event))
    node.bus.publish(Hint("cv:1", epoch, 99))
    node.bus.publish(Hint("cv:1", "elsewhere", 7))
    node.bus.publish(Hint("cv:9", epoch, 1))
    await settle()
    await node.publish("cv:1")

    assert client.offsets("a") == [1, 2, 3, 4, 5]


async def test_another_epoch_ends_subscriptions_honestly(
    node: SmallNode, client: SmallClient
) -> None:
    for _ in range(3):
        await node.publish("cv:1")
    await client.subscribe("a", "cv:1")
    node.log.restore("cv:1", "restored", 2)
    await node.timers.advance(6)

    assert client.code("a") == "RT_UNRECOVERABLE"
    assert client.of("a")[-1]["payload"][0]["extensions"]["rt"]["e"] == "restored"


async def test_events_for_nobody_are_passed_over_and_the_next_answer_says_so(
    node: SmallNode, client: SmallClient
) -> None:
    await client.subscribe("a", "cv:1")
    await node.publish("cv:1")
    await node.publish("cv:1", HIDDEN)
    event = await node.publish("cv:1")

    assert client.offsets("a") == [1, 3]
    rt = client.of("a")[-1]["payload"]["extensions"]["rt"]
    assert rt == {"s": "cv:1", "e": event.epoch, "o": 3, "p": 1}


async def test_the_live_announcement_moves_the_position_past_events_for_nobody(
    node: SmallNode, client: SmallClient
) -> None:
    event = await node.publish("cv:1")
    await node.publish("cv:1", HIDDEN)
    await client.subscribe("a", "cv:1", since={"cv:1": [event.epoch, 1]})
    assert client.lives() == [{"a": {"cv:1": [event.epoch, 2]}}]
    await node.publish("cv:1")

    assert client.of("a")[-1]["payload"]["extensions"]["rt"] == {
        "s": "cv:1",
        "e": event.epoch,
        "o": 3,
    }


async def test_whispers_move_no_position(node: SmallNode, client: SmallClient) -> None:
    await client.subscribe("a", "cv:1")
    node.announcer.whisper("cv:1", "typing", {"who": "x"})
    await settle()
    await node.publish("cv:1")

    assert client.of("a")[0]["payload"]["extensions"] == {"rt": {"s": "cv:1", "x": 1}}
    assert client.offsets("a") == [1]


async def test_a_rendering_that_breaks_ends_its_own_subscription_only(
    node: SmallNode, client: SmallClient
) -> None:
    await client.subscribe("a", "cv:1")
    await client.subscribe("b", "cv:1", "cv:2")
    await node.publish("cv:1", "test.broken")
    await client.subscribe("c", "cv:1")
    await node.publish("cv:1")

    assert client.code("a") == client.code("b") == "RT_INTERNAL"
    assert client.offsets("c") == [2]
    assert client.socket.closed is None


async def test_a_burst_larger_than_the_ring_is_delivered_whole(
    node: SmallNode, client: SmallClient
) -> None:
    await client.subscribe("a", "cv:1")
    node.announcer.announce([node.log.append("cv:1") for _ in range(1_000)])
    await node.timers.advance(20)

    assert client.offsets("a") == list(range(1, 1_001))


async def test_events_that_outgrow_the_ring_before_their_turn_come_from_the_log(
    node: SmallNode, client: SmallClient
) -> None:
    await client.subscribe("a", "cv:1")
    node.engine.rendering.held = []
    for _ in range(8):
        await node.publish("cv:1", text="x" * 150_000)
    node.engine.rendering.release()
    await settle()
    await node.publish("cv:1")

    assert client.offsets("a") == list(range(1, 10))


async def test_tails_that_nobody_follows_are_closed_after_a_while(
    node: SmallNode, client: SmallClient
) -> None:
    await client.subscribe("a", "cv:1")
    assert len(node.hub.node.tails) == 2
    await client.say(type="complete", id="a")
    await node.timers.advance(31)

    assert len(node.hub.node.tails) == 1


async def test_a_log_that_is_down_for_a_moment_loses_nothing(
    node: SmallNode, client: SmallClient
) -> None:
    await client.subscribe("a", "cv:1")
    node.log.is_down = True
    await node.publish("cv:1", hint=False)
    await node.timers.advance(6)
    assert client.offsets("a") == []
    node.log.is_down = False
    await node.timers.advance(6)

    assert client.offsets("a") == [1]


async def test_a_log_that_stays_down_is_told_as_unavailable(
    node: SmallNode, client: SmallClient
) -> None:
    node.log.is_down = True
    await client.subscribe("a", "cv:1")
    await node.timers.advance(3)

    assert client.code("a") == "RT_UNAVAILABLE"
