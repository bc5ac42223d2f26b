"""How far each of the two has received and read (送达、已读), and that one is typing (正在输入).

Marks only advance and are told when they do. Of the marks that a client sends in quick succession
the first is written at once; those that follow within a moment are written together, by one unit
of work that answers them all: an answer means committed, for each of them.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from domain.consultations import facts, rules
from domain.consultations.models import Role
from domain.consultations.queries import get_conversation, party
from domain.kernel.actor import Actor
from domain.kernel.database import Record
from domain.kernel.ports import Announcer
from domain.kernel.work import Work, Works

MARKS_GAP_MS = 300
"""Between two writings of one participant's marks in one conversation."""
MARKS_KEPT_MAX = 10_000
TYPING_KEPT_MAX = 10_000
"""Latest marks and typing signals remembered by this process: its sockets, 300 bytes each."""


async def mark_delivered(w: Work, conversation_id: UUID, seq: int) -> Record:
    """The actor's device has everything up to ``seq``; the conversation. Marks only advance.

    Raises NotFound, BadSeq.
    """
    return await _advance(w, conversation_id, delivered_seq=seq, read_seq=0)


async def mark_read(w: Work, conversation_id: UUID, seq: int) -> Record:
    """The actor has read, and so received, everything up to ``seq``; the conversation.

    Raises NotFound, BadSeq.
    """
    return await _advance(w, conversation_id, delivered_seq=seq, read_seq=seq)


@dataclass(slots=True)
class _Turn:
    """One participant's marks in one conversation, as far as this process writes them."""

    written_at: datetime | None = None
    delivered_seq: int = 0
    read_seq: int = 0
    writing: asyncio.Task[Record] | None = None
    """The writer that takes what is asked for until it begins."""


class Marks:
    """Writes marks for the edge, those in quick succession together. One a process."""

    def __init__(self, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        self._sleep = sleep
        self._turns: OrderedDict[tuple[UUID, UUID], _Turn] = OrderedDict()

    async def advance(
        self,
        works: Works,
        actor: Actor,
        conversation_id: UUID,
        *,
        delivered_seq: int,
        read_seq: int = 0,
    ) -> Record:
        """The actor has received and read so far; the conversation. Committed on return.

        Raises NotFound, BadSeq.
        """
        rules.ensure_seq(max(delivered_seq, read_seq))
        turn = self._turn(actor.account(), conversation_id)
        turn.delivered_seq = max(turn.delivered_seq, delivered_seq)
        turn.read_seq = max(turn.read_seq, read_seq)
        if turn.writing is None:
            turn.writing = asyncio.create_task(self._write(turn, works, actor, conversation_id))
            turn.writing.add_done_callback(_retrieve)
        # Shielded: one caller who goes away must not take the others' marks along.
        return await asyncio.shield(turn.writing)

    def _turn(self, account: UUID, conversation_id: UUID) -> _Turn:
        turn = self._turns.setdefault((account, conversation_id), _Turn())
        self._turns.move_to_end((account, conversation_id))
        if len(self._turns) > MARKS_KEPT_MAX:
            self._turns.popitem(last=False)  # whoever waits for it holds it
        return turn

    async def _write(
        self, turn: _Turn, works: Works, actor: Actor, conversation_id: UUID
    ) -> Record:
        if turn.written_at is not None:
            passed = works.clock.now() - turn.written_at
            rest_s = (timedelta(milliseconds=MARKS_GAP_MS) - passed).total_seconds()
            if rest_s > 0:
                await self._sleep(rest_s)
        delivered_seq, read_seq = turn.delivered_seq, turn.read_seq
        turn.delivered_seq = turn.read_seq = 0
        turn.writing, turn.written_at = None, works.clock.now()
        async with works.open(actor) as w:
            return await _advance(
                w, conversation_id, delivered_seq=max(delivered_seq, read_seq), read_seq=read_seq
            )


def _retrieve(task: asyncio.Task[Record]) -> None:
    if not task.cancelled():
        task.exception()  # those who wait get it; nobody waiting is no reason to complain


MARKS = Marks()
"""This process's."""


async def signal_typing(
    actor: Actor, announcer: Announcer, conversation_id: UUID, *, now: datetime
) -> bool:
    """The other one is told, unless it was told less than three seconds ago; nothing is stored.

    Whether it was passed on. Raises NotFound, ConversationClosed.
    """
    who = (actor.account(), conversation_id)
    # Known from a signal that was allowed: what comes too soon costs no question.
    if not rules.may_signal(_typed_at.get(who), now):
        return False
    conversation = await get_conversation(actor, conversation_id)
    if conversation["closed_at"] is not None:
        raise rules.ConversationClosed
    _typed_at[who] = now
    _typed_at.move_to_end(who)
    if len(_typed_at) > TYPING_KEPT_MAX:
        _typed_at.popitem(last=False)
    announcer.whisper(
        facts.conversation_stream(conversation_id),
        facts.TYPING,
        {"conversation_id": str(conversation_id), "role": conversation["role"]},
    )
    return True


_typed_at: OrderedDict[tuple[UUID, UUID], datetime] = OrderedDict()


async def _advance(w: Work, conversation_id: UUID, *, delivered_seq: int, read_seq: int) -> Record:
    rules.ensure_seq(delivered_seq)
    mine = party(w.actor, "v").and_(
        "v.id = {0} AND k.conversation_id = v.id AND k.account_id = {1} AND b.id = k.id",
        conversation_id,
        w.actor.account(),
    )
    # Nobody has received what was never sent: the last number bounds both.
    ahead = mine.and_(
        "k.delivered_seq < LEAST({0}, v.top_seq) OR k.read_seq < LEAST({1}, v.top_seq)",
        delivered_seq,
        read_seq,
    )
    n = len(ahead.args)
    rows = await w.fetch(
        "UPDATE consultation_mark k"
        f" SET delivered_seq = GREATEST(k.delivered_seq, LEAST(${n - 1}, v.top_seq)),"
        f" read_seq = GREATEST(k.read_seq, LEAST(${n}, v.top_seq))"
        f" FROM consultation_conversation v, consultation_mark b WHERE {ahead.sql}"
        " RETURNING k.delivered_seq, k.read_seq, EXISTS (SELECT 1 FROM consultation_message m"
        " WHERE m.conversation_id = v.id AND m.seq > b.read_seq AND m.seq <= k.read_seq"
        " AND m.sender_account_id <> k.account_id) AS has_read",
        *ahead.args,
    )
    conversation = await get_conversation(w.actor, conversation_id)
    if rows:
        delivered, read = rows[0]["delivered_seq"], rows[0]["read_seq"]
        role = Role(conversation["role"])
        w.record(facts.MarksAdvanced(conversation_id, role, delivered, read))
    if rows and rows[0]["has_read"]:
        # Counted under the lock of the mark, so that what is told last is what holds (``unread``).
        unread = conversation["unread_count"]
        w.record(facts.UnreadChanged(conversation_id, w.actor.account(), unread))
    return conversation
