"""The two main jobs as every stock client must do them: the people, and what must hold at the end.

A client's report is plain data. Of each person in a chat: ``heard`` (messages with seq and
clientKey, in order) and ``acknowledged`` (client key → seq). Of a notice: ``notice``, ``received``
(events of each officer) and ``boards`` (the counts that its publisher saw, in order).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.access.models import AccountKind
from domain.access.roles import Role
from domain.kernel.work import Works
from domain.org.models import Level, Post, Seat
from domain.org.rules import federation_day
from schema.nodes import global_id
from tests.support.access import APP, a_grant, an_account, signed_in
from tests.support.matrix import Spot, a_union


@dataclass(frozen=True, slots=True)
class Office:
    """Somebody with a session, and the union in whose name they act."""

    token: str
    union: str
    """The union's global id."""


async def an_office(works: Works, union: Spot, role: Role, *, has_seat: bool = True) -> Office:
    """A new account with the role at the union, and perhaps a seat in it."""
    account = await an_account(works, kind=AccountKind.STAFF)
    if has_seat:
        await Seat.create(
            union_id=union.id,
            account_id=account.id,
            post=Post.CHAIR,
            from_on=federation_day(works.clock.now()),
        )
    await a_grant(works, account.id, role, union)
    session = await signed_in(works, account, client=APP)
    return Office(session.token.text, global_id("Union", union.id))


async def a_zone_with_officers(works: Works, city: Spot, count: int) -> tuple[Office, list[Office]]:
    """A cadre of a zone of the city who may publish, and the chairs of ``count`` unions in it."""
    zone = await a_union(city, level=Level.ZONE)
    publisher = await an_office(works, zone, Role.ZONE_CADRE, has_seat=False)
    return publisher, [
        await an_office(works, await a_union(zone), Role.CHAIR) for _ in range(count)
    ]


def assert_heard_all_once(person: Mapping[str, Any], other: Mapping[str, Any], turns: int) -> None:
    """What each of the two said in their ``turns`` was heard once, in the conversation's order."""
    heard = [(message["seq"], message["clientKey"]) for message in person["heard"]]
    assert [seq for seq, _ in heard] == list(range(1, 2 * turns + 1))
    place = {key: seq for seq, key in heard}
    assert len(place) == len(heard)
    for acknowledged in (person["acknowledged"], other["acknowledged"]):
        assert len(acknowledged) == turns
        assert all(place[key] == seq for key, seq in acknowledged.items())


def assert_received_and_confirmed(told: Mapping[str, Any], officers: int) -> None:
    """Each officer got the notice once; the board ends complete, and no count ever went back."""
    received: Sequence[Sequence[Mapping[str, Any]]] = told["received"]
    once = [told["notice"]["id"]]
    assert [[event["noticeId"] for event in events] for events in received] == [once] * officers
    boards = told["boards"]
    assert boards[-1] == {
        "recipients": officers,
        "delivered": officers,
        "read": boards[-1]["read"],
        "confirmed": officers,
    }
    for kind in ("delivered", "confirmed"):
        counts = [board[kind] for board in boards]
        assert counts == sorted(counts), "a count never goes back"
