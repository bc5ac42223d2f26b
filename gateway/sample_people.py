"""The staff of the sample federation and its ready sign-ins. Pure, and the same every time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from uuid import UUID

from domain.access.service import Role
from domain.consultations.models import Service, WindowState
from domain.kernel.actor import Hierarchy
from domain.org.models import Post
from gateway.sample import (
    FEDERATION_ID,
    LINES,
    ZONES,
    line_id,
    person_phone,
    zone_id,
)
from gateway.sample_unions import DEPARTMENTS

PASSWORD = "unionhall-2016"  # noqa: S105  # of sample accounts, printed for everybody
STAFF_FIRST = 5_000_000
"""Staff are numbered from here, members from 0: their phones and numbers never meet."""
COUNSELLORS = 14
LAWYERS = 26
_SPECIALITIES = {
    Service.COUNSELLING: ("亲子教育", "情绪压力", "婚姻家庭", "职场适应", "人际关系"),
    Service.LEGAL_AID: ("劳动合同", "工资报酬", "工伤赔偿", "社会保险", "女职工权益"),
}


@dataclass(frozen=True, slots=True)
class Staff:
    """Somebody who works for the federation: a role, and perhaps a seat or a window."""

    number: int
    title: str
    role: Role
    union_id: UUID
    hierarchy: Hierarchy = Hierarchy.TERRITORY
    post: Post | None = None
    service: Service | None = None
    specialities: tuple[str, ...] = ()
    window: WindowState = WindowState.AWAY


@dataclass(frozen=True, slots=True)
class SignIn:
    """A ready person: who it is, how to sign in, what for."""

    person: str
    login: str
    password: str
    can: str


@cache
def staff() -> Sequence[Staff]:
    """Everybody who works for the federation, its zones, lines and services."""
    return [
        Staff(STAFF_FIRST + n, **one)  # type: ignore[arg-type]  # rows of the tables below
        for n, one in enumerate([*_of_city(), *_of_zones(), *_of_lines(), *_consultants()])
    ]


def _of_city() -> Iterator[dict[str, object]]:
    city = {"union_id": FEDERATION_ID}
    yield {"title": "市总领导", "role": Role.LEADER, "post": Post.CHAIR, **city}
    yield {"title": "市总管理员", "role": Role.FEDERATION_ADMIN, "post": Post.CADRE, **city}
    yield {"title": "审计员", "role": Role.AUDITOR, **city}
    for name, _ in DEPARTMENTS:
        title = f"市总{name}干部"
        yield {"title": title, "role": Role.DEPARTMENT_CADRE, "post": Post.CADRE, **city}


def _of_zones() -> Iterator[dict[str, object]]:
    for n, (name, _) in enumerate(ZONES):
        zone = {"union_id": zone_id(n)}
        yield {"title": f"{name}总工会干部", "role": Role.ZONE_CADRE, "post": Post.CADRE, **zone}
        yield {
            "title": f"{name}协理员",
            "role": Role.UNION_ASSISTANT,
            "post": Post.ASSISTANT,
            **zone,
        }
        yield {"title": f"{name}信息采集员", "role": Role.COLLECTOR, **zone}


def _of_lines() -> Iterator[dict[str, object]]:
    for n, name in enumerate(LINES):
        yield {
            "title": f"{name}工会干部",
            "role": Role.LINE_CADRE,
            "post": Post.CADRE,
            "hierarchy": Hierarchy.LINE,
            "union_id": line_id(n),
        }


def _consultants() -> Iterator[dict[str, object]]:
    for title, role, service, count in (
        ("心理咨询师", Role.COUNSELLOR, Service.COUNSELLING, COUNSELLORS),
        ("律师", Role.LAWYER, Service.LEGAL_AID, LAWYERS),
    ):
        known = _SPECIALITIES[service]
        for n in range(count):
            yield {
                "title": f"{title}{n + 1:02d}",
                "role": role,
                "union_id": FEDERATION_ID,
                "service": service,
                "specialities": (known[n % len(known)], known[(n + 2) % len(known)]),
                "window": WindowState.PRESENT if n % 3 == 0 else WindowState.AWAY,
            }


_FLAGSHIP_CHAIR = 0
_FLAGSHIP_MEMBER = 1
"""Members are numbered from the flagship on: the same two people in every sample."""


def sign_ins() -> Sequence[SignIn]:
    """Ready people of each kind; the same in every sample, so nothing needs to be stored."""
    by_role: dict[Role, Staff] = {}
    for one in staff():
        by_role.setdefault(one.role, one)
    rows = [("会员", _FLAGSHIP_MEMBER, "ask a counsellor or a lawyer, live")]
    rows += [
        (by_role[role].title, by_role[role].number, purpose)
        for role, purpose in (
            (Role.COUNSELLOR, "work the own window (窗口)"),
            (Role.LAWYER, "work the own window (窗口)"),
            (Role.ZONE_CADRE, "publish a notice, watch the receipts (回执)"),
        )
    ]
    rows.append(("基层工会主席", _FLAGSHIP_CHAIR, "receive and confirm notices"))
    rows += [
        (by_role[role].title, by_role[role].number, purpose)
        for role, purpose in (
            (Role.LINE_CADRE, "publish along a line (条线)"),
            (Role.UNION_ASSISTANT, "receive notices for the zone"),
            (Role.DEPARTMENT_CADRE, "read the registry, publish to the city"),
            (Role.COLLECTOR, "enter members; the pledge (保密承诺书) is signed"),
            (Role.FEDERATION_ADMIN, "move unions, appoint, grant"),
            (Role.LEADER, "see the state of everything"),
            (Role.AUDITOR, "verify the audit trail"),
        )
    ]
    return [
        SignIn(person, person_phone(number), PASSWORD, purpose) for person, number, purpose in rows
    ]
