"""The composition root (装配): every part of one process is made here, once.

Nothing else binds a Protocol to what fulfils it. A process that serves has a hub; a worker has none
and still announces on the bus what it commits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from domain import reactions
from domain.access import actors
from domain.consultations.unread import UNREAD_NUDGE, UnreadTeller
from domain.kernel import generations
from domain.kernel.clock import SystemClock
from domain.kernel.database import connect, disconnect
from domain.kernel.ports import Clock
from domain.kernel.streams import LoggedEvent
from domain.kernel.together import Together
from domain.kernel.work import Works
from domain.notices.board import BoardFlusher
from domain.notices.deliveries import NoticeDeliveries
from domain.notices.receipts import BOARD_NUDGE
from domain.vault import service as vault
from domain.vault.custody import RootKeyFile, RootKeyProvider, RootKeyVariable
from domain.vault.passwords import Passwords, install_passwords
from domain.vault.process import keep_keys_out_of_dumps
from gateway import documents
from gateway.outlet import RingOutlet, granted_ring
from gateway.settings import Settings
from realtime.announcer import BusAnnouncer
from realtime.authority import Admission
from realtime.bounds import LiveSettings
from realtime.bus import Bus, LocalBus
from realtime.hub import Hub
from realtime.metrics import LiveMetrics
from realtime.presence import LocalPresence, PresenceBook
from realtime.standings import Standings
from schema.engine import SchemaEngine
from schema.root import build, core_schema
from schema.trusted import TrustedDocuments

ROOT_KEY_VARIABLE = "UNIONHALL_ROOT_KEY"


ADMITTED_TOGETHER_MAX = 256
"""Sessions looked at by one statement: some 10 ms of the database, and above 64 little is saved."""
ADMITTING_AT_ONCE_MAX = 2
"""Such statements under way, of each kind: one may wait for the disk while the next one reads."""
ADMITTING_GATHER_S = 0.003
"""For company, where others are being looked at: nobody feels it, and a stream of single comers
pays for a third of the statements. A look takes 2 ms."""


class Sessions:
    """The live layer's Authenticator over the access slice. Who asks at the same time is answered
    by the same statement; a storm of sign-ins does not hold up a revocation."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        most, at_once = ADMITTED_TOGETHER_MAX, ADMITTING_AT_ONCE_MAX
        self._by_token = Together(
            self._of_tokens, many_max=most, at_once_max=at_once, gather_s=ADMITTING_GATHER_S
        )
        self._by_id = Together(self._of_sessions, many_max=most, at_once_max=at_once)

    async def authenticate(
        self, token: str | None, cookie: str | None, *, is_used: bool = True
    ) -> Admission | None:
        """The session of a token, else of a cookie; ``is_used``: its user is there."""
        given = token or cookie
        return await self._by_token.ask((given, is_used)) if given else None

    async def refresh(self, session_id: UUID, *, is_used: bool = False) -> Admission | None:
        """The same session as it stands now; ``is_used``: its user has acted since."""
        return await self._by_id.ask((session_id, is_used))

    async def _of_tokens(self, asked: Sequence[tuple[str, bool]]) -> Sequence[Admission | None]:
        tokens, used = [token for token, _ in asked], {t for t, is_used in asked if is_used}
        admitted = await actors.admit_tokens(tokens, self._clock.now(), used=used)
        return [_admission(of) for of in admitted]

    async def _of_sessions(self, asked: Sequence[tuple[UUID, bool]]) -> Sequence[Admission | None]:
        ids, used = [id_ for id_, _ in asked], {id_ for id_, is_used in asked if is_used}
        admitted = await actors.admit_sessions(ids, self._clock.now(), used=used)
        return [_admission(of) for of in admitted]


class CommitsHeardAtHome(BusAnnouncer):
    """Tells the bus; and before it this process's own memory of who may what."""

    standings: Standings | None = None

    def announce(self, events: Sequence[LoggedEvent]) -> None:
        """Hint at committed events."""
        if self.standings is not None:
            self.standings.committed(events)
        super().announce(events)


