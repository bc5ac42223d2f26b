"""One socket: carries out what the protocol decides, with tasks, timers and the node's parts.

Frames are taken in order and never wait for an operation. A session's end, a change of its grants
and a peer that is dead or does not read all end here. Logs hold ids only.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from typing import Any
from uuid import UUID

from domain.kernel.actor import Actor
from domain.kernel.ids import new_id
from domain.kernel.ports import NO_EDGE, Edge, GraphQLRequest
from domain.kernel.streams import Json
from realtime.bounds import (
    HARD_BUFFER_BYTES,
    OPS_PER_CONNECTION_MAX,
    RECHECK_BEATS,
    SOFT_BUFFER_BYTES,
)
from realtime.close_codes import EXPIRED, LIMIT_OP, REVOKED, TALKATIVE, CloseCode, op_errors
from realtime.frames import text_frame
from realtime.node import Node
from realtime.operations import Operations
from realtime.protocol import (
    SUBPROTOCOL,
    Authenticate,
    Close,
    Effect,
    OpenOperation,
    Phase,
    Send,
    ServerProtocol,
    Start,
    Stop,
    live_frame,
    ping_frame,
    welcome_payload,
)
from realtime.rate import Allowance
from realtime.resume import Position
from realtime.session import Session
from realtime.slowness import Slowness
from realtime.timing import TimerHandle
from realtime.transport import Transport

logger = logging.getLogger(__name__)


class Connection:
    """One socket from its handshake to its end. The Subscriber of its subscriptions."""

    __slots__ = (
        *("_allowance", "_beats", "_close_timer", "_init_timer", "_node", "_protocol", "_session"),
        *("_tasks", "_was_heard", "edge", "id", "operations", "owner", "slow", "transport"),
    )

    def __init__(
        self,
        node: Node,
        transport: Transport,
        *,
        subprotocol: str | None = SUBPROTOCOL,
        cookie: str | None = None,
        edge: Edge = NO_EDGE,
    ) -> None:
        self.id = new_id()
        self.edge = edge
        self.owner: tuple[UUID | None, UUID | None] | None = None
        self.transport = transport
        self.slow: Slowness | None = None
        self._node = node
        self._protocol = ServerProtocol(subprotocol)
        self._session = Session(node, cookie, self.distrust)
        self.operations = Operations(self, node)
        self._allowance = Allowance(node.settings, node.timers.time())
        self._init_timer: TimerHandle | None = None
        self._close_timer: TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._was_heard, self._beats = True, 0

    # What happens at the socket

    def opened(self) -> None:
        """The handshake is done."""
        self._node.registry.add(self)
        self._init_timer = self._node.timers.call_later(
            self._node.settings.init_timeout_s, self._init_timed_out
        )
        self._apply(self._protocol.opened())

    def receive_text(self, raw: bytes) -> None:
        """A text frame has come."""
        self._was_heard = True
        if self._allowance.has_frame(self._node.timers.time()):
            self._apply(self._protocol.receive_text(raw))
        else:
            self.close(CloseCode.FORBIDDEN, TALKATIVE)

    def receive_binary(self) -> None:
        """A binary frame has come."""
        self._apply(self._protocol.receive_binary())

    def lost(self) -> None:
        """The socket is gone; called once, whoever ended it."""
        self._apply(self._protocol.lost())
        self._release()
        if self._close_timer is not None:
            self._close_timer.cancel()
        self._node.registry.remove(self)

    # What the node wants

    @property
    def is_ready(self) -> bool:
        """Whether somebody is signed in on it."""
        return self._protocol.phase is Phase.READY

    def close(self, code: CloseCode, reason: str = "") -> None:
        """Close it, if it is still open."""
        self._apply(self._protocol.close(code, reason))

    def ping(self, payload: bytes | None = None) -> None:
        """Send a ``ping``; a client that knows us reads its payload (a JSON object)."""
        if self.is_ready:
            self._write(ping_frame(payload))

    def beat(self) -> None:
        """One heartbeat: cut a peer that has been silent since the last, else ping it."""
        if not self.is_ready:
            return
        if not self._was_heard:
            # Not a close with 1011, which the stock client takes for good: 1006 brings it back.
            self.transport.abort()
            return
        self._was_heard = False
        self.ping()
        self._beats += 1
        if self._beats % RECHECK_BEATS == 0 or self._must_look():
            self._spawn(self._recheck())

    # As the Subscriber of its subscriptions

    async def standing(self, *, renew: bool) -> Actor | None:
        """Who it is; None once the session has ended, and then the socket closes."""
        actor = await self._session.standing(renew=renew)
        if actor is None:
            self.close(CloseCode.FORBIDDEN, EXPIRED if self._session.is_expired else REVOKED)
        return actor

    def write_next(self, operation: OpenOperation, payload: bytes) -> bool:
        """Write a ``next``; False when the operation or the socket is gone."""
        frame = self._protocol.next_frame(operation, payload)
        if frame is None:
            return False
        self._write(frame)
        return True

    def write_live(self, operation: OpenOperation, positions: Mapping[str, Position]) -> None:
        """Tell that the operation is live from these positions on."""
        if self._protocol.is_open(operation):
            places = {stream: (p.epoch, p.offset) for stream, p in positions.items()}
            self._write(live_frame(operation, places))

    def complete(self, operation: OpenOperation) -> None:
        """End the operation well."""
        if (frame := self._protocol.complete(operation)) is not None:
            self._write(frame)

    def fail(self, operation: OpenOperation, errors: list[Json]) -> None:
        """End the operation with errors; nothing when it has ended already."""
        self.operations.forget(operation)
        frame = self._protocol.fail(operation, errors)
        if frame is not None:
            self._write(frame)

    def slowed(self) -> None:
        """More is unsent than a peer that keeps up would leave."""
        if self.slow is None and self.is_ready:
            self.slow = Slowness(self._node, self)

    def close_lagging(self) -> None:
        """The peer does not read."""
        self._node.metrics.closed_slow += 1
        self.close(CloseCode.TRY_AGAIN_LATER)

    def buffered_bytes(self) -> int:
        """Bytes that the peer has not taken yet."""
        return self.transport.buffered_bytes()

    # As the owner of the session

    def distrust(self) -> None:
        """The account's rights have moved: stop every subscription at once, then look."""
        self.operations.distrust()
        self._spawn(self._recheck())

    # Effects

    def _apply(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(frame):
                    self._write(frame)
                case Close(code, reason):
                    self._close(code, reason)
                case Authenticate(payload):
                    self._cancel_init_timer()
                    self._spawn(self._sign_in(payload))
                case Start(operation, request):
                    wait_s = self._allowance.operation_wait_s(self._node.timers.time())
                    if wait_s or len(self.operations) >= OPS_PER_CONNECTION_MAX:
                        again = round(wait_s, 3) or 1.0
                        self.fail(operation, op_errors(LIMIT_OP, retryAfterS=again))
                    else:
                        self._start(operation, request)
                case Stop(operation):
                    self.operations.stop(operation)

    def _start(self, operation: OpenOperation, request: GraphQLRequest) -> None:
        self._session.asked(request)
        if self._must_look():
            self._spawn(self._recheck())
        self.operations.start(operation, request)

    def _must_look(self) -> bool:
        # One beat at least falls into this time, so that no use is told too late to count.
        return self._session.must_look(2 * self._node.settings.heartbeat_s)

    def _write(self, text: bytes) -> None:
        frame = text_frame(text)
        self._node.metrics.bytes_out += len(frame)
        unsent = self.transport.write_soon(frame)
        if unsent > HARD_BUFFER_BYTES:
            self.close_lagging()
        elif unsent > SOFT_BUFFER_BYTES:
            self.slowed()

    def _close(self, code: CloseCode, reason: str) -> None:
        logger.info("connection %s closes: %d", self.id, code)
        self._node.metrics.close_codes[code] += 1
        self._release()
        self.transport.close(code, reason)
        # A peer that does not read never answers the close frame either.
        self._close_timer = self._node.timers.call_later(
            self._node.settings.close_timeout_s, self.transport.abort
        )

    def _release(self) -> None:
        self._cancel_init_timer()
        if self.slow is not None:
            self.slow.end()
        for task in self._tasks - {asyncio.current_task()}:
            task.cancel()
        self._session.end()

    def _cancel_init_timer(self) -> None:
        timer, self._init_timer = self._init_timer, None
        if timer is not None:
            timer.cancel()

    def _init_timed_out(self) -> None:
        self._init_timer = None
        self._apply(self._protocol.init_timed_out())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _sign_in(self, payload: Mapping[str, Any]) -> None:
        try:
            admitted = await self._session.sign_in(payload)
        except Exception as error:
            logger.warning("connection %s: sign-in failed: %s", self.id, type(error).__name__)
            self.close(CloseCode.TRY_AGAIN_LATER)
            return
        if not admitted:
            self._apply(self._protocol.refuse())
        elif not self._node.registry.admit(self, self._session.account, self._session.id):
            self.close(CloseCode.TOO_MANY_CONNECTIONS)
        else:
            times = (self._session.expires_at, self._node.settings.heartbeat_s)
            self._apply(self._protocol.acknowledge(welcome_payload(self.id, *times)))

    async def _recheck(self) -> None:
        """Look at the session; subscriptions ask again when anything about the actor changed."""
        before = self._session.actor
        try:
            actor = await self.standing(renew=True)
        except Exception as error:  # parked subscriptions go on asking; the next beat looks again
            logger.warning("connection %s: no look possible: %s", self.id, type(error).__name__)
            return
        if actor is not None and actor != before:
            self.operations.distrust()
