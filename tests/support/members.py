"""People to register: formally valid identity numbers and phones, none of them real."""

from __future__ import annotations

import itertools
from uuid import UUID

from domain.access.identifiers import id_number_check
from domain.kernel.actor import Actor
from domain.kernel.ids import new_id
from domain.kernel.work import Works
from domain.members.service import NewMember, register_member

_numbers = itertools.count()


def an_id_number(number: int, born: str = "19900307") -> str:
    """A resident's number of the sample region; each number below 1,000 gives another one."""
    first = f"320585{born}{number:03d}"
    return first + id_number_check(first)


def a_person(
    union_id: UUID, *, number: int | None = None, name: str = "王小明", phone: str | None = None
) -> NewMember:
    """Somebody to register in a union; the same ``number`` is the same person."""
    taken = next(_numbers) if number is None else number
    born = f"{1960 + taken // 1000 % 40}0307"
    return NewMember(
        id=new_id(),
        union_id=union_id,
        name=name,
        id_number=an_id_number(taken % 1000, born),
        phone=phone or f"138{taken:08d}",
    )


async def register(works: Works, collector: Actor, new: NewMember) -> UUID:
    """The person, registered by this collector."""
    async with works.open(collector) as w:
        return await register_member(w, new)
