"""Notices for tests, and the proof that a refusal left nothing behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from domain.kernel.actor import Actor
from domain.kernel.database import fetch
from domain.kernel.errors import DomainError
from domain.kernel.ids import new_id
from domain.kernel.work import Works
from domain.notices import service
from domain.notices.rules import Audience, Terms, Words
from tests.support.announcing import RememberedAnnouncements
from tests.support.matrix import Spot

WORDS = Words("关于换届选举的通知", "请于**12月底**前完成换届。")
_TABLES = (
    "notice",
    "notice_version",
    "notice_recipient",
    "notice_receipt",
    "notice_board",
    "event",
)


async def publish(
    works: Works,
    actor: Actor,
    of: Spot,
    audience: Audience,
    *,
    words: Words = WORDS,
    terms: Terms | None = None,
    client_key: UUID | None = None,
) -> UUID:
    """A published notice that wants a confirmation, unless ``terms`` say otherwise."""
    async with works.open(actor) as w:
        return await service.publish(
            w,
            of.id,
            audience,
            words,
            terms=terms or Terms(wants_confirmation=True),
            client_key=client_key or new_id(),
        )


async def rows_of_notices() -> dict[str, int]:
    """How many rows each table of the slice, and the log, holds."""
    counts = ", ".join(f"(SELECT count(*) FROM {table}) AS {table}" for table in _TABLES)
    return dict((await fetch(f"SELECT {counts}"))[0])


@asynccontextmanager
async def refused(
    error: type[DomainError], announcements: RememberedAnnouncements
) -> AsyncIterator[None]:
    """The block raises exactly this error and leaves no row, no fact and no hint."""
    before, hinted = await rows_of_notices(), len(announcements.events)
    with pytest.raises(error) as raised:
        yield
    assert raised.type is error
    assert await rows_of_notices() == before
    assert len(announcements.events) == hinted
