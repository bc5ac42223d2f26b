"""The live layer of one process: the one object that the gateway makes."""

from __future__ import annotations

import asyncio
import logging

from domain.kernel import streams
from domain.kernel.ports import NO_EDGE, Clock, Deliveries, Edge, Engine
from realtime.authority import Authenticator
from realtime.bounds import LiveSettings
from realtime.bus import Bus, BusMessage
from realtime.close_codes import CloseCode
from realtime.connection import Connection
from realtime.drain import DrainTimes, await_mutations, drain
from realtime.fanout import FanOut
from realtime.log import Log
from realtime.loop_watch import LoopWatch
from realtime.metrics import LiveMetrics, Refusal
from realtime.node import Node
from realtime.presence import PresenceBook
from realtime.protocol import SUBPROTOCOL
from realtime.receipts import Receipts
from realtime.registry import BEAT_SLOTS, Registry
from realtime.sharing import Groups
from realtime.tails import Tails
from realtime.timing import TimerHandle, Timers
from realtime.transport import ONE_BY_ONE, Outlet, Transport

logger = logging.getLogger(__name__)

STOP_FINISH_S = 10.0
"""How long mutations are waited for by a node that stops without having been drained."""


class Hub:
    """Opens connections, beats their hearts, listens to the bus. Make it on the running loop."""

    def __init__(
        self,
        engine: Engine,
        authenticator: Authenticator,
        bus: Bus,
        presence: PresenceBook,
        *,
        deliveries: Deliveries,
        clock: Clock,
        settings: LiveSettings | None = None,
        log: Log = streams,
        timers: Timers | None = None,
        metrics: LiveMetrics | None = None,
        outlet: Outlet = ONE_BY_ONE,
    ) -> None:
        settings = settings or LiveSettings()
        timers = timers or asyncio.get_running_loop()
        metrics = metrics or LiveMetrics()
        receipts = Receipts(deliveries, clock, timers, metrics, delay_s=settings.receipt_delay_s)
        fan_out = FanOut(clock, receipts, metrics, outlet)
        self.node = Node(
            engine=engine,
            authenticator=authenticator,
            presence=presence,
            tails=Tails(log, fan_out, clock, timers, settings),
            groups=Groups(metrics, timers),
            fan_out=fan_out,
            registry=Registry(settings),
            receipts=receipts,
            clock=clock,
            timers=timers,
            settings=settings,
            metrics=metrics,
        )
        self.is_draining = self._is_drained = False
        self._bus = bus
        self._slot = 0
        self._beat: TimerHandle | None = None
        self._loop_watch = LoopWatch(timers, metrics.loop_lag_s)
        bus.listen(self)

    async def start(self) -> None:
        """Begin: the bus carries, tails are swept, hearts beat."""
        await self._bus.start()
        self.node.tails.bus_health_changed(self._bus.healthy)
        await self.node.presence.start()
        self.node.tails.start()
        self._loop_watch.start()
        self._plan_beat()

    async def drain(self, times: DrainTimes | None = None) -> None:
        """Take no new socket, send the open ones elsewhere, in bounded time; ``stop`` follows."""
        self.is_draining = True
        await drain(self.node, times or DrainTimes())
        self._is_drained = True

    async def stop(self) -> None:
        """Close what is left (1001), wait for mutations within a bound, end every task."""
        self.is_draining = True
        if self._beat is not None:
            self._beat.cancel()
        self._loop_watch.stop()
        for connection in self.node.registry:
            connection.close(CloseCode.GOING_AWAY)
        await await_mutations(self.node, 0 if self._is_drained else STOP_FINISH_S)
        await self.node.receipts.flush()
        await self.node.presence.stop()
        await self.node.tails.stop()
        await self._bus.stop()

    def refusal(self, client_key: str = "") -> Refusal | None:
        """Why this socket may not be opened; None: it may. Asked once a handshake, and counted."""
        reason = self.node.registry.refusal(client_key)
        if self.is_draining:
            reason = "draining"
        elif reason is None and not self._loop_watch.lets_in():
            reason = "lagging"
        if reason is not None:
            self.node.metrics.refusals[reason] += 1
        return reason

    def open(
        self,
        transport: Transport,
        *,
        subprotocol: str | None = SUBPROTOCOL,
        cookie: str | None = None,
        edge: Edge = NO_EDGE,
    ) -> Connection:
        """A socket whose handshake is done. Tell the connection what comes, and once ``lost``.

        When draining began during the handshake, it is sent elsewhere at once: the drain may have
        counted who is to be told, and waits for nobody who came later."""
        connection = Connection(
            self.node, transport, subprotocol=subprotocol, cookie=cookie, edge=edge
        )
        connection.opened()
        if self.is_draining:
            connection.close(CloseCode.RESTART)
        return connection

    def gauges(self) -> dict[str, float]:
        """What stands now, by name; walks through every connection, so ask for it seldom."""
        node = self.node
        operations = sum(connection.operations.following for connection in node.registry)
        groups = len(node.groups)
        return {
            "connections": len(node.registry),
            "operations": operations,
            "groups": groups,
            "sharing_ratio": operations / groups if groups else 1.0,
            "tails": len(node.tails),
            "live_ring_bytes": node.tails.rings.held_bytes,
            "mutations": len(node.mutations),
            "receipts_waiting": len(node.receipts),
            "draining": self.is_draining,
            "bus_healthy": self._bus.healthy,
        }

    # As the listener of the bus

    def heard(self, message: BusMessage) -> None:
        """A hint or a whisper of any process."""
        self.node.tails.heard(message)

    def bus_health_changed(self, healthy: bool) -> None:
        """Sweep more often while other processes can't be heard."""
        self.node.tails.bus_health_changed(healthy)

    def _plan_beat(self) -> None:
        delay_s = self.node.settings.heartbeat_s / BEAT_SLOTS
        self._beat = self.node.timers.call_later(delay_s, self._on_beat)

    def _on_beat(self) -> None:
        self._plan_beat()
        self._slot = (self._slot + 1) % BEAT_SLOTS
        self.node.groups.forget_old()
        self.node.tails.pages.forget_old()
        buffers = self.node.metrics.write_buffer_bytes
        for connection in self.node.registry.in_slot(self._slot):
            buffers.observe(connection.buffered_bytes())
            connection.beat()
