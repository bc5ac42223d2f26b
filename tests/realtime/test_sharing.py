"""Those who are alike share each answer; whoever is not, or may not be, gets an own one."""

from __future__ import annotations

import asyncio
import json
from uuid import UUID

import pytest

from domain.kernel.actor import Actor
from realtime.bounds import RENDERED_S_MAX
from tests.support.live import HIDDEN, POISON, SmallClient, SmallNode
from tests.support.timers import settle


async def crowd(node: SmallNode, count: int, stream: str = "cv:1") -> list[SmallClient]:
    """Signed-in clients of as many accounts that may follow the stream."""
    clients = []
    for number in range(count):
        node.engine.allow(node.sessions.sign_in(f"t{number}"), stream)
        clients.append(node.client())
        init = {"type": "connection_init", "payload": {"token": f"t{number}"}}
        clients[-1].connection.receive_text(json.dumps(init).encode())
    while not all(client.connection.is_ready for client in clients):
        await settle()
    return clients


async def test_an_event_is_rendered_once_for_all_who_are_alike(node: SmallNode) -> None:
    clients = await crowd(node, 20)
    for client in clients:
        await client.subscribe("a", "cv:1")
    await node.publish("cv:1", text="hello")

    assert node.engine.renders == 1
    assert len({tuple(map(str, client.of("a"))) for client in clients}) == 1
    assert node.hub.gauges()["sharing_ratio"] == 20
    assert node.hub.node.metrics.deliveries == 20


async def test_equal_ids_share_one_frame_and_others_get_their_own(node: SmallNode) -> None:
    clients = await crowd(node, 4)
    for client, id_ in zip(clients, ("a", "a", "b", "longer"), strict=True):
        await client.subscribe(id_, "cv:1")
    await node.publish("cv:1")
    first, second, third, fourth = [client.socket.raw[-1] for client in clients]

    assert first is second
    assert third == first.replace(b'"id":"a"', b'"id":"b"')
    assert len(fourth) == len(first) + 5
    assert [client.offsets(id_) for client, id_ in zip(clients[2:], ("b", "longer"), strict=True)]


async def test_private_and_other_documents_render_for_themselves(node: SmallNode) -> None:
    clients = await crowd(node, 4)
    await clients[0].subscribe("a", "cv:1")
    await clients[1].subscribe("a", "cv:1", query="subscription other")
    await clients[2].subscribe("a", "cv:1", query="subscription private")
    await clients[3].subscribe("a", "cv:1", query="subscription private")
    await node.publish("cv:1")

    assert node.engine.renders == 4
    assert [client.offsets("a") for client in clients] == [[1]] * 4


async def test_permission_is_asked_for_each_and_one_s_loss_is_nobody_else_s(
    node: SmallNode,
) -> None:
    clients = await crowd(node, 3)
    for client in clients:
        await client.subscribe("a", "cv:1")
    assert node.engine.authorised == 3
    gone = Actor(account_id=_account(clients[1]))
    node.engine.forbid(gone, "cv:1")
    await node.publish("cv:1", authority=True)
    await node.publish("cv:1")

    assert [client.offsets("a") for client in clients] == [[1, 2], [], [1, 2]]
    assert clients[1].code("a") == "RT_FORBIDDEN"


async def test_whoever_joins_late_is_told_from_where_it_counts(node: SmallNode) -> None:
    early, late = await crowd(node, 2)
    await early.subscribe("a", "cv:1")
    await node.publish("cv:1")
    await node.publish("cv:1", HIDDEN)
    await late.subscribe("a", "cv:1")
    await node.publish("cv:1")

    assert early.of("a")[-1]["payload"]["extensions"]["rt"]["p"] == 1
    assert "p" not in late.of("a")[-1]["payload"]["extensions"]["rt"]
    assert node.engine.renders == 3


