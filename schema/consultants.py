"""The directory (窗口列表): counsellors and lawyers, what they say of themselves, who is there now.

Live: what somebody says of the own window is a fact; who comes and goes is whispered. Of a window's
load nothing is told: when a case ends is between its two people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

import strawberry

from domain.consultations import facts, queries
from domain.kernel.actor import Actor
from domain.kernel.capabilities import Capability
from domain.kernel.pages import Selection
from domain.kernel.streams import LoggedEvent, position_of
from schema.consultation_events import PRESENCE_CHANGED
from schema.consultation_types import Consultant
from schema.consultation_words import Service, WindowState
from schema.context import Context, Info
from schema.declare import Row, given, payload, verb
from schema.live import CURSOR, cursor_of, streamed
from schema.nodes import global_id
from schema.paging import Connection, connected


def select_consultants(
    context: Context,
    row: Row | None,
    *,
    service: Annotated[
        Service | None, strawberry.argument(description="Only of this service.")
    ] = None,
) -> Selection:
    """Consultants, for whoever is signed in."""
    return queries.select_consultants(context.actor, service=service)


_Service = Annotated[Service, strawberry.argument(description="Of which service (服务).")]


@strawberry.type
class ConsultantsQuery:
    """Reads of the directory."""

    consultants: Connection[Consultant] | None = connected(
        select_consultants,
        lambda: Consultant,
        "Who can be asked, by name, and whether they are there (窗口列表).",
        needs=Capability.SELF,
    )

    @verb(
        Capability.SELF,
        "The place in the stream of a service's windows (位置) up to which a list read after it is"
        " true: ask it before the list, and pass it to `consultantEvents` as `after`.",
    )
    async def consultants_position(self, info: Info, service: _Service) -> str:
        return await position_of(facts.pool_stream(service))


@payload(needs=Capability.SELF, description="A window shows something else (窗口状态变更).")
class WindowStateChanged:
    """By its consultant; also of a window that is new."""

    cursor: str = given(CURSOR)
    at: datetime = given("When it was committed (时间).")
    consultant_id: strawberry.ID = given("Whose window (咨询师).")
    state: WindowState = given("What it shows now (窗口状态).")


@payload(
    needs=Capability.SELF,
    description="Who came, who went since this was last told (在线状态); never stored.",
)
class ConsultantsPresenceChanged:
    """Of one service, told at most twice a second."""

    joined_ids: list[strawberry.ID] = given("Consultants who are there now (上线).")
    left_ids: list[strawberry.ID] = given("Consultants who are gone for 20 seconds (离线).")


ConsultantEvent = Annotated[
    WindowStateChanged | ConsultantsPresenceChanged,
    strawberry.union("ConsultantEvent", description="What changes in the directory (窗口动态)."),
]


@dataclass(slots=True)
class PoolFeed:
    """The windows of a service, for whoever is signed in."""

    shared_by: ClassVar[tuple[str, ...]] = ("_windows",)
    service: Service
    presence_scopes: tuple[str, ...] = ()
    receipts_of: UUID | None = None
    _windows: Mapping[str, UUID] = field(default_factory=dict)

    @property
    def streams(self) -> tuple[str, ...]:
        """The stream of the service's windows."""
        return (facts.pool_stream(self.service),)

    async def authorise(self, actor: Actor) -> Mapping[str, int]:
        """Everything; asked anew when a window is opened, so that its consultant is known here."""
        windows = await queries.accounts_of_windows(actor, self.service)
        self._windows = {str(account): id_ for account, id_ in windows.items()}
        return {self.streams[0]: 1}

    async def project(self, event: LoggedEvent) -> object | None:
        """The event, with consultants in the place of accounts."""
        if event.kind == PRESENCE_CHANGED:
            return self._presence(event)
        if event.kind not in (facts.WindowOpened.kind, facts.WindowChanged.kind):
            return None
        return WindowStateChanged(
            cursor=cursor_of(event),
            at=event.at,
            consultant_id=global_id("Consultant", UUID(event.body["consultant_id"])),
            state=WindowState(event.body["state"]),
        )

    def _presence(self, event: LoggedEvent) -> ConsultantsPresenceChanged | None:
        joined, left = (
            [
                global_id("Consultant", self._windows[account])
                for account in event.body[name]
                if account in self._windows
            ]
            for name in ("joined", "left")
        )
        changed = ConsultantsPresenceChanged(joined_ids=joined, left_ids=left)
        return changed if joined or left else None


@strawberry.type
class ConsultantsSubscription:
    """The directory live."""

    @streamed(Capability.SELF, "Who comes and goes, and what windows show (窗口动态).")
    def consultant_events(
        context: Context, service: _Service
    ) -> Annotated[PoolFeed, ConsultantEvent]:
        return PoolFeed(service)
