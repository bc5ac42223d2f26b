"""What may happen to a case, by whom, within which bounds. Pure: a value or a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from domain.consultations.models import CaseState, Role, Service, Topic
from domain.kernel.errors import Conflict, Forbidden, Invalid, Unavailable

MESSAGE_CHARS_MAX = 4_000
"""Characters of one message: some two printed pages; a frame of 32 KiB holds it in any script."""
OPEN_CASES_MAX = 3
"""Cases a member may have open: one a service and one more; it bounds the queue by people."""
CAPACITY_MAX = 20
"""Running cases a window can be set to: nobody keeps up with more conversations."""
SPECIALITIES_MAX = 8
"""Specialities of a consultant: a line on a phone."""
TYPING_EVERY_S = 3
"""Seconds between two typing signals of one person in one conversation that are passed on."""


class WrongState(Conflict):
    """The case is in ``state``, which does not allow this."""

    code: ClassVar[str] = "consultations.wrong_state"


class NotYourStep(Forbidden):
    """The other one of the two decides this."""

    code: ClassVar[str] = "consultations.not_your_step"


class ConversationClosed(Conflict):
    """The case was closed; the member may re-open it."""

    code: ClassVar[str] = "consultations.closed"


class NoLongerWaiting(Conflict):
    """The request has left the queue: somebody took it, or the member withdrew it."""

    code: ClassVar[str] = "consultations.no_longer_waiting"


class WindowFull(Conflict):
    """The window has as many running cases as its capacity."""

    code: ClassVar[str] = "consultations.window_full"


class TooManyOpen(Conflict):
    """The member has ``max`` open cases already."""

    code: ClassVar[str] = "consultations.too_many_open"


class OwnService(Conflict):
    """A consultant cannot seek help from the service they work in: nobody serves themselves."""

    code: ClassVar[str] = "consultations.own_service"


class ConsentOutdated(Conflict):
    """Another version of the consent text (知情同意书) is in force: ``version``."""

    code: ClassVar[str] = "consultations.consent_outdated"


class KeyReused(Conflict):
    """The client key stands for something else already."""

    code: ClassVar[str] = "consultations.key_reused"


class NotAddressed(Conflict):
    """The request waits for anybody of the service: there is nothing to decline."""

    code: ClassVar[str] = "consultations.not_addressed"


class HandoverPending(Conflict):
    """The member has not yet answered an earlier hand-over."""

    code: ClassVar[str] = "consultations.handover_pending"


class WrongTarget(Conflict):
    """A case goes to another consultant of the same service only, never to its own member."""

    code: ClassVar[str] = "consultations.wrong_target"


class TopicMismatch(Invalid):
    """The topic belongs to the other service."""

    code: ClassVar[str] = "consultations.topic_mismatch"


class BadCapacity(Invalid):
    """A capacity out of 1…``max``."""

    code: ClassVar[str] = "consultations.bad_capacity"


class BadSeq(Invalid):
    """A message number below 1 or beyond 2⁶³."""

    code: ClassVar[str] = "consultations.bad_seq"


class TooManyTexts(Invalid):
    """More specialities than ``max``."""

    code: ClassVar[str] = "consultations.too_many_specialities"


class AttachmentsUnavailable(Unavailable):
    """Attachments (附件) cannot be sent yet."""

    code: ClassVar[str] = "consultations.attachments_unavailable"


class Step(StrEnum):
    """Something that moves a case."""

    ACCEPT = "accept"
    DECLINE = "decline"
    CLOSE = "close"
    REOPEN = "reopen"
    ASK_HANDOVER = "ask_handover"
    CONSENT = "consent"
    REFUSE = "refuse"


TRANSITIONS: Mapping[tuple[CaseState, Step], CaseState] = {
    (CaseState.REQUESTED, Step.ACCEPT): CaseState.RUNNING,
    (CaseState.REQUESTED, Step.DECLINE): CaseState.REQUESTED,
    (CaseState.REQUESTED, Step.CLOSE): CaseState.CLOSED,
    (CaseState.RUNNING, Step.CLOSE): CaseState.CLOSED,
    (CaseState.RUNNING, Step.ASK_HANDOVER): CaseState.RUNNING,
    (CaseState.RUNNING, Step.CONSENT): CaseState.RUNNING,
    (CaseState.RUNNING, Step.REFUSE): CaseState.RUNNING,
    (CaseState.CLOSED, Step.REOPEN): CaseState.RUNNING,
}
"""Every step there is; a pair that is not here is refused."""

STEP_OF: Mapping[Step, frozenset[Role]] = {
    Step.ACCEPT: frozenset({Role.CONSULTANT}),
    Step.DECLINE: frozenset({Role.CONSULTANT}),
    Step.CLOSE: frozenset({Role.MEMBER, Role.CONSULTANT}),
    Step.REOPEN: frozenset({Role.MEMBER}),
    Step.ASK_HANDOVER: frozenset({Role.CONSULTANT}),
    Step.CONSENT: frozenset({Role.MEMBER}),
    Step.REFUSE: frozenset({Role.MEMBER, Role.CONSULTANT}),
}
"""Who may take each step; ``REFUSE`` by the consultant takes the own wish back."""

TOPICS: Mapping[Service, frozenset[Topic]] = {
    Service.COUNSELLING: frozenset(
        {
            Topic.WORK_STRESS,
            Topic.RELATIONSHIPS,
            Topic.FAMILY,
            Topic.PARENTING,
            Topic.OTHER,
        }
    ),
    Service.LEGAL_AID: frozenset(
        {
            Topic.LABOUR_CONTRACT,
            Topic.WAGES,
            Topic.WORK_INJURY,
            Topic.SOCIAL_INSURANCE,
            Topic.DISMISSAL,
            Topic.FAMILY,
            Topic.OTHER,
        }
    ),
}
"""What each service is asked about."""


def next_state(state: CaseState, step: Step, role: Role) -> CaseState:
    """The state after the step. Raises NotYourStep, WrongState."""
    if role not in STEP_OF[step]:
        raise NotYourStep
    reached = TRANSITIONS.get((state, step))
    if reached is None:
        raise WrongState(state=state.value)
    return reached


def ensure_reopenable(accepted_at: datetime | None) -> None:
    """A request withdrawn before anybody took it has nothing to re-open: it is made anew.

    Its old place in the queue would be unfair to those who came since. Raises WrongState.
    """
    if accepted_at is None:
        raise WrongState(state=CaseState.CLOSED.value)


def ensure_topic(service: Service, topic: Topic) -> None:
    """Raises TopicMismatch."""
    if topic not in TOPICS[service]:
        raise TopicMismatch("topic")


def ensure_consent(given: int, in_force: int) -> None:
    """Only the version in force was read. Raises ConsentOutdated."""
    if given != in_force:
        raise ConsentOutdated(version=in_force)


def ensure_another_service(own: Service | None, sought: Service) -> None:
    """Raises OwnService when the asker works in the service that they ask."""
    if own is sought:
        raise OwnService


def ensure_may_open(open_count: int) -> None:
    """One case more is within the bound. Raises TooManyOpen."""
    if open_count >= OPEN_CASES_MAX:
        raise TooManyOpen(max=OPEN_CASES_MAX)


def ensure_capacity(capacity: int) -> None:
    """Raises BadCapacity."""
    if not 1 <= capacity <= CAPACITY_MAX:
        raise BadCapacity("capacity", max=CAPACITY_MAX)


def ensure_room(running_count: int, capacity: int) -> None:
    """One case more fits in the window. Raises WindowFull."""
    if running_count >= capacity:
        raise WindowFull


def ensure_seq(seq: int) -> None:
    """Raises BadSeq."""
    if not 1 <= seq < 2**63:
        raise BadSeq("seq")


def ensure_target(service: Service, own: UUID, target: UUID, target_service: Service) -> None:
    """A hand-over stays in the service and goes to somebody else. Raises WrongTarget."""
    if target == own or target_service is not service:
        raise WrongTarget


def queue_place(requested_at: datetime, case_id: UUID) -> tuple[datetime, UUID]:
    """The sort key of the queue: oldest first, and urgency jumps nobody."""
    return requested_at, case_id


def first_visible(top: int, *, shares_past: bool) -> int:
    """The first number (of a message, of an offset) that a new consultant may see."""
    return 1 if shares_past else top + 1


def may_signal(last_at: datetime | None, now: datetime) -> bool:
    """Whether a typing signal is passed on."""
    return last_at is None or now - last_at >= timedelta(seconds=TYPING_EVERY_S)
