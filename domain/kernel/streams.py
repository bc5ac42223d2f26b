"""The log: facts appended to streams, read back by offset.

An offset comes from a counter row whose lock is held to commit, so that per stream offsets are
dense and commit order is offset order; a rollback gives the number back. There is no global cursor
in which a late commit could hide.
"""

from __future__ import annotations

import base64
import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, ClassVar, TypeAlias, cast
from uuid import UUID

import orjson

from domain.kernel.database import Record, fetch

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

READ_EVENTS_MAX = 500
"""Rows of one read; a longer gap is read page by page."""


def account_stream(account_id: UUID) -> str:
    """The stream of one account, which its own sockets follow: sessions, grants, seats, cases."""
    return f"me:{account_id}"


@dataclasses.dataclass(frozen=True, slots=True)
class Fact:
    """Something that has happened: ids and non-secret values only, sealed text as ciphertext.

    Subclasses are frozen dataclasses in the past tense, name a ``kind`` (``slice.verb``) and the
    streams they belong to. ``is_authority`` marks a change of who may read those streams.
    """

    kind: ClassVar[str]
    is_authority: ClassVar[bool] = False

    def streams(self) -> tuple[str, ...]:
        """The streams that this fact belongs to, at least one."""
        raise NotImplementedError

    def body(self) -> dict[str, Json]:
        """The fields as JSON: ids as text, instants in ISO 8601, bytes in base64."""
        return {name: to_json(getattr(self, name)) for name in _names(cast(type, type(self)))}


@cache
def _names(of: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(of))


@dataclasses.dataclass(frozen=True, slots=True)
class LoggedEvent:
    """A fact at its place in one stream (or an ephemeral one, whose offset is 0: never stored)."""

    stream: str
    epoch: str
    offset: int
    kind: str
    is_authority: bool
    at: datetime
    body: Mapping[str, Any]
    authority_version: int = 0
    """The stream's version after this event, where the writer knows it; 0 from a read."""


@dataclasses.dataclass(frozen=True, slots=True)
class StreamState:
    """Where a stream stands. A stream that nobody has written to has epoch "" and top 0."""

    id: str
    epoch: str = ""
    top: int = 0
    floor: int = 0
    authority_version: int = 0


def _same(value: Any) -> Json:
    result: Json = value
    return result


def _listed(value: Iterable[Any]) -> Json:
    return [to_json(item) for item in value]


_TO_JSON: dict[type, Callable[[Any], Json]] = {
    UUID: str,
    datetime: datetime.isoformat,
    date: date.isoformat,
    bytes: lambda value: base64.b64encode(value).decode(),
    list: _listed,
    tuple: _listed,
    frozenset: _listed,
    set: _listed,
    type(None): _same,
    bool: _same,
    str: _same,
    int: _same,
    float: _same,
}
"""By the value's type: the facts of one message ask thirteen times."""


def to_json(value: Any) -> Json:
    """A fact's value as JSON."""
    convert = _TO_JSON.get(type(value))
    if convert is None:
        # Enums that are texts or numbers, the driver's UUIDs: kept, for there are few such types.
        known = (each for base, each in tuple(_TO_JSON.items()) if isinstance(value, base))
        convert = next(known, None)
        if convert is None:
            raise TypeError(f"a fact cannot hold {type(value).__name__}")
        _TO_JSON[type(value)] = convert
    return convert(value)


APPEND_SQL = "SELECT * FROM stream_append($1, $2, $3)"
"""Append each fact to each of its streams; takes ``Entries.args``, and its rows ``Entries.logged``.

Streams are locked in sorted order, so two writers never deadlock. Must be the last statement before
commit: the counter rows stay locked until then.
"""


class Entries:
    """Facts on their way into the log: each at each of its streams, its body made once."""

    __slots__ = ("_bodies", "_facts", "_places", "at")

    def __init__(self, facts: Sequence[Fact], at: datetime) -> None:
        self.at = at
        self._facts = facts
        self._bodies = [fact.body() for fact in facts]
        self._places: list[list[tuple[str, int]]] = []
        after: dict[str, int] = {}
        for fact in reversed(facts):
            places = []
            for stream in reversed(fact.streams()):
                places.append((stream, after.get(stream, 0)))
                after[stream] = after.get(stream, 0) + 1
            self._places.append(places[::-1])
        self._places.reverse()

    @property
    def args(self) -> tuple[object, ...]:
        """The values of ``stream_append``."""
        return (orjson.dumps(self.plain()).decode(), new_epoch(), self.at)

    def plain(self) -> list[dict[str, Json]]:
        """The facts as ``stream_append`` takes them."""
        return [
            {
                "kind": fact.kind,
                "is_authority": fact.is_authority,
                "body": body,
                "at": cast("Json", places),
            }
            for fact, body, places in zip(self._facts, self._bodies, self._places, strict=True)
        ]

    def logged(self, rows: Sequence[Record]) -> list[LoggedEvent]:
        """The events, by what ``stream_append`` has answered; those of other streams were not."""
        state = {row["id"]: row for row in rows}
        return [
            LoggedEvent(
                stream=stream,
                epoch=state[stream]["epoch"],
                offset=state[stream]["top"] - behind,
                kind=fact.kind,
                is_authority=fact.is_authority,
                at=self.at,
                body=body,
                authority_version=state[stream]["authority_version"],
            )
            for fact, body, places in zip(self._facts, self._bodies, self._places, strict=True)
            for stream, behind in places
            if stream in state
        ]


