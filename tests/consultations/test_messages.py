"""Messages: numbered without a gap, sealed, sent once however often the client repeats itself."""

from __future__ import annotations

import asyncio

import pytest

from domain.consultations import messages, queries, service
from domain.consultations.models import Service
from domain.consultations.rules import (
    MESSAGE_CHARS_MAX,
    AttachmentsUnavailable,
    BadSeq,
    ConversationClosed,
    KeyReused,
)
from domain.consultations.sealing import conversation_key, open_message
from domain.kernel.database import fetch
from domain.kernel.errors import NotFound
from domain.kernel.ids import new_id
from domain.kernel.pages import PageRequest
from domain.kernel.streams import read_events, stream_states
from domain.kernel.texts import BadText, TextMissing, TextTooLong
from domain.kernel.work import Works
from domain.vault.service import SealBroken
from tests.support.announcing import RememberedAnnouncements
from tests.support.clock import FrozenClock
from tests.support.consultations import (
    a_consultant,
    a_person,
    everything,
    nothing_happens,
    refused,
    running,
    say,
    texts,
)
from tests.support.statements import counted_statements

pytestmark = pytest.mark.usefixtures("test_keyring")


async def test_both_read_what_both_said_in_order(works: Works) -> None:
    member, lawyer = a_person(), await a_consultant(works, Service.LEGAL_AID)
    _, talk = await running(works, member, lawyer)

    await say(works, member, talk, "老板欠薪三个月了")
    await say(works, lawyer, talk, "有合同吗?")
    await say(works, member, talk, "有 · 2024 年签的 𠮷")

    said = [(1, "老板欠薪三个月了"), (2, "有合同吗?"), (3, "有 · 2024 年签的 𠮷")]
    assert await texts(member, talk) == said
    assert await texts(lawyer, talk) == said


async def test_pages_go_backwards_from_the_newest_and_open_with_one_key(works: Works) -> None:
    member, other = a_person(), await a_consultant(works)
    _, talk = await running(works, member, other)
    for number in range(1, 8):
        await say(works, member, talk, f"第{number}句")

    newest = await queries.list_messages(member, talk, PageRequest(last=3))
    cursor = newest.listing.cursor(newest.rows[0])
    before = await queries.list_messages(member, talk, PageRequest(last=3, before=cursor))

    assert [row["text"] for row in newest.rows] == ["第5句", "第6句", "第7句"]
    assert [row["seq"] for row in before.rows] == [2, 3, 4]
    assert newest.has_previous
    assert before.has_previous


async def test_concurrent_senders_leave_no_gap(works: Works) -> None:
    member, other = a_person(), await a_consultant(works)
    _, talk = await running(works, member, other)

    seqs = await asyncio.gather(
        *(say(works, (member, other)[n % 2], talk, f"{n}") for n in range(24))
    )

    assert sorted(seqs) == list(range(1, 25))
    assert [seq for seq, _ in await texts(member, talk)] == list(range(1, 25))


async def test_the_same_key_is_the_same_message(
    works: Works, database: str, announcements: RememberedAnnouncements
) -> None:
    member, other = a_person(), await a_consultant(works)
    _, talk = await running(works, member, other)
    key = new_id()
    first = await say(works, member, talk, "在吗", key=key)

    async with nothing_happens(database, announcements):
        assert await say(works, member, talk, " 在吗 ", key=key) == first

    assert await say(works, other, talk, "在", key=key) == first + 1, "a key is its sender's own"


async def test_the_same_key_many_times_at_once_is_one_message(works: Works) -> None:
    member, other = a_person(), await a_consultant(works)
    _, talk = await running(works, member, other)
    key = new_id()

    seqs = await asyncio.gather(*(say(works, member, talk, "在吗", key=key) for _ in range(12)))
    after = await say(works, member, talk, "?")

    assert set(seqs) == {1}
    assert after == 2
    assert await texts(other, talk) == [(1, "在吗"), (2, "?")]