def _admission(of: actors.Admitted | None) -> Admission | None:
    if of is None:
        return None
    return Admission(of.actor, of.expires_at, of.changes_at, of.watched)


@dataclass(slots=True)
class House:
    """All parts of one process."""

    settings: Settings
    clock: Clock
    works: Works
    engine: SchemaEngine
    standings: Standings
    bus: Bus
    presence: PresenceBook
    hub: Hub
    outlet: RingOutlet
    boards: BoardFlusher
    unread: UnreadTeller


@asynccontextmanager
async def furnished(settings: Settings, database_url: str) -> AsyncIterator[House]:
    """The parts, connected and running; taken down in reverse. Raises what stops a start."""
    if settings.is_production:
        keep_keys_out_of_dumps()
    await connect(
        database_url, pool_min=settings.database_pool_min, pool_max=settings.database_pool_max
    )
    try:
        vault.install(await vault.open_keyring(root_key_provider(settings)))
        hashing = Passwords(threads_max=settings.sign_in_threads)
        install_passwords(hashing)
        house = _assembled(settings)
        await generations.renew_if_promoted(house.works)
        await house.hub.start()
        telling = [
            asyncio.create_task(generations.watch(house.works), name="log-generation"),
            asyncio.create_task(house.boards.run(), name="board-flusher"),
            asyncio.create_task(house.unread.run(), name="unread-teller"),
        ]
        try:
            yield house
        finally:
            for task in telling:
                task.cancel()
            await asyncio.wait(telling)
            await house.unread.finish()
            house.standings.close()
            await house.hub.stop()
            house.outlet.close()
            hashing.close()
    finally:
        await disconnect()


def root_key_provider(settings: Settings) -> RootKeyProvider:
    """Where this process finds the root key."""
    if settings.root_key:
        return RootKeyVariable({ROOT_KEY_VARIABLE: settings.root_key}, ROOT_KEY_VARIABLE)
    return RootKeyFile(settings.root_key_file or settings.data_dir / "root.key")


def _assembled(settings: Settings) -> House:
    clock = SystemClock()
    timers = asyncio.get_running_loop()
    metrics = LiveMetrics()
    bus = _bus(settings, metrics)
    announcer = CommitsHeardAtHome(bus)
    presence = _presence(settings, announcer)
    nudged: dict[str, Callable[[str], None]] = {}
    works = Works(clock, announcer, lambda what, key: nudged[what](key), reactions.REACTIONS)
    boards, unread = BoardFlusher(works), UnreadTeller(works)
    nudged |= {BOARD_NUDGE: boards.nudge, UNREAD_NUDGE: unread.nudge}
    engine = SchemaEngine(
        core_schema(build()),
        works,
        presence,
        is_introspectable=not settings.is_production,
        trusted=TrustedDocuments(documents.registered(), settings.documents_bind),
    )
    sessions = Sessions(clock)
    outlet = RingOutlet(granted_ring() if settings.is_sending_together else None, metrics)
    hub = Hub(
        engine,
        sessions,
        bus,
        presence,
        deliveries=NoticeDeliveries(works),
        clock=clock,
        settings=live_settings(settings),
        timers=timers,
        metrics=metrics,
        outlet=outlet,
    )
    announcer.standings = standings = Standings(sessions, hub.node.tails, clock, timers)
    return House(
        settings, clock, works, engine, standings, bus, presence, hub, outlet, boards, unread
    )


def live_settings(settings: Settings) -> LiveSettings:
    """The bounds of the live layer, as the operator wants them."""
    return LiveSettings(
        connections_max=settings.sockets_max,
        pending_per_client_max=settings.sockets_pending_per_client_max,
    )


def _bus(settings: Settings, metrics: LiveMetrics) -> Bus:
    if not settings.redis_url:
        return LocalBus()
    from realtime.redis_bus import RedisBus

    return RedisBus(settings.redis_url, metrics=metrics)


def _presence(settings: Settings, announcer: BusAnnouncer) -> PresenceBook:
    timers = asyncio.get_running_loop()
    if not settings.redis_url:
        return LocalPresence(announcer, timers)
    from realtime.redis_presence import RedisPresence

    return RedisPresence(settings.redis_url, announcer, timers)