async def stream_states(ids: Sequence[str]) -> dict[str, StreamState]:
    """Where each stream stands now; one that was never written to stands at 0.

    Asked before all else that waits for the database: by it a process learns what was revoked.
    """
    rows = await fetch(
        "SELECT id, epoch, top, floor, authority_version FROM stream_state"
        " WHERE id = ANY($1::text[])",
        list(ids),
        is_urgent=True,
    )
    found = {row["id"]: StreamState(**dict(row)) for row in rows}
    return {id_: found.get(id_) or StreamState(id_) for id_ in ids}


Known: TypeAlias = tuple[str, str, int, int]
"""A stream as somebody knows it: id, epoch, top, floor."""

_MOVED_SQL = """
SELECT k.id, coalesce(s.epoch, '') AS epoch, coalesce(s.top, 0) AS top,
       coalesce(s.floor, 0) AS floor, coalesce(s.authority_version, 0) AS authority_version
  FROM unnest(string_to_array($1, E'\\n'), string_to_array($2, E'\\n'),
              string_to_array($3, ' ')::bigint[], string_to_array($4, ' ')::bigint[])
       AS k(id, epoch, top, floor)
  LEFT JOIN stream_state s ON s.id = k.id
 WHERE coalesce(s.epoch, '') <> coalesce(k.epoch, '') OR coalesce(s.top, 0) <> k.top
    OR coalesce(s.floor, 0) <> k.floor
"""


async def streams_moved(known: Sequence[Known]) -> list[StreamState]:
    """Where those stand now that do not stand as known; nearly none of those swept, as a rule.

    As urgent as ``stream_states``, and a small part of its cost: who has not moved takes no row.
    """
    if not known:
        return []
    ids, epochs, tops, floors = zip(*known, strict=True)
    rows = await fetch(
        _MOVED_SQL,
        # As text: the driver encodes an array element by element. One empty epoch comes as none.
        "\n".join(ids),
        "\n".join(epochs),
        " ".join(map(str, tops)),
        " ".join(map(str, floors)),
        is_urgent=True,
    )
    return [StreamState(**dict(row)) for row in rows]


async def position_of(stream: str) -> str:
    """Where the stream stands, as a cursor ``stream:epoch:offset`` to resume from."""
    state = (await stream_states([stream]))[stream]
    return f"{stream}:{state.epoch}:{state.top}"


def position_sql(stream: str) -> str:
    """``position_of`` as an expression, of the stream that another expression names."""
    return (
        f"{stream} || ':' || coalesce((SELECT s.epoch || ':' || s.top FROM stream_state s"
        f" WHERE s.id = {stream}), ':0')"
    )


async def read_events(
    state: StreamState, after: int, limit: int = READ_EVENTS_MAX
) -> list[LoggedEvent]:
    """The events with offsets above ``after``, in order, at most ``limit``; none of a history that
    has taken the place of the state's meanwhile."""
    rows = await fetch(
        'SELECT "offset", kind, is_authority, at, body FROM event'
        ' WHERE stream_id = $1 AND "offset" > $2 AND EXISTS'
        " (SELECT FROM stream_state s WHERE s.id = $1 AND s.epoch = $4)"
        ' ORDER BY "offset" LIMIT $3',
        state.id,
        after,
        min(limit, READ_EVENTS_MAX),
        state.epoch,
    )
    return [
        LoggedEvent(
            stream=state.id,
            epoch=state.epoch,
            offset=row["offset"],
            kind=row["kind"],
            is_authority=row["is_authority"],
            at=row["at"].astimezone(UTC),
            body=orjson.loads(row["body"]),
        )
        for row in rows
    ]


def new_epoch() -> str:
    """A name for a new stream's history: a stream rebuilt can't be mistaken for the old one."""
    return os.urandom(5).hex()