async def test_the_same_key_with_another_text_is_a_conflict(
    works: Works, database: str, announcements: RememberedAnnouncements
) -> None:
    member, other = a_person(), await a_consultant(works)
    _, talk = await running(works, member, other)
    key = new_id()
    await say(works, member, talk, "一", key=key)

    async with refused(KeyReused, database, announcements):
        await say(works, member, talk, "二", key=key)


async def test_a_closed_conversation_takes_no_message_but_knows_those_it_took(
    works: Works, database: str, announcements: RememberedAnnouncements
) -> None:
    member, other = a_person(), await a_consultant(works)
    case_id, talk = await running(works, member, other)
    key = new_id()
    await say(works, member, talk, "谢谢", key=key)
    async with works.open(other) as w:
        await service.close(w, case_id)

    assert await say(works, member, talk, "谢谢", key=key) == 1
    async with refused(ConversationClosed, database, announcements):
        await say(works, member, talk, "还有一句")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", TextMissing),
        (" \n ", TextMissing),
        ("a\x00b", BadText),
        ("a\ud800b", BadText),
        ("界" * (MESSAGE_CHARS_MAX + 1), TextTooLong),
    ],
)
async def test_bad_texts_are_refused(
    works: Works,
    database: str,
    announcements: RememberedAnnouncements,
    text: str,
    error: type[TextMissing],
) -> None:
    member, other = a_person(), await a_consultant(works)
    _, talk = await running(works, member, other)

    async with refused(error, database, announcements):
        await say(works, member, talk, text)


async def test_the_longest_text_is_accepted(works: Works) -> None:
    member, other = a_person(), await a_consultant(works)
    _, talk = await running(works, member, other)

    await say(works, member, talk, "𠮷" * MESSAGE_CHARS_MAX)

    assert await texts(other, talk) == [(1, "𠮷" * MESSAGE_CHARS_MAX)]


async def test_sending_takes_two_statements(works: Works) -> None:
    member, other = a_person(), await a_consultant(works)
    _, talk = await running(works, member, other)
    await say(works, member, talk, "预热")

    async with works.open(member) as w, counted_statements() as sent:
        await messages.send_message(w, talk, client_key=new_id(), text="快")

    assert len(sent) == 2


async def test_no_table_and_no_fact_holds_the_text(works: Works, database: str) -> None:
    member, other = a_person(), await a_consultant(works)
    _, talk = await running(works, member, other)
    await say(works, member, talk, "canary-金丝雀")

    rows = str(await everything(database))

    assert "canary" not in rows
    assert b"canary".hex() not in rows
    assert "Y2FuYXJ5" not in rows  # base64


async def test_a_sealed_text_opens_in_its_own_place_only(works: Works) -> None:
    member, other = a_person(), await a_consultant(works)
    _, talk = await running(works, member, other)
    for text in ("一", "二"):
        await say(works, member, talk, text)
    state = (await stream_states([f"cv:{talk}"]))[f"cv:{talk}"]
    sent = [event.body for event in await read_events(state, 0) if "seq" in event.body]
    assert [body["seq"] for body in sent] == [1, 2]

    async with works.open(member) as w:
        rows = await w.fetch("SELECT * FROM consultation_message ORDER BY seq")
    key = await conversation_key(Service.COUNSELLING, talk)
    swapped = {**rows[0], "body": rows[1]["body"]}

    with pytest.raises(SealBroken):
        open_message(key, swapped)


