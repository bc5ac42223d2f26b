"""An echo for Autobahn's cases: ``python -m tests.clients.echo lane|asgi PORT``.

uvicorn is configured as ``unionhall serve`` has it; only the longest message is raised, for group 9
sends 16 MiB. ``lane``: each socket is taken over and written to by LaneTransport. ``asgi``: plain
messages, texts through AsgiTransport. docs/conformance.md says how it is run and what came of it.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections import Counter
from contextlib import suppress
from typing import Any, cast

import uvicorn
from starlette.types import Message, Receive, Scope, Send
from websockets.frames import Frame, Opcode

from gateway.handshake import QuickLane
from gateway.lane import LANE, LaneProtocol
from gateway.lane_transport import LaneTransport
from gateway.serving import configured, run
from gateway.settings import Settings
from gateway.sockets import AsgiTransport
from realtime.connection import Connection
from realtime.frames import text_frame

MESSAGE_BYTES_MAX = 20 * 1024 * 1024
HOST = "127.0.0.1"

handshakes: Counter[str] = Counter()
"""How many were answered by whom."""


class Mirror:
    """Whoever takes a lane over hears nothing of a binary message but that it came: with that the
    live layer closes. This one stands at the lane's own door, and writes back what it is given."""

    def __init__(self, lane: LaneProtocol) -> None:
        self._transport = LaneTransport(lane)
        lane._hear = self.hear  # type: ignore[method-assign]  # of this lane alone

    def hear(self, data: bytes, *, is_text: bool) -> None:
        """Send it back."""
        whole = text_frame(data) if is_text else Frame(Opcode.BINARY, data).serialize(mask=False)
        self._transport.write_frame(whole)

    def lost(self) -> None:
        """Nothing is kept."""


async def on_lane(scope: Scope, receive: Receive, send: Send) -> None:
    """Take the socket over as the live layer does."""
    if lane := await _accepted(scope, receive, send):
        lane.take_over(cast("Connection", Mirror(lane)))


async def on_asgi(scope: Scope, receive: Receive, send: Send) -> None:
    """Messages to and fro, as under any server."""
    if not await _accepted(scope, receive, send):
        return
    transport = AsgiTransport(send)
    writing = asyncio.create_task(transport.write())
    try:
        while (message := await receive())["type"] == "websocket.receive":
            if (text := message.get("text")) is not None:
                transport.write_frame(text_frame(text.encode()))
            else:
                await _send_binary(send, message["bytes"])
    finally:
        writing.cancel()


async def _accepted(scope: Scope, receive: Receive, send: Send) -> LaneProtocol | None:
    """The socket's lane, once its handshake is answered; None for what is no socket."""
    if scope["type"] != "websocket" or (await receive())["type"] != "websocket.connect":
        return None
    lane = scope["extensions"][LANE]
    handshakes["ours" if isinstance(lane, QuickLane) else "the library's"] += 1
    accept: Message = {"type": "websocket.accept"}
    await send(accept)
    return cast("LaneProtocol", lane)


async def _send_binary(send: Send, data: Any) -> None:
    await send({"type": "websocket.send", "bytes": data})


def main() -> None:
    """Serve until Ctrl-C; then say who answered the handshakes."""
    way, port = sys.argv[1:]
    config = configured({"lane": on_lane, "asgi": on_asgi}[way], Settings())
    config.ws_max_size = MESSAGE_BYTES_MAX
    with socket.create_server((HOST, int(port))) as listener, suppress(KeyboardInterrupt):
        run(uvicorn.Server(config).serve(sockets=[listener]))
    sys.stdout.write(f"handshakes: {dict(handshakes)}\n")


if __name__ == "__main__":
    main()
