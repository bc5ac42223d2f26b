"""The unions, employers and departments of the sample federation. Pure, the same every time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from domain.org.bulk import NewDepartment, NewEmployer
from domain.org.matrix import NewUnion
from domain.org.models import LegalPersonStatus, Level, Ownership, UnionKind
from domain.org.rules import credit_check_character, organisation_check_character
from gateway.sample import (
    ASSOCIATIONS,
    DEPARTMENT,
    EMPLOYER,
    FEDERATION_ID,
    LINES,
    SEED,
    UNIONS,
    ZONES,
    grassroots_id,
    line_id,
    member_counts,
    sample_id,
    zone_id,
)

EMPLOYERS = 2_400
GERMAN = 256
GERMAN_WITH_UNION = 210
GERMAN_IN_FIRST_ZONE = 240
COUNTED_ON = date(2025, 10, 31)
JOINT, WORK_COMMITTEES, ORGANISERS = 180, 80, 40
DEPARTMENTS = (
    ("办公室", "综合协调、信息公开"),
    ("组织部", "建会、会员实名制、换届选举、工会干部"),
    ("宣教部", "宣传教育、职工文化、职工书屋"),
    ("女工部", "女职工权益、心理咨询"),
    ("维保部", "维权、法律援助、集体合同、困难帮扶"),
    ("财务资产部", "经费、资产"),
    ("经审办", "经费审查"),
)
_WORDS = ("精密", "恒信", "宏达", "新源", "华美", "中德", "联创", "东方", "盛和", "万通")
_TRADES = ("机械", "汽配", "电子", "塑胶", "纺织", "化工", "食品", "物流", "医疗器械", "轴承")
_COUNTRIES = ("JP", "US", "KR", "FR", "IT", "SG")


@dataclass(frozen=True, slots=True)
class Federation:
    """All unions, employers and departments."""

    departments: Sequence[NewDepartment]
    upper: Sequence[NewUnion]
    """Zones and lines."""
    employers: Sequence[NewEmployer]
    grassroots: Sequence[NewUnion]
    """Associations first: some stand under them."""


def federation(members: int) -> Federation:
    """The federation with so many members."""
    rng = random.Random(SEED)  # noqa: S311  # sample data, no secret
    employers = [_employer(rng, number) for number in range(EMPLOYERS)]
    return Federation(
        departments=[
            NewDepartment(id=sample_id(DEPARTMENT, n), name=name, functions=functions, rank=n)
            for n, (name, functions) in enumerate(DEPARTMENTS)
        ],
        upper=[*_zones(), *_lines()],
        employers=employers,
        grassroots=_grassroots(rng, employers, member_counts(members)),
    )


def _zones() -> list[NewUnion]:
    return [
        NewUnion(
            id=zone_id(n),
            name=f"{name}总工会(示例)",
            level=Level.ZONE,
            territory_parent_id=FEDERATION_ID,
            legal_person=LegalPersonStatus.REGISTERED,
            founded_on=date(2002, 3, 8),
        )
        for n, (name, _) in enumerate(ZONES)
    ]


def _lines() -> list[NewUnion]:
    return [
        NewUnion(
            id=line_id(n),
            name=f"{name}工会(示例)",
            level=Level.LINE,
            territory_parent_id=FEDERATION_ID,
            line_parent_id=FEDERATION_ID,
            founded_on=date(2003, 5, 1),
        )
        for n, name in enumerate(LINES)
    ]


def _credit_code(prefix: str, number: int) -> str:
    organisation = f"{prefix[8:]}{number:06d}"
    first = f"{prefix[:8]}{organisation}{organisation_check_character(organisation)}"
    return first + credit_check_character(first)


def _zone_number(rng: random.Random) -> int:
    return rng.choices(range(len(ZONES)), [weight for _, weight in ZONES])[0]


def _employer(rng: random.Random, number: int) -> NewEmployer:
    zone, ownership, country = _zone_number(rng), _ownership(rng), None
    if number < GERMAN:
        ownership, country = Ownership.FOREIGN, "DE"
        zone = 0 if number < GERMAN_IN_FIRST_ZONE else 1 + zone % (len(ZONES) - 1)
    elif ownership is Ownership.FOREIGN:
        country = rng.choice(_COUNTRIES)
    head_count = min(int(rng.paretovariate(1.1) * 25), 3_000)
    name = f"示例{rng.choice(_WORDS)}{rng.choice(_TRADES)}有限公司{number:04d}"
    return NewEmployer(
        id=sample_id(EMPLOYER, number),
        name=name,
        uscc=_credit_code("91320585MA", number),
        ownership=ownership,
        investor_country=country,
        zone_id=zone_id(zone),
        head_count=head_count,
        contracts_signed=int(head_count * rng.uniform(0.88, 1.0)),
        counted_on=COUNTED_ON,
    )


def _ownership(rng: random.Random) -> Ownership:
    kinds = {
        Ownership.PRIVATE: 62,
        Ownership.PUBLIC_INSTITUTION: 12,
        Ownership.STATE: 7,
        Ownership.FOREIGN: 8,
        Ownership.HONG_KONG_MACAU_TAIWAN: 5,
        Ownership.COLLECTIVE: 4,
        Ownership.OTHER: 2,
    }
    return rng.choices(list(kinds), list(kinds.values()))[0]


def _grassroots(
    rng: random.Random, employers: Sequence[NewEmployer], counts: Sequence[int]
) -> list[NewUnion]:
    kinds = [UnionKind.ASSOCIATION] * ASSOCIATIONS
    kinds += [UnionKind.SINGLE] * (UNIONS - ASSOCIATIONS - JOINT - WORK_COMMITTEES - ORGANISERS)
    kinds += [UnionKind.JOINT] * JOINT + [UnionKind.WORK_COMMITTEE] * WORK_COMMITTEES
    kinds += [UnionKind.ORGANISER] * ORGANISERS
    # Some German-funded firms have no union yet, as in every statistic worth asking for.
    with_union = iter([*employers[:GERMAN_WITH_UNION], *employers[GERMAN:]])
    made: list[NewUnion] = []
    for number, kind in enumerate(kinds):
        employer = next(with_union) if kind is UnionKind.SINGLE else None
        made.append(_union(rng, number, kind, employer, counts[number], made[:ASSOCIATIONS]))
    return made


def _union(
    rng: random.Random,
    number: int,
    kind: UnionKind,
    employer: NewEmployer | None,
    count: int,
    associations: Sequence[NewUnion],
) -> NewUnion:
    zone = _zone_number(rng)
    parent = employer.zone_id if employer is not None else zone_id(zone)
    if kind is UnionKind.JOINT and rng.random() < 0.5:
        parent = rng.choice(associations).id
    line = None
    if employer is not None and rng.random() < 0.35:
        is_public = employer.ownership is Ownership.PUBLIC_INSTITUTION
        line = line_id(rng.randrange(0, 2) if is_public else rng.randrange(2, len(LINES)))
    is_legal = kind in (UnionKind.SINGLE, UnionKind.ASSOCIATION) and rng.random() < 0.8
    term_from_on = date(2022, 1, 1) + timedelta(days=rng.randrange(1_700))
    years = rng.choice((3, 5))
    place = ZONES[zone][0]
    return NewUnion(
        id=grassroots_id(number),
        name=f"{employer.name}工会" if employer else f"示例{place}{_KIND_NAMES[kind]}{number:04d}",
        kind=kind,
        territory_parent_id=parent,
        line_parent_id=line,
        employer_id=employer.id if employer is not None else None,
        legal_person=LegalPersonStatus.REGISTERED if is_legal else LegalPersonStatus.NONE,
        uscc=_credit_code("81320585MC", number) if is_legal else None,
        founded_on=term_from_on - timedelta(days=rng.randrange(4_000)),
        term_from_on=term_from_on,
        term_to_on=date(term_from_on.year + years, term_from_on.month, min(term_from_on.day, 28)),
        reported_members=int(count / rng.uniform(0.66, 0.82)),
    )


_KIND_NAMES = {
    UnionKind.ASSOCIATION: "工会联合会",
    UnionKind.JOINT: "联合工会",
    UnionKind.WORK_COMMITTEE: "工会工作委员会",
    UnionKind.ORGANISER: "工会组织员",
}