async def test_marks_only_advance_and_never_beyond_what_was_sent(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    member, other = a_person(), await a_consultant(works)
    _, talk = await running(works, member, other)
    for text in ("一", "二", "三"):
        await say(works, member, talk, text)
    announcements.events.clear()

    async with works.open(other) as w:
        await messages.mark_delivered(w, talk, 2)
    async with works.open(other) as w:
        row = await messages.mark_read(w, talk, 99)
    assert (row["delivered_seq"], row["read_seq"], row["unread_count"]) == (3, 3, 0)
    for seq in (1, 3, 99):
        async with works.open(other) as w:
            await messages.mark_read(w, talk, seq)

    seen = await queries.get_conversation(member, talk)
    assert (seen["other_delivered_seq"], seen["other_read_seq"]) == (3, 3)
    assert [
        (event.body["role"], event.body["delivered_seq"], event.body["read_seq"])
        for event in announcements.events
        if event.kind == "consultations.marks_advanced"
    ] == [("consultant", 2, 0), ("consultant", 3, 3)]


@pytest.mark.parametrize("seq", [0, -1, 2**63])
async def test_a_mark_needs_a_number_of_a_message(
    works: Works, database: str, announcements: RememberedAnnouncements, seq: int
) -> None:
    member, other = a_person(), await a_consultant(works)
    _, talk = await running(works, member, other)

    async with refused(BadSeq, database, announcements), works.open(member) as w:
        await messages.mark_read(w, talk, seq)


async def test_the_other_one_is_told_once_that_something_waits(
    works: Works, announcements: RememberedAnnouncements
) -> None:
    member, other = a_person(), await a_consultant(works)
    _, talk = await running(works, member, other)
    announcements.events.clear()

    for text in ("一", "二"):
        await say(works, member, talk, text)
    async with works.open(other) as w:
        await messages.mark_read(w, talk, 2)
    await say(works, member, talk, "三")

    waiting = [e for e in announcements.events if e.kind == "consultations.message_waiting"]
    assert [event.stream for event in waiting] == [f"me:{other.account_id}"] * 2
    assert (await queries.get_conversation(other, talk))["unread_count"] == 1
    assert (await queries.get_conversation(member, talk))["unread_count"] == 0


async def test_typing_is_whispered_once_in_three_seconds_and_never_stored(
    works: Works, database: str, announcements: RememberedAnnouncements, clock: FrozenClock
) -> None:
    member, other = a_person(), await a_consultant(works)
    _, talk = await running(works, member, other)
    rows = await everything(database)

    passed = []
    for wait_s in (0, 2.9, 0.1):
        clock.advance(seconds=wait_s)
        passed.append(await messages.signal_typing(member, announcements, talk, now=clock.now()))

    assert passed == [True, False, True]
    body = {"conversation_id": str(talk), "role": "member"}
    assert announcements.whispers == [(f"cv:{talk}", "consultations.typing", body)] * 2
    assert await everything(database) == rows


async def test_attachments_are_refused_with_their_own_code(works: Works) -> None:
    member, other = a_person(), await a_consultant(works)
    _, talk = await running(works, member, other)

    with pytest.raises(AttachmentsUnavailable):
        await messages.attach(member, talk)
    with pytest.raises(NotFound):
        await messages.attach(a_person(), talk)


async def test_a_stranger_learns_nothing_not_even_by_the_number_of_statements(
    works: Works, database: str, announcements: RememberedAnnouncements
) -> None:
    member, other = a_person(), await a_consultant(works)
    _, talk = await running(works, member, other)
    stranger = a_person()
    counts = []
    for conversation_id in (talk, new_id()):
        absent = refused(NotFound, database, announcements)
        async with absent, works.open(stranger) as w, counted_statements() as sent:
            await messages.send_message(w, conversation_id, client_key=new_id(), text="?")
        counts.append(list(sent))

    assert counts[0] == counts[1]
    assert counts[0]


async def test_the_log_tells_all_that_rendering_needs(works: Works) -> None:
    member, other = a_person(), await a_consultant(works)
    _, talk = await running(works, member, other)
    await say(works, member, talk, "在吗")
    stored = await queries.list_messages(member, talk, PageRequest())

    rows = await fetch(
        "SELECT body FROM event WHERE stream_id = $1 AND kind = 'consultations.message_sent'",
        f"cv:{talk}",
    )

    assert len(rows) == 1
    for name in ("id", "seq", "sender_account_id", "client_key"):
        assert str(stored.rows[0][name]) in rows[0]["body"]
