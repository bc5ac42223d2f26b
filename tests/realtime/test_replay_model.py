"""Whatever happens in whatever order, a client's copy equals the log: no gap, no double, no leak.

Two nodes share one log. Hints are lost, doubled and reordered; each access to the database is held
up as long as hypothesis likes and may answer with what it saw before; clients vanish and resume on
either node, stop reading, and lose and regain the right to read. Two of them share their answers,
until a rendering turns out to touch a viewer. Rings hold next to nothing, and at any moment other
streams take even that. The log is the oracle.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from domain.kernel.streams import LoggedEvent
from realtime.bounds import LAG_BUFFER_BYTES, RING_EVENT_BYTES, SOFT_BUFFER_BYTES, LiveSettings
from realtime.bus import Hint
from realtime.ring import Ring
from tests.support.live import HIDDEN, POISON, SmallClient, SmallEngine, SmallNode
from tests.support.small_log import Gates, SmallLog
from tests.support.timers import settle

STREAMS = ("cv:1", "cv:2")
CLIENTS = st.integers(0, 3)
UNREAD = st.sampled_from([0, 0, SOFT_BUFFER_BYTES + 1, LAG_BUFFER_BYTES + 1])
NODES = st.integers(0, 1)
RINGS_BYTES_MAX = 12 * RING_EVENT_BYTES
"""Some eleven events of all streams: a burst of four in each fits, not much more."""


class Reader:
    """A client that keeps its copy by the published rules and complains when they are broken."""

    def __init__(self, machine: ReplayMachine, number: int) -> None:
        self.machine = machine
        self.token = f"t{number}"
        self.actor = machine.sessions[0].sign_in(self.token)
        for sessions in machine.sessions[1:]:
            sessions.copy(self.token, machine.sessions[0])
        self.streams = STREAMS if number == 0 else STREAMS[:1]
        self.query = "subscription private" if number == 3 else "subscription"
        self.client: SmallClient | None = None
        self.position: dict[str, list[Any]] = {}
        self.got: dict[str, list[int]] = {stream: [] for stream in STREAMS}
        self.read = 0
        self.is_subscribed = False

    def connect(self, node: SmallNode) -> None:
        self.client = SmallClient(node.hub)
        self.say(type="connection_init", payload={"token": self.token})
        self.read = 0

    def say(self, **message: Any) -> None:
        assert self.client is not None
        self.client.connection.receive_text(json.dumps(message).encode())

    def subscribe(self) -> None:
        extensions = {"rt": {"since": self.position}} if self.position else {}
        payload = {
            "query": self.query,
            "variables": {"streams": list(self.streams)},
            "extensions": extensions,
        }
        self.say(type="subscribe", id="s", payload=payload)
        self.is_subscribed = True

    def vanish(self) -> None:
        assert self.client is not None
        self.client.connection.lost()
        self.client, self.is_subscribed = None, False

    def take_in(self) -> None:
        """Read what has arrived."""
        if self.client is None:
            return
        frames = self.client.socket.frames
        for frame in frames[self.read :]:
            self._take(frame)
        self.read = len(frames)
        if self.client.socket.closed is not None:
            assert self.client.socket.closed[0] == 1013
            self.vanish()

    def _take(self, frame: Any) -> None:
        if frame["type"] == "next":
            rt = frame["payload"]["extensions"]["rt"]
            epoch, position = self.position.get(rt["s"], [None, None])
            assert epoch in (None, "", rt["e"])
            if position is not None:
                assert rt.get("p", rt["o"] - 1) == position, "a gap, a double or a disorder"
            self.position[rt["s"]] = [rt["e"], rt["o"]]
            self.got[rt["s"]].append(rt["o"])
        elif frame["type"] == "ping":
            for stream, place in frame["payload"]["rt"]["live"]["s"].items():
                assert self.position.setdefault(stream, place)[1] <= place[1]
                self.position[stream] = place
        elif frame["type"] == "error":
            self.is_subscribed = False
            code = frame["payload"][0]["extensions"]["code"]
            assert code in ("RT_FORBIDDEN", "RT_UNRECOVERABLE"), code
            self.position = {}  # a snapshot is taken: what was not seen is known from there

    def may_see(self, stream: str, offset: int) -> bool:
        return not any(
            start <= offset < end for start, end in self.machine.cut_off[(self.token, stream)]
        )


class ReplayMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.broken: list[Any] = []
        self.loop.set_exception_handler(lambda _, context: self.broken.append(context))
        self.log = SmallLog()
        self.engine = SmallEngine()
        self.gates: dict[str, Gates] = {
            "log": self.log,
            "rights": self.engine,
            "rendering": self.engine.rendering,
        }
        bounds = LiveSettings(heartbeat_s=1e9, rings_bytes_max=RINGS_BYTES_MAX)
        self.nodes = [
            SmallNode(log=self.log, engine=self.engine, settings=bounds) for _ in range(2)
        ]
        self.sessions = [node.sessions for node in self.nodes]
        self.hints: list[Hint] = []
        self.cut_off: dict[tuple[str, str], list[tuple[int, float]]] = {}
        for node in self.nodes:
            self.run(node.hub.start)
        self.readers = [Reader(self, number) for number in range(4)]
        for reader in self.readers:
            for stream in STREAMS:
                self.engine.allow(reader.actor, stream)
                self.cut_off[(reader.token, stream)] = []

    def run(self, action: Callable[[], Any] = bool) -> None:
        """Do it on the loop, let everything come to rest, let the clients read."""

        async def act() -> None:
            made = action()
            if inspect.isawaitable(made):
                await made
            await settle()

        self.loop.run_until_complete(act())
        assert not self.broken, self.broken
        for reader in getattr(self, "readers", []):
            reader.take_in()

    def commit(self, *args: Any, **body: Any) -> LoggedEvent:
        event = self.log.append(*args, **body)
        self.hints.append(Hint(event.stream, event.epoch, event.offset, event))
        return event

    # What writers do

    @rule(stream=st.sampled_from(STREAMS), count=st.integers(1, 4), hidden=st.booleans())
    def publish(self, stream: str, count: int, hidden: bool) -> None:
        for _ in range(count):
            self.commit(stream, HIDDEN if hidden else "test.happened")

    @rule()
    def publish_poison(self) -> None:
        self.commit(STREAMS[0], POISON)

    @rule(number=CLIENTS)
    def remove(self, number: int) -> None:
        reader = self.readers[number]
        if STREAMS[0] in self.engine.rights[reader.actor.account()]:
            self.engine.forbid(reader.actor, STREAMS[0])
            event = self.commit(STREAMS[0], authority=True)
            self.cut_off[(reader.token, STREAMS[0])].append((event.offset, float("inf")))

    @rule(number=CLIENTS)
    def admit_again(self, number: int) -> None:
        reader = self.readers[number]
        if STREAMS[0] not in self.engine.rights[reader.actor.account()]:
            event = self.commit(STREAMS[0], authority=True)
            self.engine.allow(reader.actor, STREAMS[0], first=event.offset)
            start, _ = self.cut_off[(reader.token, STREAMS[0])].pop()
            self.cut_off[(reader.token, STREAMS[0])].append((start, event.offset))

    @rule(number=CLIENTS)
    def touch_grants(self, number: int) -> None:
        self.commit(f"me:{self.readers[number].actor.account_id}", authority=True)

    # What the bus does

    @precondition(lambda self: self.hints)
    @rule(data=st.data(), node=NODES, keep=st.booleans(), bodiless=st.booleans())
    def hint(self, data: st.DataObject, node: int, keep: bool, bodiless: bool) -> None:
        index = data.draw(st.integers(0, len(self.hints) - 1))
        hint = self.hints[index] if keep else self.hints.pop(index)
        if bodiless:
            hint = Hint(hint.stream, hint.epoch, hint.offset)
        self.run(lambda: self.nodes[node].hub.heard(hint))

    @precondition(lambda self: self.hints)
    @rule()
    def lose_hints(self) -> None:
        self.hints.clear()

    @rule(node=NODES)
    def sweep(self, node: int) -> None:
        self.run(lambda: self.nodes[node].timers.advance(6))

    # What other streams of the process do

    @rule(node=NODES)
    def need_the_memory(self, node: int) -> None:
        rings = self.nodes[node].hub.node.tails.rings
        other, size = Ring(rings), RINGS_BYTES_MAX - RING_EVENT_BYTES - len('{"text":""}')
        other.append(SmallLog().append("cv:9", text="x" * size))
        assert rings.held_bytes == RINGS_BYTES_MAX, "all else has given way"
        other.clear()

    # What the database does

    @rule(is_stale=st.booleans(), which=st.sampled_from(["log", "rights", "rendering"]))
    def hold(self, is_stale: bool, which: str) -> None:
        gates = self.gates[which]
        gates.is_stale = is_stale
        if gates.held is None:
            gates.held = []

    @precondition(lambda self: any(gates.held for gates in self.gates.values()))
    @rule(data=st.data())
    def let_one_go(self, data: st.DataObject) -> None:
        held = [gates.held for gates in self.gates.values() if gates.held]
        some = data.draw(st.sampled_from(held))
        some.pop(data.draw(st.integers(0, len(some) - 1))).set()
        self.run()

    @precondition(lambda self: any(g.held is not None for g in self.gates.values()))
    @rule()
    def let_all_go(self) -> None:
        self.release()

    def release(self) -> None:
        for gates in self.gates.values():
            gates.release()
        self.run()

    # What clients do

    @rule(number=CLIENTS, node=NODES, vanishes_first=st.booleans())
    def come_and_resume(self, number: int, node: int, vanishes_first: bool) -> None:
        reader = self.readers[number]
        if reader.client is not None and vanishes_first:
            self.run(reader.vanish)
        if reader.client is None:
            self.run(lambda: reader.connect(self.nodes[node]))
        assert reader.client is not None
        if reader.client.connection.is_ready and not reader.is_subscribed:
            self.run(reader.subscribe)

    @rule(number=CLIENTS)
    def vanish(self, number: int) -> None:
        if self.readers[number].client is not None:
            self.run(self.readers[number].vanish)

    @rule(number=CLIENTS, unread=UNREAD)
    def stop_reading(self, number: int, unread: int) -> None:
        client = self.readers[number].client
        if client is not None:
            client.socket.unread_bytes = unread

    # What must hold

    @invariant()
    def seats_and_groups_agree(self) -> None:
        for node in getattr(self, "nodes", []):
            for tail in node.hub.node.tails._tails.values():
                for group, seats in tail.live.items():
                    assert seats
                    assert all(seat.group is group for seat in seats)
                    assert all(seat.subscription in group.members for seat in seats)

    @invariant()
    def rings_hold_what_they_say_and_no_more(self) -> None:
        for node in getattr(self, "nodes", []):
            tails = node.hub.node.tails
            held = sum(tail._ring._bytes for tail in tails._tails.values())
            assert held == tails.rings.held_bytes <= RINGS_BYTES_MAX

    @invariant()
    def nobody_sees_what_was_cut_off(self) -> None:
        for reader in getattr(self, "readers", []):
            for stream, offsets in reader.got.items():
                assert all(reader.may_see(stream, offset) for offset in offsets)

    def teardown(self) -> None:
        try:
            self.release()
            for reader in self.readers:
                if reader.client is not None:
                    reader.client.socket.unread_bytes = 0
            for node in self.nodes:
                for _ in range(2):
                    self.run(lambda node=node: node.timers.advance(7))
            for reader in self.readers:
                self.ensure_complete(reader)
        finally:
            for node in self.nodes:
                self.loop.run_until_complete(node.hub.stop())
            self.loop.run_until_complete(settle())
            self.loop.close()

    def ensure_complete(self, reader: Reader) -> None:
        for offsets in reader.got.values():
            assert offsets == sorted(set(offsets)), "twice, or out of order"
        if not reader.is_subscribed:
            return
        assert STREAMS[0] in self.engine.rights[reader.actor.account()], "cut off, yet subscribed"
        for stream in reader.streams:
            events = self.log.streams.get(stream, ("", []))[1]
            shown = [event.offset for event in events if event.kind != HIDDEN]
            at = reader.position[stream][1]
            assert not [offset for offset in shown if offset > at], "something is still missing"


ReplayMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_a_clients_copy_equals_the_log = ReplayMachine.TestCase
