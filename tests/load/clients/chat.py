"""W3's client: members on sockets of their own, each sending to the other of its conversation.

First a closed loop (each member has one message outstanding), then an open loop at half of the rate
that came of it, where latency counts from the instant a message was due.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import orjson
import uvloop

from tests.load.clients.frames import Socket, upgrade
from tests.load.clients.ledger import Ledger
from tests.load.clients.window import Window, answer, percentile_ms, read_plan

MARK = b"#n"
"""Starts the number of a message in its text: found in a frame of any dialect."""
DIGITS = 8
NUMBER = b"%NUMBER%"
NUMBERS_A_ROUND = 1_000_000
CONNECTING_MAX = 40
"""Sockets that open at once: a storm of them is another workload."""
OPENING_TIMEOUT_S = 20
SETTLING_S = 0.3
"""After the last opening: a subscription has no acknowledgement of its own in the protocol."""
PATIENCE_S = 6
"""How long the last messages may take after the end of sending was called."""
RETRY_S = 0.05
"""A member whose message was refused waits so long: a refusal must not become a storm."""
REASONS_MAX = 5
REASON_CHARS_MAX = 300


class Member:
    """One member: a socket, what opens it, and the message it sends again and again."""

    def __init__(self, chat: Chat, index: int, plan: dict[str, Any]) -> None:
        self._chat = chat
        self._index = index
        self._opening = [(say.encode(), hear.encode()) for say, hear in plan["opening"]]
        self._template: bytes = plan["template"].encode()
        self.peer: int = plan["peer"]
        self._awaited: tuple[bytes, asyncio.Future[None]] | None = None
        self._socket: Socket

    async def open(self, request: bytes, port: int) -> None:
        """Connect and go through the opening, waiting for each word that is expected."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(OPENING_TIMEOUT_S):
            expected = self._expect(b"")
            _, self._socket = await loop.create_connection(
                lambda: Socket(request, self._hear, self._end), "127.0.0.1", port
            )
            await expected
            for say, hear in self._opening:
                expected = self._expect(hear)
                self._socket.say(say)
                if hear:
                    await expected
        self._awaited = None

    def send(self, number: int) -> None:
        """Send the message of this number."""
        self._socket.say(self._template.replace(NUMBER, b"%0*d" % (DIGITS, number)))

    def say(self, frame: bytes) -> None:
        """Send anything."""
        self._socket.say(frame)

    def close(self) -> None:
        """Leave."""
        self._socket.close()

    def _expect(self, word: bytes) -> asyncio.Future[None]:
        future = asyncio.get_running_loop().create_future()
        self._awaited = (word, future)
        return future

    def _hear(self, frame: bytes) -> None:
        if self._awaited is not None:
            word, future = self._awaited
            if word in frame and not future.done():
                future.set_result(None)
            return
        self._chat.hear(self._index, frame)

    def _end(self, reason: str) -> None:
        if self._awaited is not None and not self._awaited[1].done():
            self._awaited[1].set_exception(ConnectionError(reason))
        self._chat.end(reason)


