"""The unit of work: one actor, one instant, one transaction, and the facts and jobs it leaves.

The edge (a resolver, a socket operation, a job) opens it once. Leaving the block commits; any
exception rolls back and leaves neither row, fact, job nor hint.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar, Token
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, TypeAlias

from domain.kernel.actor import Actor
from domain.kernel.database import Record, Transaction, fetch_apart
from domain.kernel.jobs import Job, enqueue
from domain.kernel.joint import Asked, Joint, ask_alone
from domain.kernel.ports import Announcer, Clock
from domain.kernel.streams import APPEND_SQL, Entries, Fact, Json, LoggedEvent

_current: ContextVar[Work | None] = ContextVar("work", default=None)


REACTED_FACTS_MAX = 10_000
"""Facts of one work, those of reactions included: above it a reaction must be feeding itself."""


class Work:
    """What a service writes through. Made by ``Works.open`` only."""

    def __init__(
        self,
        actor: Actor,
        now: datetime,
        transaction: Transaction,
        reactions: Reactions,
        joint: Joint,
    ) -> None:
        self.actor = actor
        self.now = now
        self._transaction = transaction
        self._reactions = reactions
        self._joint = joint
        self._facts: list[Fact] = []
        self._jobs: list[Job] = []
        self._turn: asyncio.Lock | None = None
        self._nudges: dict[tuple[str, str], None] = {}
        self.events: Sequence[LoggedEvent] = ()
        """What was appended; filled when the block has been left."""

    def record(self, fact: Fact) -> None:
        """Append the fact to its streams when this work commits."""
        self._facts.append(fact)

    def defer(
        self,
        name: str,
        payload: Mapping[str, Json],
        *,
        key: str | None = None,
        after: timedelta = timedelta(0),
    ) -> None:
        """Leave a job that is run, at least once, after this work has committed."""
        self._jobs.append(Job(name, payload, key, after))

    def nudge(self, what: str, key: str) -> None:
        """Tell this process, after commit, that ``key`` changed. A sweep must find what is lost."""
        self._nudges[(what, key)] = None

    async def fetch(self, sql: str, *args: object) -> Sequence[Record]:
        """Rows, inside this transaction."""
        rows: Sequence[Record] = await (await self._transaction.begun()).fetch(sql, *args)
        return rows

    async def execute(self, sql: str, *args: object) -> int:
        """Run a statement; the number of rows it touched."""
        tag: str = await (await self._transaction.begun()).execute(sql, *args)
        last = tag.rsplit(" ", 1)[-1]
        return int(last) if last.isdigit() else 0

    def may_be_at_once(self, facts: Sequence[Fact]) -> bool:
        """Whether ``at_once`` may be tried with these facts: nothing was done or left before, and
        nothing follows from them."""
        is_new = not (self._transaction.is_begun or self._facts or self._jobs)
        return is_new and not any(fact.kind in self._reactions for fact in facts)

    async def at_once(
        self, function: str, facts: Sequence[Fact], *args: object, is_joint: bool = False
    ) -> bool:
        """Whether all that this work does has been done and committed, in one round trip.

        ``function`` takes the context (``app_context``), the values of ``stream_append`` and
        ``args``; it writes, appends, and answers where the streams stand, or does nothing and
        answers no row: then False, and the work goes on as if it had not been asked. After True
        it takes no statement, fact or job. Only where ``may_be_at_once``. ``is_joint``: those
        under way at the same time may share the round trip (``domain/kernel/joint.py``).
        """
        assert self.may_be_at_once(facts), "not at once"
        entries = Entries(facts, self.now)
        asking = self._joint.ask if is_joint else ask_alone
        rows = await self._transaction.ended_by(asking(Asked(function, self.actor, entries, args)))
        self.events = entries.logged(rows)
        return bool(rows)

    async def take_turn(self, turn: asyncio.Lock) -> None:
        """Wait until nobody of this process has it; it is this work's until it has ended.

        One at most, before everything else: who waits for a turn holds nothing that others need.
        """
        assert self._turn is None and self.may_be_at_once(()), "too late for a turn"  # noqa: PT018
        await turn.acquire()
        self._turn = turn

    async def hold_stream(self, stream: str) -> int:
        """The stream's last offset, which no other work can move until this one ends.

        0 for a stream that nobody has written to, which cannot be held. Wait for no other lock
        after it: every writer of the stream is waiting.
        """
        rows = await self.fetch("SELECT top FROM stream WHERE id = $1 FOR UPDATE", stream)
        return int(rows[0]["top"]) if rows else 0

    async def _close(self) -> None:
        # By index: a reaction may record further facts, which are reacted to in their turn.
        reacted = 0
        while reacted < len(self._facts):
            assert reacted < REACTED_FACTS_MAX, "reactions without end"
            fact = self._facts[reacted]
            for react in self._reactions.get(fact.kind, ()):
                await react(self, fact)
            reacted += 1
        if self._jobs:
            await enqueue(await self._transaction.begun(), self._jobs)
        if self._facts:
            entries = Entries(self._facts, self.now)
            if self._transaction.is_begun:
                rows = await self.fetch(APPEND_SQL, *entries.args)
            else:
                # Facts and nothing else: one statement, which is the whole transaction.
                append = fetch_apart(APPEND_SQL, *entries.args)
                rows = await self._transaction.ended_by(append)
            self.events = entries.logged(rows)


Reactions: TypeAlias = Mapping[str, tuple[Callable[[Work, Any], Awaitable[None]], ...]]
"""Kind of fact → what follows from it in the same transaction (``domain.reactions``)."""


class Works:
    """Opens units of work. One a process, made in the wiring."""

    def __init__(
        self,
        clock: Clock,
        announcer: Announcer,
        nudge: Callable[[str, str], None] | None = None,
        reactions: Reactions | None = None,
    ) -> None:
        self.clock = clock
        self.announcer = announcer
        self._nudge = nudge
        self._reactions: Reactions = reactions or {}
        self._joint = Joint()

    def open(self, actor: Actor) -> AbstractAsyncContextManager[Work]:
        """One transaction under the actor's row-level security; hints go out after its commit.

        It begins with the first statement: who opens a work and is refused costs no round trip.
        """
        transaction = Transaction(actor)
        now = self.clock.now()
        work = Work(actor, now, transaction, self._reactions, self._joint)
        return _Open(self, work, transaction)

    def committed(self, work: Work) -> None:
        """Tell of what the work has left, now that it stands."""
        if work.events:
            self.announcer.announce(work.events)
        if self._nudge is not None:
            for what, key in work._nudges:
                self._nudge(what, key)


class _Open:
    """The block of one work. A class: made from a generator it costs a tenth of a small work."""

    __slots__ = ("_token", "_transaction", "_work", "_works")

    def __init__(self, works: Works, work: Work, transaction: Transaction) -> None:
        self._works = works
        self._work = work
        self._transaction = transaction

    async def __aenter__(self) -> Work:
        assert _current.get() is None, "a Work inside a Work: the edge opens it once"
        self._token: Token[Work | None] = _current.set(self._work)
        self._transaction.enter()
        return self._work

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        try:
            await self._end(error)
        finally:
            if self._work._turn is not None:
                self._work._turn.release()

    async def _end(self, error: BaseException | None) -> None:
        work, transaction = self._work, self._transaction
        try:
            if error is None:
                await work._close()
        except BaseException as late:
            error = late
            raise
        finally:
            transaction.leave()
            _current.reset(self._token)
            if error is not None:
                await transaction.rollback()
        if error is None:
            await transaction.commit()
            self._works.committed(work)
