"""The sample federation (示例数据): its numbers, ids and members. Pure, and the same every time.

Its shape is that of the report of 2016: a county-level city with 11 towns and zones, 8 lines,
2,000 grassroots unions, 256 German-funded firms, 14 counsellors, 26 lawyers. Every name says that
it is a sample; the phones use a prefix that no carrier gives out.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from uuid import UUID

from domain.access.identifiers import id_number_check

SEED = 20160506
"""The day on which the report's platform went into use."""
UNIONS = 2_000
MEMBERS_MAX = 1_000_000
"""Identity numbers and phones stay unique far beyond; a province is several federations."""
FEDERATION_NAME = "示例市总工会"
ZONES = (
    ("高新区", 30),
    ("港区", 14),
    ("沙溪镇", 12),
    ("浏河镇", 9),
    ("浮桥镇", 8),
    ("璜泾镇", 7),
    ("双凤镇", 6),
    ("城厢镇", 6),
    ("科教新城", 4),
    ("娄东街道", 2),
    ("陆渡街道", 2),
)
LINES = ("教育", "卫生", "机械", "纺织", "建设", "交通", "金融", "商贸")
_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰建国志红云飞海燕雪梅晓东"
_UNION, _MEMBER, _ACCOUNT, _CONSULTANT, EMPLOYER, DEPARTMENT, NOTICE_KEY = range(1, 8)
_MADE_MS = 1_767_225_600_000


def sample_id(kind: int, number: int) -> UUID:
    """The same UUIDv7 every time, ordered by number within its kind."""
    return UUID(int=_MADE_MS << 80 | 7 << 76 | kind << 64 | 2 << 62 | number)


FEDERATION_ID = sample_id(_UNION, 0)


def zone_id(number: int) -> UUID:
    """The id of a zone federation."""
    return sample_id(_UNION, 1 + number)


def line_id(number: int) -> UUID:
    """The id of a line federation."""
    return sample_id(_UNION, 100 + number)


def grassroots_id(number: int) -> UUID:
    """The id of a grassroots union."""
    return sample_id(_UNION, 1_000 + number)


def member_id(number: int) -> UUID:
    """The id of a member's record."""
    return sample_id(_MEMBER, number)


def account_id(number: int) -> UUID:
    """The id of a person's account; members and staff are numbered apart."""
    return sample_id(_ACCOUNT, number)


def consultant_id(number: int) -> UUID:
    """The id of the window of the account with this number."""
    return sample_id(_CONSULTANT, number)


def person_name(number: int) -> str:
    """A name."""
    given = _GIVEN[number * 17 % len(_GIVEN)]
    second = _GIVEN[number * 29 % len(_GIVEN)] if number % 3 else ""
    return _SURNAMES[number * 31 % len(_SURNAMES)] + given + second


def person_id_number(number: int) -> str:
    """A formally valid identity number, another one for each person."""
    # 7919 and 15,000 have no common divisor: within a round every day comes once.
    day = date(1962, 1, 1) + timedelta(days=number * 7_919 % 15_000)
    sequence = number // 15_000 * 2 + 1 + number % 2
    body = f"320585{day:%Y%m%d}{sequence:03d}"
    return body + id_number_check(body)


def person_phone(number: int) -> str:
    """A mobile number of a prefix that is not given out, another one for each person."""
    return f"154{(number * 61_803_399 + 12_345_678) % 100_000_000:08d}"


def member_since(number: int) -> date:
    """The first day of a membership, since the platform's first day."""
    return date(2016, 5, 6) + timedelta(days=number * 13 % 3_650)


@cache
def member_counts(members: int) -> tuple[int, ...]:
    """Members of each grassroots union: few large ones, many small; all together ``members``."""
    rng = random.Random(SEED + 1)  # noqa: S311  # sample data, no secret
    weights = [min(rng.paretovariate(1.3), 60.0) for _ in range(UNIONS)]
    weights[FLAGSHIP] = 60.0
    # The flagship has some in the smallest sample: its chair and members are the ready sign-ins.
    reserved = min(members, 12)
    share = (members - reserved) / sum(weights)
    counts = [int(weight * share) for weight in weights]
    counts[FLAGSHIP] += reserved
    for number in range(members - sum(counts)):
        counts[number % UNIONS] += 1
    return tuple(counts)


@dataclass(frozen=True, slots=True)
class Block:
    """Members ``first`` … ``first + count - 1`` belong to a union; the first is its chair."""

    union: int
    first: int
    count: int


@cache
def member_blocks(members: int) -> tuple[Block, ...]:
    """Whose members are whose; the flagship's come first, so they are the same in every sample."""
    counts, blocks, first = member_counts(members), [], 0
    for union in (FLAGSHIP, *(n for n in range(UNIONS) if n != FLAGSHIP)):
        blocks.append(Block(union, first, counts[union]))
        first += counts[union]
    return tuple(blocks)


ASSOCIATIONS = 60
"""Grassroots unions that others stand under (工会联合会); they are numbered first."""
FLAGSHIP = ASSOCIATIONS
"""The first union of one employer: German-funded, in the first zone."""