async def test_a_thousand_who_come_back_are_one_rendering_an_event(node: SmallNode) -> None:
    clients = await crowd(node, 1_000)
    events = [node.log.append("cv:1") for _ in range(3)]
    since = {"cv:1": [events[0].epoch, 0]}
    for client in clients:
        client.connection.receive_text(
            b'{"type":"subscribe","id":"a","payload":{"query":"subscription","variables":'
            b'{"streams":["cv:1"]},"extensions":{"rt":{"since":{"cv:1":["%b",0]}}}}}'
            % events[0].epoch.encode()
        )
    while not all(client.lives() for client in clients):
        await settle()
    assert all(client.offsets("a") == [1, 2, 3] for client in clients)
    assert node.engine.renders == 3
    assert node.log.reads == 1

    # All go, and come back: nothing is rendered or read again.
    for client in clients[:20]:
        client.connection.lost()
    again = await crowd(node, 20)
    for client in again:
        await client.subscribe("a", "cv:1", since=since)
    assert all(client.offsets("a") == [1, 2, 3] for client in again)
    assert node.engine.renders == 3


async def test_answers_are_kept_for_a_minute_only(node: SmallNode) -> None:
    first, second = await crowd(node, 2)
    await first.subscribe("a", "cv:1")
    event = await node.publish("cv:1")
    for _ in range(3):
        await first.say(type="pong")
        await node.timers.advance(RENDERED_S_MAX / 2)
        await second.say(type="pong")
    await second.subscribe("a", "cv:1", since={"cv:1": [event.epoch, 0]})

    assert second.offsets("a") == [1]
    assert node.engine.renders == 2


async def test_a_rendering_that_touches_a_viewer_is_never_sent_and_each_renders_alone(
    node: SmallNode,
) -> None:
    clients = await crowd(node, 5)
    for client in clients:
        await client.subscribe("a", "cv:1")
    await node.publish("cv:1")
    await node.publish("cv:1", POISON)
    await node.publish("cv:1")

    assert node.hub.node.metrics.share_poison == 1
    assert [client.offsets("a") for client in clients] == [[1, 2, 3]] * 5
    assert node.hub.gauges()["groups"] == 5
    assert node.engine.renders == 1 + 2 * 5
    late = (await crowd(node, 1))[0]
    await late.subscribe("a", "cv:1")
    assert node.hub.gauges()["groups"] == 6


async def test_a_replay_that_touches_a_viewer_goes_on_alone(node: SmallNode) -> None:
    first, second = await crowd(node, 2)
    events = [node.log.append("cv:1", kind) for kind in ("test.happened", POISON, "test.happened")]
    for client in (first, second):
        await client.subscribe("a", "cv:1", since={"cv:1": [events[0].epoch, 0]})

    assert [client.offsets("a") for client in (first, second)] == [[1, 2, 3]] * 2
    assert node.hub.node.metrics.share_poison == 1


async def test_a_rendering_given_up_by_one_is_taken_on_by_those_who_wait(node: SmallNode) -> None:
    clients = await crowd(node, 3)
    event = node.log.append("cv:1")
    held: list[asyncio.Event] = []
    node.engine.rendering.held = held
    for client in clients:
        await client.subscribe("a", "cv:1", since={"cv:1": [event.epoch, 0]})
    assert len(held) == 1
    await clients[0].say(type="complete", id="a")
    assert len(held) == 2
    node.engine.rendering.release()
    await settle()

    assert [client.offsets("a") for client in clients] == [[], [1], [1]]


async def test_another_class_of_viewer_is_another_group(node: SmallNode) -> None:
    first, second = await crowd(node, 2)
    for client in (first, second):
        await client.subscribe("a", "cv:1")
    assert node.hub.gauges()["groups"] == 1
    node.engine.lives[1].share_key = b"another class"
    await node.publish("cv:1", authority=True)
    await node.publish("cv:1")

    assert node.hub.gauges()["groups"] == 2
    assert [client.offsets("a") for client in (first, second)] == [[1, 2]] * 2


async def test_a_crowd_is_written_to_in_slices_and_changes_between_them_count(
    node: SmallNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime.fanout.YIELD_EVERY", 2)
    clients = await crowd(node, 6)
    for client in clients:
        await client.subscribe("a", "cv:1")
    written = clients[0].socket.write_frame

    def write_and_leave(frame: bytes) -> int:
        clients[4].connection.lost()
        return written(frame)

    monkeypatch.setattr(clients[0].socket, "write_frame", write_and_leave)
    await node.publish("cv:1")
    await node.publish("cv:1")

    assert [len(client.offsets("a")) for client in clients] == [2, 2, 2, 2, 0, 2]


def _account(client: SmallClient) -> UUID | None:
    assert client.connection.owner is not None
    return client.connection.owner[0]
