"""People and cases of consultations for tests, and proof that a refusal left nothing behind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from domain.access import service as access
from domain.access.models import AccountKind
from domain.access.roles import Role
from domain.consultations import handovers, messages, queries, queue, service, windows
from domain.consultations.consents import consent_text
from domain.consultations.models import Service, Topic, WindowState
from domain.kernel.actor import NOBODY, SYSTEM, Actor, Hierarchy, Reach
from domain.kernel.capabilities import Capability
from domain.kernel.errors import DomainError
from domain.kernel.ids import new_id
from domain.kernel.pages import PageRequest
from domain.kernel.work import Works
from tests.support.announcing import RememberedAnnouncements

ALL = PageRequest(first=100)
_TABLES = (
    "consultation_consultant",
    "consultation_case",
    "consultation_queue_entry",
    "consultation_conversation",
    "consultation_participant",
    "consultation_message",
    "consultation_mark",
    "consultation_handover",
    "vault_dek",
    "stream",
    "event",
    "pgqueuer",
)


def a_person() -> Actor:
    """A signed-in member without any office."""
    return Actor(account_id=new_id(), member_id=new_id())


def a_leader() -> Actor:
    """Somebody with every capability there is, over the whole federation, but no window."""
    reach = Reach("everything", frozenset(Capability), Hierarchy.TERRITORY, "/", new_id())
    return Actor(account_id=new_id(), member_id=new_id(), reaches=(reach,))


ROLES_OF = {Service.COUNSELLING: Role.COUNSELLOR, Service.LEGAL_AID: Role.LAWYER}


async def a_consultant(
    works: Works,
    service_: Service = Service.COUNSELLING,
    *,
    capacity: int = 5,
    state: WindowState = WindowState.PRESENT,
    name: str = "周老师",
) -> Actor:
    """A counsellor or lawyer with a window."""
    account = access.NewAccount(AccountKind.STAFF)
    new = windows.NewConsultant(
        account.id,
        service_,
        name,
        specialities=("情绪", "家庭"),
        capacity=capacity,
        state=state,
    )
    async with works.open(SYSTEM) as w:
        await access.create_accounts(w, [account])
        await windows.register_consultants(w, [new])
    role = ROLES_OF[service_]
    reach = Reach(role, frozenset({Capability.CONSULT}), Hierarchy.TERRITORY, "/", new_id())
    return Actor(account_id=account.id, consultant_id=new.id, reaches=(reach,))


def a_request(service_: Service = Service.COUNSELLING, **given: Any) -> service.NewRequest:
    """A request with the consent in force."""
    values = {
        "topic": Topic.OTHER,
        "consent_version": consent_text(service_).version,
        "client_key": new_id(),
        **given,
    }
    return service.NewRequest(service_, **values)


async def requested(
    works: Works, member: Actor, service_: Service = Service.COUNSELLING, **given: Any
) -> UUID:
    """A case that waits."""
    async with works.open(member) as w:
        case = await service.request_consultation(w, a_request(service_, **given))
    case_id: UUID = case["id"]
    return case_id


async def accepted(works: Works, consultant: Actor, case_id: UUID) -> None:
    """The consultant takes the case."""
    async with works.open(consultant) as w:
        await queue.accept(w, case_id)


async def running(works: Works, member: Actor, consultant: Actor) -> tuple[UUID, UUID]:
    """A case that the consultant has accepted, and its conversation."""
    service_ = (await queries.get_window(consultant))["service"]
    case_id = await requested(works, member, Service(service_))
    await accepted(works, consultant, case_id)
    return case_id, await the_conversation(member, case_id)


async def the_conversation(actor: Actor, case_id: UUID) -> UUID:
    """The case's conversation."""
    page = await queries.select_conversations(actor, case_id=case_id).page(actor, ALL)
    conversation_id: UUID = page.rows[-1]["id"]
    return conversation_id


async def say(
    works: Works, actor: Actor, conversation_id: UUID, text: str, *, key: UUID | None = None
) -> int:
    """The number of the message."""
    async with works.open(actor) as w:
        row = await messages.send_message(w, conversation_id, client_key=key or new_id(), text=text)
    return row["seq"]


async def texts(actor: Actor, conversation_id: UUID) -> list[tuple[int, str]]:
    """What the actor can read of the conversation."""
    page = await queries.list_messages(actor, conversation_id, ALL)
    return [(row["seq"], row["text"]) for row in page.rows]


async def handed_over(
    works: Works,
    member: Actor,
    consultant: Actor,
    to: Actor,
    case_id: UUID,
    *,
    shares_past: bool = False,
) -> UUID:
    """A hand-over that was asked for and consented to."""
    assert to.consultant_id is not None
    async with works.open(consultant) as w:
        handover = await handovers.request_handover(w, case_id, to.consultant_id)
    handover_id: UUID = handover["id"]
    async with works.open(member) as w:
        await handovers.consent_to_handover(w, handover_id, shares_past=shares_past)
    return handover_id


CALLERS = ("nobody", "stranger", "leader", "member", "colleague", "lawyer", "consultant")
"""The kinds of caller: the leader holds every capability, the lawyer works in the other service."""


@dataclass(frozen=True)
class World:
    """One running case with a message and a wish to hand it over, and one request that waits."""

    actors: Mapping[str, Actor]
    case: UUID
    conversation: UUID
    handover: UUID
    waiting: UUID

    def __getattr__(self, name: str) -> Actor:
        return self.actors[name]


async def a_world(works: Works) -> World:
    """A world in which the member told the counsellor something."""
    member, consultant = a_person(), await a_consultant(works)
    colleague = await a_consultant(works, name="吴老师")
    lawyer = await a_consultant(works, Service.LEGAL_AID, name="陈律师")
    case_id, talk = await running(works, member, consultant)
    await say(works, member, talk, "只有你知道")
    assert colleague.consultant_id is not None
    async with works.open(consultant) as w:
        wish = await handovers.request_handover(w, case_id, colleague.consultant_id)
    everybody = (NOBODY, a_person(), a_leader(), member, colleague, lawyer, consultant)
    waiting = await requested(works, a_person())
    actors = dict(zip(CALLERS, everybody, strict=True))
    return World(actors, case_id, talk, wish["id"], waiting)


async def everything(database: str) -> dict[str, list[str]]:
    """Every row of the slice, its keys and the log, as the owner sees them."""
    owner = await asyncpg.connect(database)
    try:
        await owner.execute("SET row_security = off")
        return {
            table: sorted(row[0] for row in await owner.fetch(f"SELECT t::text FROM {table} AS t"))
            for table in _TABLES
        }
    finally:
        await owner.close()


@asynccontextmanager
async def nothing_happens(
    database: str, announcements: RememberedAnnouncements
) -> AsyncIterator[None]:
    """The block changes no row, appends no fact, leaves no job, sends no hint and no whisper."""
    rows = await everything(database)
    told = list(announcements.events), list(announcements.whispers)
    yield
    assert await everything(database) == rows
    assert (announcements.events, announcements.whispers) == told


@asynccontextmanager
async def refused(
    error: type[DomainError], database: str, announcements: RememberedAnnouncements
) -> AsyncIterator[None]:
    """The block raises exactly this error, and nothing happens."""
    async with nothing_happens(database, announcements):
        with pytest.raises(error) as raised:
            yield
        assert raised.value.code == error.code