class Chat:
    """All members and what happens between them."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        self.members = [Member(self, index, each) for index, each in enumerate(plan["members"])]
        self.ledger = Ledger(plan["round"] * NUMBERS_A_ROUND)
        self.is_closed_loop = False
        self.is_over = False
        self.ended = 0
        self.reasons: list[str] = []

    async def open(self) -> None:
        """Everybody connects and subscribes."""
        port, turns = self._plan["port"], asyncio.Semaphore(CONNECTING_MAX)
        request = upgrade(self._plan["path"], port, self._plan["headers"])

        async def enter(member: Member) -> None:
            async with turns:
                await member.open(request, port)

        await asyncio.gather(*(enter(member) for member in self.members))
        await asyncio.sleep(SETTLING_S)

    def send(self, index: int, at: float) -> None:
        """A member sends the next message."""
        self.members[index].send(self.ledger.send(index, at))

    def hear(self, index: int, frame: bytes) -> None:
        """A frame came to a member."""
        at = frame.find(MARK)
        if at >= 0:
            start = at + len(MARK)
            self._receive(index, int(frame[start : start + DIGITS]))
        elif b'"complete"' not in frame or b'"m' not in frame:
            self._answered(index, orjson.loads(frame))

    def end(self, reason: str) -> None:
        """A socket is gone."""
        if not self.is_over:
            self.ended += 1
            self._note(reason)

    def _receive(self, index: int, number: int) -> None:
        sender = self.ledger.sender(number)
        if index != self.members[sender].peer:
            return  # one's own message, echoed to one's own subscription
        if self.ledger.receive(number) and self.is_closed_loop:
            self.send(sender, time.perf_counter())

    def _answered(self, index: int, said: dict[str, Any]) -> None:
        if "ack" in said:
            self.ledger.acknowledge(int(said["ack"]))
        elif said["type"] == "ping":
            self.members[index].say(b'{"type":"pong"}')
        elif said.get("id", "").startswith("m"):
            self._settled(index, int(said["id"][1:]), said)
        elif said["type"] in ("error", "complete") or "errors" in (said.get("payload") or ()):
            self.end(f"the subscription: {said}")

    def _settled(self, index: int, number: int, said: dict[str, Any]) -> None:
        if said["type"] == "next" and "errors" not in said["payload"]:
            self.ledger.acknowledge(number)
            return
        self.ledger.fail(number)
        self._note(str(said["payload"]))
        if self.is_closed_loop:
            asyncio.get_running_loop().call_later(RETRY_S, self._send_again, index)

    def _send_again(self, index: int) -> None:
        if self.is_closed_loop:
            self.send(index, time.perf_counter())

    def _note(self, reason: str) -> None:
        if len(self.reasons) < REASONS_MAX and reason[:REASON_CHARS_MAX] not in self.reasons:
            self.reasons.append(reason[:REASON_CHARS_MAX])

    async def settle(self) -> None:
        """Until everything sent has come or failed, within patience."""
        for _ in range(int(PATIENCE_S / RETRY_S)):
            if not self.ledger.unsettled:
                break
            await asyncio.sleep(RETRY_S)
        await asyncio.sleep(RETRY_S)  # the last acknowledgements follow their messages


async def saturate(chat: Chat, plan: dict[str, Any]) -> dict[str, Any]:
    """The closed loop: each member one message outstanding; what came in the window."""
    chat.is_closed_loop = True
    for index in range(len(chat.members)):
        chat.send(index, time.perf_counter())
    await asyncio.sleep(plan["warm_s"])
    before = len(chat.ledger.latencies_s)
    window = Window(plan["server_pids"])
    await asyncio.sleep(plan["measure_s"])
    window.close()
    latencies = chat.ledger.latencies_s[before:]
    chat.is_closed_loop = False
    await chat.settle()
    return {
        "msgs_s": round(len(latencies) / window.wall_s, 1),
        "cpu_us_per_message": _per_message_us(window, len(latencies)),
        "closed_p50_ms": percentile_ms(latencies, 0.5),
        "closed_p99_ms": percentile_ms(latencies, 0.99),
        "server_cpu_share": window.server_cpu_share,
        "client_cpu_share": window.client_cpu_share,
    }


async def hold_rate(chat: Chat, plan: dict[str, Any], rate_s: float) -> dict[str, Any]:
    """The open loop: messages leave when they are due, whatever has become of the former ones."""
    before = len(chat.ledger.latencies_s)
    window = Window(plan["server_pids"])
    for index, due in _due_times(len(chat.members), rate_s, plan["measure_s"]):
        wait = due - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        chat.send(index, due)
    window.close()
    await chat.settle()
    latencies = chat.ledger.latencies_s[before:]
    return {
        "open_rate_s": round(rate_s, 1),
        "open_cpu_us_per_message": _per_message_us(window, len(latencies)),
        "p50_ms": percentile_ms(latencies, 0.5),
        "p99_ms": percentile_ms(latencies, 0.99),
    }


def _due_times(members: int, rate_s: float, seconds: float) -> Iterator[tuple[int, float]]:
    start = time.perf_counter()
    for count in range(int(rate_s * seconds)):
        yield count % members, start + count / rate_s


def _per_message_us(window: Window, messages: int) -> float | None:
    return round(window.server_cpu_s * 1e6 / messages, 1) if messages else None


async def run(plan: dict[str, Any]) -> dict[str, Any]:
    """The figures of one run."""
    chat = Chat(plan)
    opening = Window(plan["server_pids"])
    await chat.open()
    opening.close()
    figures = await saturate(chat, plan)
    if figures["msgs_s"] and plan["is_rate_held"]:
        figures |= await hold_rate(chat, plan, figures["msgs_s"] / 2)
    chat.is_over = True
    for member in chat.members:
        member.close()
    return {
        **figures,
        "lost": chat.ledger.lost,
        "twice": chat.ledger.twice,
        "failed": chat.ledger.failed,
        "unanswered": chat.ledger.unanswered,
        "sockets_ended": chat.ended,
        "reasons": chat.reasons,
        "opening_cpu_us_per_socket": _per_message_us(opening, len(chat.members)),
    }


if __name__ == "__main__":
    answer(uvloop.run(run(read_plan())))
