"""W1's client: keep-alive connections that post one request after another, each bound to one."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import orjson
import uvloop

from tests.load.clients.window import Window, answer, percentile_ms, read_plan

HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"
PATIENCE_S = 10
"""How long the last answers may take after the end was called."""


class Asker(asyncio.Protocol):
    """One connection: sends when the last answer is there, until it is told to stop."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._buffer = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes, only of their shape.
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        whole = _whole_answer(self._buffer)
        if whole is None:
            return
        self._load.count(whole, time.perf_counter() - self._sent_at)
        self._buffer = b""
        if self._load.is_asking:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.closed(is_expected=not self._load.is_asking)

    def _ask(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._load.request)


def _whole_answer(buffer: bytes) -> bytes | None:
    """The answer once it is all there. Only answers of declared length: all our servers do so."""
    end = buffer.find(HEAD_END)
    if end < 0:
        return None
    head = buffer[:end].lower()
    at = head.find(LENGTH)
    if at < 0:
        return buffer
    length = int(head[at + len(LENGTH) :].partition(b"\r\n")[0])
    return buffer if len(buffer) >= end + len(HEAD_END) + length else None


class Load:
    """The whole load: counts what came, well or badly, while a window is open."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.request = _request(plan)
        self.is_asking = True
        self.errors = 0
        self.latencies_s: list[float] = []
        self.answer_bytes = 0
        self.sample = b""
        self._nodes = int(plan["nodes"])
        self._is_counting = False
        self._connected = int(plan["connections"])
        self._all_closed = asyncio.Event()

    def count(self, whole: bytes, took_s: float) -> None:
        """An answer is there; it counts as good when it is 200, of all nodes, without errors."""
        if not self.sample:
            self.sample = whole
        is_good = whole.startswith(b"HTTP/1.1 200") and b'"errors"' not in whole
        if not is_good or whole.count(b'"node"') != self._nodes:
            self.errors += 1
        elif self._is_counting:
            self.latencies_s.append(took_s)
            self.answer_bytes = len(whole)

    def closed(self, *, is_expected: bool) -> None:
        """A connection is gone."""
        self.errors += not is_expected
        self._connected -= 1
        if not self._connected:
            self._all_closed.set()

    async def measure(self, plan: dict[str, Any]) -> Window:
        """Warm up, then count for as long as the plan says, then let the last ones finish."""
        await asyncio.sleep(plan["warm_s"])
        window = Window(plan["server_pids"])
        self._is_counting = True
        await asyncio.sleep(plan["measure_s"])
        self._is_counting = False
        window.close()
        self.is_asking = False
        try:
            await asyncio.wait_for(self._all_closed.wait(), PATIENCE_S)
        except TimeoutError:
            self.errors += self._connected
        return window


def _request(plan: dict[str, Any]) -> bytes:
    body = orjson.dumps({"query": plan["query"], "operationName": "M"})
    headers = {
        "Host": "127.0.0.1",
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Content-Length": str(len(body)),
        **plan["headers"],
    }
    lines = [f"POST {plan['path']} HTTP/1.1", *(f"{key}: {headers[key]}" for key in headers)]
    return "\r\n".join(lines).encode() + HEAD_END + body


async def run(plan: dict[str, Any]) -> dict[str, Any]:
    """The figures of one run."""
    load = Load(plan)
    loop = asyncio.get_running_loop()
    for _ in range(plan["connections"]):
        await loop.create_connection(lambda: Asker(load), "127.0.0.1", plan["port"])
    window = await load.measure(plan)
    answered = len(load.latencies_s)
    return {
        "rps": round(answered / window.wall_s, 1),
        "cpu_us_per_request": round(window.server_cpu_s * 1e6 / answered, 1) if answered else None,
        "p50_ms": percentile_ms(load.latencies_s, 0.5),
        "p99_ms": percentile_ms(load.latencies_s, 0.99),
        "errors": load.errors,
        "answer_bytes": load.answer_bytes,
        "server_cpu_share": window.server_cpu_share,
        "client_cpu_share": window.client_cpu_share,
        "first_error": _first_error(load),
    }


def _first_error(load: Load) -> str | None:
    return load.sample[:400].decode(errors="replace") if not load.latencies_s else None


if __name__ == "__main__":
    answer(uvloop.run(run(read_plan())))
